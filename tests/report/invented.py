"""Run directories made up for the report: realistic, and nobody's poems."""

import json
import math
import random
from pathlib import Path
from typing import Any

from runner.report import write_report

HAN = "山水风月花云天地春秋江河日夜星光雪雨松竹梅石林泉烟霞舟楼灯影寒暖清远孤高归去来时人间"

CONFIG = """\
task:
  name: causal_lm
  auto_class: AutoModelForCausalLM
checkpoint: {name_or_path: poem_gpt2, revision: null}
data: {path: null, prompts: [春山月, 江上], limit: null}
decode: {loop: generate, do_sample: true, temperature: 0.8, top_p: 0.95, top_k: null, num_beams: null}
engine: {dtype: float32, device: auto}
seed: 0
name: null
"""

MANIFEST = {
    "command": "python -m runner task=causal_lm decode.temperature=0.8",
    "id": "3f9a12c4",
    "name": None,
    "seed": 0,
    "runner": "0.1.0",
    "git": {"commit": "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d", "dirty_sha256": "ab" * 32},
    "started": "2025-11-23T03:05:00+00:00",
    "packages": {"torch": "2.13.0", "transformers": "5.23.0", "tokenizers": "0.23.1", "numpy": "2.4.1"},
    "machine": {
        "host": "desk",
        "cpu": "Some Processor at 3 GHz",
        "cores": 2,
        "memory_gb": 16.0,
        "threads": 2,
        "platform": "Linux-6.1-x86_64",
        "python": "3.11.7",
    },
    "checkpoint": {
        "name": "poem_gpt2",
        "commit": None,
        "parameters": 6550272,
        "dtype": "float32",
        "device": "cpu",
        "files": {"model.safetensors": "0123456789abcdef" * 4, "vocab.txt": "fedcba9876543210" * 4},
        "random_weights": False,
    },
    "data": {"name": "prompts", "rows": 4, "files": {}, "rejected": 0},
    "decoding": {"do_sample": True, "temperature": 0.8, "top_p": 0.95, "max_new_tokens": 64},
    "notes": ["loaded poem_gpt2: 6.6 M parameters, 3.1 s", "decoded by generate in sorted batches: 4 rows in 2"],
}

STATUS = {
    "state": "done",
    "attempt": 1,
    "pid": 77,
    "host": "desk",
    "started": "2025-11-23T03:05:00+00:00",
    "ended": "2025-11-23T03:05:05+00:00",
    "error": None,
    "traceback": None,
}

METRICS = {
    "well_formed": {"value": 0.97, "low": 0.93, "high": 0.99, "n": 200, "baselines": {}, "passed": "well_formed"},
    "distinct": {"value": 0.61, "low": 0.52, "high": 0.70, "n": 200},
    "tokens": {"value": 31.4, "low": 28.9, "high": 33.9, "n": 200},
}

TIMING = {
    "phases": {"data": 0.1, "load": 3.1, "predict": 1.0, "score": 0.02},
    "tokens_per_second": 208.0,
    "peak_mb": 410.0,
}


class RunDirectory:
    """Writes the files of a run directory; None leaves a file out."""

    def __init__(self, path: Path):
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        self.text("config.yaml", CONFIG)
        self.text("overrides.txt", "decode.temperature=0.8\ndecode=sample\n")
        self.json("manifest.json", MANIFEST)
        self.json("status.json", STATUS)
        self.json("metrics.json", METRICS)
        self.json("timing.json", TIMING)

    def text(self, name: str, content: str) -> None:
        (self.path / name).write_text(content, encoding="utf-8")

    def json(self, name: str, content: Any) -> None:
        self.text(name, json.dumps(content, ensure_ascii=False))

    def lines(self, name: str, content: Any) -> None:
        self.text(name, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in content))

    def rows(self, *lines: dict[str, Any]) -> None:
        self.lines("predictions.jsonl", ({"row": i, **line} for i, line in enumerate(lines)))

    def without(self, *names: str) -> None:
        for name in names:
            (self.path / name).unlink(missing_ok=True)

    def page(self) -> str:
        return write_report(self.path).read_text(encoding="utf-8")


def answer(prompt: str, text: Any, **scores: float) -> dict[str, Any]:
    return {"input": {"text": prompt}, "prediction": text, "scores": scores}


def invented_poem(seed: int, metre: int = 5, lines: int = 4) -> str:
    draw = random.Random(seed)
    bodies = ["".join(draw.choices(HAN, k=metre)) for _ in range(lines)]
    return "".join(body + ("，" if place % 2 == 0 else "。") for place, body in enumerate(bodies))


def invented_trace(text: str, seed: int = 0, k: int = 5) -> list[list[dict[str, Any]]]:
    draw = random.Random(seed)
    steps = []
    for character in text:
        tokens = [character, *draw.sample([c for c in HAN if c != character], k)]
        weights = sorted((draw.random() ** 4 for _ in range(k + 1)), reverse=True)
        chosen = min(int(draw.expovariate(1.1)), k)
        tokens[0], tokens[chosen] = tokens[chosen], tokens[0]
        pairs = [[t, round(w / sum(weights), 4)] for t, w in zip(tokens, weights, strict=True)]
        steps.append({"chosen": character, "candidates": pairs[:k]})
    return [steps]


def invented_training(steps: int = 2000, every: int = 10, evaluate: int = 200) -> list[dict[str, float]]:
    draw, lines = random.Random(1), []
    for step in range(every, steps + 1, every):
        fall = 3.1 * math.exp(-step / 320) + 1.4 * math.exp(-step / 2400) + 3.9
        rate = 1e-3 * min(step / 100, 0.5 * (1 + math.cos(math.pi * step / steps)) + 0.01)
        lines.append({"step": step, "epoch": step / steps, "loss": fall + draw.gauss(0, 0.06), "learning_rate": rate,
                      "grad_norm": 0.7 + draw.random() * 0.5})  # fmt: skip
        if step % evaluate == 0:
            lines.append({"step": step, "eval_loss": fall + 0.12 + step / 9000, "eval_runtime": 2.0})
    return lines
