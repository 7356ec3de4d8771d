"""Sweeps beside plain Hydra's multirun and beside a process a job: settings of decoding, trivial jobs, fine-tunings."""

from __future__ import annotations

import itertools
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.measure import Row, Spent, spent, write
from bench.minilm import DATA
from runner.files import read_json, sha256

ASSETS = Path("runner/assets").absolute()
IN, NEW, PROMPTS = 200, 24, 32  # tokens of a prompt, new tokens, prompts
TEMPERATURES, TOP_P, FURTHER = (0.6, 0.8, 1.0, 1.2, 1.4), (0.7, 0.8, 0.9, 0.95), 1.6  # 20 settings, and 4 more
SAMPLE = 5  # every fifth setting is run as a process of the plain script; they are all alike
ALONE = {**os.environ, "OMP_NUM_THREADS": "1"}


def runner(arguments: Sequence[str], outputs: Path) -> Spent:
    """The command line with all its processes."""
    command = [sys.executable, "-m", "runner", *arguments, "engine.threads=1", f"output_dir={outputs}"]
    took = spent(command, outputs.with_suffix(".log"), env=ALONE)
    assert took.code == 0, outputs.with_suffix(".log").read_text()[-2000:]
    return took


def sweep(arguments: Sequence[str], outputs: Path) -> Spent:
    """With one worker."""
    return runner(["-m", *arguments, "hydra.launcher.n_jobs=1"], outputs)


def prompts(folder: Path, count: int) -> Path:
    """Poems one after another, cut into texts of one length: a character is a token, [CLS] comes before them."""
    poems = "".join(json.loads(line)["text"] for line in (DATA / "poems/test.jsonl").open(encoding="utf-8"))
    path, length = folder / "prompts.txt", IN - 1
    path.write_text("".join(f"{poems[at * length : (at + 1) * length]}\n" for at in range(count)), encoding="utf-8")
    return path


def decoding(folder: Path, rounds: int, quick: bool) -> tuple[list[Row], str]:
    """Twenty settings in four ways, in turn; greedy texts and those of runs alone are compared."""
    given = prompts(folder, 4 if quick else PROMPTS)
    common = ["checkpoint=poem_gpt2", "data=files", f"data.path={given}", f"decode.min_new_tokens={NEW}",
              f"decode.max_new_tokens={NEW}"]  # fmt: skip
    assert greedy(folder, given, common), "other greedy texts than those of generate"
    temperatures = TEMPERATURES[: 1 if quick else None]
    points = list(itertools.product(temperatures, TOP_P))
    drawn = [[*common, "decode=sample", f"decode.temperature={t}", f"decode.top_p={p}"] for t, p in points]
    swept = [*common, "decode=sample", f"decode.temperature={_listed(temperatures)}", f"decode.top_p={_listed(TOP_P)}"]
    seconds: dict[str, list[float]] = {}
    for number in range(rounds):
        ways = {
            "sweep": lambda at=number: sweep(swept, folder / f"sweep-{at}").cpu_s,
            "multirun": lambda: multirun(folder, given, temperatures),
            "processes": lambda: scaled([single(folder, given, t, p) for t, p in points[::SAMPLE]], len(points)),
            "runs": lambda at=number: sum(runner(one, folder / f"runs-{at}").cpu_s for one in drawn),
        }
        for name, way in ways.items():
            seconds.setdefault(name, []).append(way())
            print(f"  round {number + 1} {name}: {seconds[name][-1]:.1f} s", flush=True)
    more = [[*common, "decode=sample", f"decode.temperature={FURTHER}", f"decode.top_p={p}"] for p in TOP_P]
    for one in more:
        runner(one, folder / "runs-0")
    wider = [text.replace("temperature=", f"temperature={FURTHER},") for text in swept]
    sweep(wider, folder / "wider")
    logs = [path.read_text() for path in (folder / "wider").glob("*/*/log.txt")]
    loads = sum("checkpoint kept from the job before" not in log for log in logs)
    same = answers(folder / "wider") == answers(folder / "runs-0") and len(logs) == len(points) + len(more)
    median = {name: statistics.median(values) for name, values in seconds.items()}
    what = f"{len(points)} settings x {4 if quick else PROMPTS} prompts, {IN} tokens in, {NEW} out"

    def share(other: str, said: str, goal: float | None, told: str = "") -> Row:
        found = median["sweep"] / median[other]
        aim = ("", None) if goal is None else (f"<= {told}", found <= goal)
        return Row(f"{what}: of {said}", f"{found:.3f} ({median['sweep']:.1f} s of {median[other]:.1f} s)", *aim)

    rows = [
        Row(f"{len(logs)} settings on one checkpoint: loads", f"{loads}", "1", loads == 1),
        Row(f"{len(logs)} settings: predictions as those of separate runs, byte for byte", _yes(same), "yes", same),
        share("multirun", "plain Hydra's multirun", 1 / 3, "1/3"),
        share("processes", f"a process of the same script each ({len(points[::SAMPLE])} measured)", 1 / 8, "1/8"),
        share("runs", "a process of the runner each", None),
    ]
    note = "Greedy texts are those of generate in the plain script (bench/stock.py); sampled ones are drawn otherwise."
    return rows, note


def scaled(seconds: Sequence[float], count: int) -> float:
    """What so many would take, some having been measured."""
    return sum(seconds) * count / len(seconds)


def greedy(folder: Path, given: Path, common: Sequence[str]) -> bool:
    """Whether the runner and the plain script write the same texts."""
    sweep([*common, "decode=greedy"], folder / "greedy")
    stock(folder, given, ["do_sample=false"])
    theirs = json.loads((folder / "stock/False-1.0-1.0.json").read_text())
    (found,) = (folder / "greedy").glob("*/*/predictions.jsonl")
    ours = [json.loads(line)["prediction"] for line in found.open(encoding="utf-8")]
    texts = [one if isinstance(one, str) else one["text"] for one in ours]
    source = given.read_text(encoding="utf-8").splitlines()
    whole = [text.removeprefix(prompt) for text, prompt in zip(texts, source, strict=True)]
    return whole == ["".join(text.split()) for text in theirs]


def multirun(folder: Path, given: Path, temperatures: Sequence[float]) -> float:
    """Hydra's own sweeper and launcher: libraries are imported once, the model is loaded in each job."""
    varied = [f"temperature={_listed(temperatures)}", f"top_p={_listed(TOP_P)}"]
    return stock(folder, given, ["-m", "hydra/launcher=basic", "hydra/sweeper=basic", *varied])


def single(folder: Path, given: Path, temperature: float, top_p: float) -> float:
    """One setting, a process of its own."""
    return stock(folder, given, [f"temperature={temperature}", f"top_p={top_p}"])


def stock(folder: Path, given: Path, arguments: Sequence[str]) -> float:
    """CPU seconds of the plain script."""
    (folder / "stock").mkdir(exist_ok=True)
    own = [f"model={ASSETS / 'poem_gpt2'}", f"prompts={given}", f"answers={folder / 'stock'}", f"new_tokens={NEW}",
           f"hydra.run.dir={folder / 'hydra'}", f"hydra.sweep.dir={folder / 'hydra'}"]  # fmt: skip
    took = spent([sys.executable, "-m", "bench.stock", *arguments, *own], folder / "stock.log", env=ALONE)
    assert took.code == 0, (folder / "stock.log").read_text()[-2000:]
    return took.cpu_s


def answers(outputs: Path) -> dict[str, str]:
    """sha256 of what each run answered, by its fingerprint."""
    return {path.parent.name[-8:]: sha256(path) for path in outputs.glob("*/*/predictions.jsonl")}


def trivial(folder: Path, quick: bool) -> list[Row]:
    """Fifty jobs of one token each: what passes from the end of one to the end of the next, without its work."""
    count = 8 if quick else 50
    common = ["data.prompts=[春]", "decode.do_sample=true", "decode.max_new_tokens=1"]
    one = sweep([*common, "seed=0"], folder / "first")
    all_ = sweep([*common, f"seed=range(0,{count})"], folder / "trivial")
    ends, work = [], []
    for path in (folder / "trivial").glob("*/*/status.json"):
        ends.append(path.stat().st_mtime_ns / 1e9)
        phases = (read_json(path.parent / "timing.json") or {})["phases"]
        work.append(phases.get("predict", 0.0))
    gaps = [after - before for before, after in itertools.pairwise(sorted(ends))]
    wall_ms = 1000 * (statistics.median(gaps) - statistics.median(work))
    cpu_ms = 1000 * (all_.cpu_s - one.cpu_s) / (count - 1)
    return [
        Row(f"{count} trivial jobs: median overhead of a job, wall", f"{wall_ms:.0f} ms", "< 150 ms", wall_ms < 150),
        Row(f"{count} trivial jobs: a job more, CPU of all processes, its token too", f"{cpu_ms:.0f} ms"),
    ]


def tuning(folder: Path, rounds: int, quick: bool) -> list[Row]:
    """Eight short fine-tunings of poem_gpt2, beside a process each; their weights are compared."""
    rates = [f"{rate}e-5" for rate in range(1, 3 if quick else 9)]
    common = ["checkpoint=poem_gpt2", "data=poems_small", "train=full", "train.max_steps=8", "train.batch_size=16",
              "train.evaluate_every=8", "train.save_every=8", "data.limit=128",
              "data.validation_split=test"]  # fmt: skip
    seconds: dict[str, list[float]] = {"sweep": [], "runs": []}
    for number in range(rounds):
        took = sweep([*common, f"train.learning_rate={','.join(rates)}"], folder / f"tuned-{number}")
        seconds["sweep"].append(took.cpu_s)
        each = [runner([*common, f"train.learning_rate={rate}"], folder / f"alone-{number}") for rate in rates]
        seconds["runs"].append(sum(one.cpu_s for one in each))
        print(f"  round {number + 1}: {seconds}", flush=True)
    here, alone = weights(folder / "tuned-0"), weights(folder / "alone-0")
    same, ours, theirs = here == alone and len(here) == len(rates), *map(statistics.median, seconds.values())
    figure = f"{ours / theirs:.2f} ({ours:.1f} s of {theirs:.1f} s)"
    return [
        Row(f"{len(rates)} fine-tunings of 8 steps: of a process each", figure, "<= 2/3", ours <= theirs * 2 / 3),
        Row(f"{len(rates)} fine-tunings: weights as those of separate runs, bit for bit", _yes(same), "yes", same),
    ]


def weights(outputs: Path) -> dict[str, str]:
    """sha256 of what each run has trained, by its fingerprint."""
    return {path.parent.parent.name[-8:]: sha256(path) for path in outputs.glob("*/*/checkpoint/*.safetensors")}


def _listed(values: Sequence[float]) -> str:
    return ",".join(map(str, values))


def _yes(holds: bool) -> str:
    return "yes" if holds else "no"


def run(rounds: int, quick: bool) -> None:
    """All of them, one worker, one thread."""
    with tempfile.TemporaryDirectory() as at:
        folder = Path(at)
        rows, note = decoding(folder, rounds, quick)
        rows += [*trivial(folder, quick), *tuning(folder, rounds, quick)]
    notes = [
        "CPU seconds of all processes of a command, with their start and imports. " + note,
        "poem_gpt2 (6.5 M), float32; the plain script generates in batches of 8, its best.",
    ]
    write("Sweeps", rows, rounds, 1, notes)
