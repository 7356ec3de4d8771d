"""How long until something happens: help, a mistake, the main job beside a bare script; whole processes."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.measure import Row, cpu_of, write

BARE = """
import sys, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
torch.manual_seed(0)
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32)
for prompt in open(sys.argv[2], encoding="utf-8").read().split():
    ids = tokenizer(prompt, return_tensors="pt").input_ids[:, :-1]
    print(tokenizer.decode(model.generate(ids, do_sample=True, max_new_tokens=64)[0], skip_special_tokens=True))
"""
LIGHT = {
    "--help": ["--help"],
    "--cfg job": ["--cfg", "job"],
    "a bad override": ["decode.temprature=0.5", "decode.top_p=2"],
}


def run(rounds: int, quick: bool) -> None:
    """Light commands against their limit, the main job against a bare script."""
    del quick
    rows = []
    for name, arguments in LIGHT.items():
        times = [cpu_of([sys.executable, "-m", "runner", *arguments])[:2] for _ in range(rounds)]
        cpu, wall = (statistics.median(column) for column in zip(*times, strict=True))
        rows.append(Row(f"`{name}`", f"{cpu:.2f} s of CPU, {wall:.2f} s", "<= 0.5 s", cpu <= 0.5))
    assets = Path(
        subprocess.check_output([sys.executable, "-c", "import runner; print(runner.__path__[0])"], text=True).strip()
    )
    bare = [sys.executable, "-c", BARE, str(assets / "assets/poem_gpt2"), str(assets / "assets/data/prompts.txt")]
    seconds: dict[str, list[float]] = {"bare": [], "runner": []}
    with tempfile.TemporaryDirectory() as outputs:
        ours = [sys.executable, "-m", "runner", "decode.do_sample=true", "rerun=true", f"output_dir={outputs}"]
        for _ in range(rounds):
            for name, command in (("bare", bare), ("runner", [*ours, "engine.threads=1"])):
                cpu, _, code = cpu_of(command, env={**__import__("os").environ, "OMP_NUM_THREADS": "1"})
                assert code == 0, name
                seconds[name].append(cpu)
    ours_s, bare_s = (statistics.median(seconds[name]) for name in ("runner", "bare"))
    figure = f"{ours_s / bare_s:.2f} times ({ours_s:.2f} s, bare {bare_s:.2f} s)"
    rows.append(
        Row(
            "the main job, beside the same load and generate in a bare script",
            figure,
            "<= 1.05",
            ours_s <= 1.05 * bare_s,
        )
    )
    write("Start-up", rows, rounds, 1, ["Whole processes, 4 prompts, at most 64 sampled tokens each."])
