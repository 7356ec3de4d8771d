"""Searches that give up what is worse in the middle, beside the same searches without: the best found, and the cost.

Hours. A search that has been measured is kept in BENCH_PRUNING, one that was interrupted is begun anew.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import statistics
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.measure import Row, spent, write
from bench.minilm import DATA, encoder

OUTPUTS = Path(os.environ.get("BENCH_PRUNING", "../pruning"))  # outside of the repository
TAUGHT, PROMPTS = 1024, 320  # rows
WATCHED = 4  # one in so many of the rows that are not trained on is validated on in the middle, the others at the end


@dataclass(frozen=True)
class Kind:
    """A search; its pruner and its seed are left open.

    Fields:
        name: human.
        metric: made best.
        larger: whether it is the better the larger it is.
        trials: points in all.
        pruner: the one that the requirement is measured with.
        others: measured as well, with the first seed.
    """

    name: str
    metric: str
    larger: bool
    trials: int
    pruner: str
    others: tuple[str, ...]
    command: tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """What a search came to; the interval is that of the best run."""

    cpu_s: float
    value: float
    low: float
    high: float
    pruned: int


def tuning(quick: bool) -> Kind:
    """All weights of MiniLM on SST-2: the learning rate, its warm-up, and the batch."""
    folder = OUTPUTS / "sst2"
    folder.mkdir(parents=True, exist_ok=True)
    train, seen = _sentences("train")[:TAUGHT], _sentences("validation")
    watched, scored = seen[::WATCHED], [row for at, row in enumerate(seen) if at % WATCHED]
    for split, rows in (("train", train), ("validation", watched), ("test", scored)):
        with (folder / f"{split}.csv").open("w", encoding="utf-8", newline="") as file:
            written = csv.DictWriter(file, ["text", "label"])
            written.writeheader()
            written.writerows(rows)
    short = ("train.max_steps=4", "train.evaluate_every=1", "data.limit=20")
    return Kind(
        "MiniLM on SST-2", "log_loss", False, 3 if quick else 20, "halving", ("median", "hyperband"),
        ("task=sequence_classification", "checkpoint=pretrained", f"checkpoint.name_or_path={encoder()}", "data=files",
         f"data.path={folder}", "train=full", "train.metric=log_loss", "train.save_every=1200",
         *(short if quick else ("train.max_steps=64", "train.evaluate_every=8")),
         "train.learning_rate=tag(log,interval(1e-6,3e-3))", "train.batch_size=8,16",
         "train.warmup_share=interval(0.0,0.3)"),
    )  # fmt: skip


def decoding(quick: bool) -> Kind:
    """poem_gpt2, sampling: how many of the poems that it goes on with are well-formed."""
    OUTPUTS.mkdir(parents=True, exist_ok=True)
    prompts = OUTPUTS / "prompts.txt"
    poems = [json.loads(line)["text"] for line in (DATA / "poems/test.jsonl").open(encoding="utf-8")]
    firsts = dict.fromkeys(poem.partition("，")[0] + "，" for poem in poems)  # the first half of the first line
    prompts.write_text("".join(f"{one}\n" for one in list(firsts)[: 16 if quick else PROMPTS]), encoding="utf-8")
    return Kind(
        "poem_gpt2, well-formed lines", "well_formed", True, 3 if quick else 20, "wilcoxon", ("halving", "median"),
        ("checkpoint=poem_gpt2", "data=files", f"data.path={prompts}", "decode=sample",
         "decode.temperature=interval(0.5,3.0)", "decode.top_p=interval(0.7,1.0)",
         "decode.top_k=tag(log,int,interval(5,6000))", "decode.repetition_penalty=interval(1.0,2.0)"),
    )  # fmt: skip


def search(kind: Kind, pruner: str | None, seed: int) -> Found:
    """One search to its end, all its processes."""
    name = f"{kind.metric}-{pruner}-{kind.trials}-{seed}"
    kept, outputs = OUTPUTS / f"{name}.json", OUTPUTS / name
    if kept.exists():
        return Found(**json.loads(kept.read_text()))
    shutil.rmtree(outputs, ignore_errors=True)
    command = [
        sys.executable, "-m", "runner", "-m", "hydra/sweeper=search", f"hydra.sweeper.n_trials={kind.trials}",
        f"hydra.sweeper.pruner={'null' if pruner is None else pruner}", f"hydra.sweeper.seed={seed}",
        f"hydra.sweeper.metric={kind.metric}", *kind.command, "engine.threads=1", "hydra.launcher.n_jobs=1",
        f"output_dir={outputs}",
    ]  # fmt: skip
    took = spent(command, OUTPUTS / f"{name}.log", env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert took.code == 0, name
    (best,) = outputs.glob("sweeps/*/best.json")
    run = Path(json.loads(best.read_text())[0]["directory"])
    one = json.loads((run / "metrics.json").read_text())[kind.metric]
    counts = json.loads((best.parent / "sweep.json").read_text())["counts"]
    found = Found(took.cpu_s, one["value"], one["low"], one["high"], counts["pruned"])
    kept.write_text(json.dumps(asdict(found)))
    print(f"  {name}: {found}", flush=True)
    return found


def lines(kind: Kind, seeds: range) -> list[Row]:
    """Of the table: the pruner that is asked about over all seeds, the others with the first one."""
    whole = [search(kind, None, seed) for seed in seeds]
    found = {kind.pruner: [search(kind, kind.pruner, seed) for seed in seeds]}
    found |= {other: [search(kind, other, seeds[0])] for other in kind.others}
    rows = [Row(f"{kind.name}, {kind.trials} trials: nothing given up", "; ".join(map(_told, whole)))]
    for pruner, several in found.items():
        pairs = list(zip(several, whole, strict=False))
        share = statistics.median(one.cpu_s / other.cpu_s for one, other in pairs)
        reached = all(one.value >= other.low if kind.larger else one.value <= other.high for one, other in pairs)
        figure = f"{share:.2f} of the cost; {'; '.join(map(_told, several))}"
        goal = ("<= 0.5, the same best", reached and share <= 0.5) if pruner == kind.pruner else ("", None)
        rows.append(Row(f"{kind.name}: {pruner}", figure, *goal))
    return rows


def _told(one: Found) -> str:
    pruned = f", {one.pruned} given up" if one.pruned else ""
    return f"{one.value:.3f} [{one.low:.3f}, {one.high:.3f}] ({one.cpu_s:.0f} s{pruned})"


def _sentences(split: str) -> list[dict[str, Any]]:
    with (DATA / f"sst2/{split}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def run(rounds: int, quick: bool) -> None:
    """`rounds` is the number of seeds of a search, two at most."""
    seeds = range(min(rounds, 2))
    rows = [row for kind in (decoding(quick), tuning(quick)) for row in lines(kind, seeds)]
    notes = [
        "A search a seed, the same points at first. Best value with its 95 % interval; CPU seconds of all processes, "
        "with their start; the share is the median over seeds. Met: no best is worse than the unpruned one's interval.",
        f"MiniLM: all weights, 64 steps over {TAUGHT} sentences, validated on 218 others every 8 steps; the best is by "
        "the last weights on 654 more. "
        "Drawn: learning rate, batch, warm-up.",
        f"poem_gpt2: {PROMPTS} first half-lines of test poems; drawn: temperature, top_p, top_k, repetition penalty.",
    ]
    write("Searches that give up", rows, len(seeds), 1, notes)
