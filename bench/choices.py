"""Multiple choice by likelihood beside lm-evaluation-harness' way of it."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from bench.measure import Row, in_turn, write
from bench.minilm import DATA, answers, encoder
from bench.models import model

AGREE = 1e-4  # nats
Request = tuple[list[int], int]  # tokens of question and choice, and how many of them are the choice's


def requests(tokenizer: Any, rows: list[dict[str, Any]]) -> list[Request]:
    """A question with each of its choices, tokenised as the harness does; tokens that end a text are left out."""
    ends = {tokenizer.sep_token_id, tokenizer.eos_token_id}

    def tokens(text: str) -> list[int]:
        ids = tokenizer(text)["input_ids"]
        return ids[:-1] if ids[-1] in ends else ids

    made = []
    for row in rows:
        for choice in row["choices"]:
            whole, question = tokens(f"{row['question']} {choice}"), tokens(row["question"])
            made.append((whole, len(whole) - len(question)))
    return made


def padded(made: Any, rows: list[dict[str, Any]], batch: int = 16) -> list[list[float]]:
    """`HFLM._loglikelihood_tokens`: longest first, right padded, log-softmax of all logits, those of the choice taken.

    Its check whether the choice is the greedy continuation is done, too.
    """
    import torch
    from torch.nn import functional

    asked = requests(made.processor, rows)
    order = sorted(range(len(asked)), key=lambda i: (-len(asked[i][0]), asked[i][0]))
    found = [0.0] * len(asked)
    with torch.no_grad():
        for start in range(0, len(order), batch):
            part = order[start : start + batch]
            longest = max(len(asked[i][0]) for i in part) - 1
            ids = torch.tensor([asked[i][0][:-1] + [0] * (longest - len(asked[i][0]) + 1) for i in part])
            table = functional.log_softmax(made.network(ids).logits, dim=-1)
            for i, line in zip(part, table, strict=True):
                tokens, own = asked[i]
                line = line[len(tokens) - 1 - own : len(tokens) - 1]
                wanted = torch.tensor(tokens[-own:])
                bool((line.argmax(-1) == wanted).all())
                found[i] = float(line.gather(1, wanted[:, None]).sum())
    remaining = iter(found)
    return [[next(remaining) for _ in row["choices"]] for row in rows]


def ours(made: Any) -> Any:
    """A Predictor of the task choice_by_likelihood."""
    from runner.compose import compose
    from runner.config import freeze
    from runner.predict import Predictor
    from runner.task import Task

    config = freeze(compose(["task=choice_by_likelihood"]))
    return Predictor(made, Task.build(config.task).predict, config)


def beside(name: str, made: Any, rows: list[dict[str, Any]], rounds: int) -> tuple[Row, str]:
    """The ratio, and how far the log-likelihoods are apart."""
    found: dict[str, Any] = {}
    ways = {
        "runner": lambda: found.__setitem__("runner", answers(ours(made), rows)),
        "harness": lambda: found.__setitem__("harness", padded(made, rows)),
    }
    for way in ways.values() if len(rows) > 4 else ():
        way()  # the trial of the network, and what torch prepares at first
    seconds = in_turn(ways, rounds)
    pairs = zip(found["runner"], found["harness"], strict=True)
    apart = max(abs(a - b) for one, two in pairs for a, b in zip(one["log_likelihoods"], two, strict=True))
    assert apart < AGREE, apart
    ratio = seconds["harness"] / seconds["runner"]
    asked = requests(made.processor, rows)
    whole, own = sum(len(ids) for ids, _ in asked), sum(count for _, count in asked)
    tree = own + sum(len(asked[at][0]) - asked[at][1] for at in _firsts(rows))
    row = Row(f"{name}: over padded batches of 16, float32", f"{ratio:.2f} times", ">= 2.0", ratio >= 2.0)
    return row, (
        f"{name}: {whole:,} tokens of questions with choices, {tree:,} with each question once; {own:,} are scored. "
        f"Log-likelihoods agree within {apart:.0e} nats. CPU seconds: "
        + ", ".join(f"{way} {value:.2f}" for way, value in seconds.items())
        + "."
    )


def _firsts(rows: list[dict[str, Any]]) -> Iterator[int]:
    at = 0
    for row in rows:
        yield at
        at += len(row["choices"])


def run(rounds: int, quick: bool) -> None:
    """Poems with the embedded model, and CODAH with 124 M random weights."""
    import torch
    from transformers import AutoTokenizer

    from runner.backends.checkpoint import find
    from runner.backends.torch import load
    from runner.config import CheckpointConfig, EngineConfig

    torch.set_num_threads(1)
    checkpoint = CheckpointConfig(name_or_path="poem_gpt2")
    source = find(checkpoint, "AutoModelForCausalLM")
    small = load(source, checkpoint, "AutoModelForCausalLM", "AutoTokenizer", EngineConfig(), 0)
    with (DATA / "poems_choice/test.jsonl").open(encoding="utf-8") as file:
        poems = [json.loads(line) for line in file][: 4 if quick else 100]
    large = SimpleNamespace(**vars(model("124M")) | {"processor": AutoTokenizer.from_pretrained(encoder())})
    with (DATA / "codah/test.csv").open(encoding="utf-8", newline="") as file:
        codah = [
            {"question": row["sent1"], "choices": [row[f"ending{at}"] for at in range(4)]}
            for row in csv.DictReader(file)
        ][: 4 if quick else 40]
    table, notes = [], []
    for name, made, rows in (
        (f"poem_gpt2 (6.5 M), {len(poems)} poems of 4 choices", small, poems),
        (f"random weights (124 M), {len(codah)} questions of CODAH", large, codah),
    ):
        row, note = beside(name, made, [{"row": at} | row for at, row in enumerate(rows)], rounds)
        table.append(row)
        notes.append(note)
    way = "The harness' way is written out in bench/choices.py; tokenisation is in the time of both sides."
    write("Multiple choice by likelihood", table, rounds, 1, [way, *notes])
