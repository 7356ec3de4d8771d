"""Text generation beside pipeline, generate and continuous batching; outputs of imposed lengths."""

from __future__ import annotations

from typing import Any

from bench.measure import Row, in_turn, write
from bench.models import model, prompts
from runner.config import EngineConfig
from runner.decode import DecodeConfig

Work = list[tuple[list[int], int]]
NOTES = (
    "Random weights; the lengths of the outputs are imposed. Static batches run to the longest output of their rows.",
    "Greedy texts in float32 were compared token for token with generate on one prompt at a time.",
    "The runner chooses its slots by its own probe, inside the time that is measured.",
)


def slots(made: Any, work: Work, count: int | None = None) -> dict[int, list[int]]:
    """The runner's engine."""
    from runner.engine.decoding import Order, Request, decode_all

    longest = max(new for _, new in work)
    requests = [Request(row, ids, max_new_tokens=new) for row, (ids, new) in enumerate(work)]
    decode, engine = DecodeConfig(do_sample=False, max_new_tokens=longest), EngineConfig(slots=count)
    found = decode_all(made, requests, Order(decode, engine, seed=0))
    return {one.row: one.ids[0] for one in found}


def generate(made: Any, work: Work, batch: int, order: bool = True) -> dict[int, list[int]]:
    """Static batches, left padded; each runs to the longest output among its rows and is cut then."""
    import torch

    rows = sorted(range(len(work)), key=lambda i: -len(work[i][0])) if order else list(range(len(work)))
    texts: dict[int, list[int]] = {}
    for start in range(0, len(rows), batch):
        part = rows[start : start + batch]
        longest = max(len(work[i][0]) for i in part)
        ids = torch.tensor([[0] * (longest - len(work[i][0])) + work[i][0] for i in part])
        mask = torch.tensor([[0] * (longest - len(work[i][0])) + [1] * len(work[i][0]) for i in part])
        new = max(work[i][1] for i in part)
        made_ids = made.network.generate(ids, attention_mask=mask, max_new_tokens=new, do_sample=False, pad_token_id=0)
        for i, line in zip(part, made_ids[:, longest:].tolist(), strict=True):
            texts[i] = line[: work[i][1]]
    return texts


def continuous(made: Any, work: Work) -> dict[int, list[int]]:
    """The library's continuous batching with a capped cache; one output length, it knows no other."""
    from transformers import GenerationConfig
    from transformers.generation.configuration_utils import ContinuousBatchingConfig

    longest = max(new for _, new in work)
    settings = GenerationConfig(max_new_tokens=longest, do_sample=False, eos_token_id=-1, pad_token_id=0)
    capped = ContinuousBatchingConfig(num_blocks=512, max_batch_tokens=256)
    found = made.network.generate_batch(
        [ids for ids, _ in work], generation_config=settings, continuous_batching_config=capped, progress_bar=False
    )
    return {row: one.generated_tokens for row, one in enumerate(found.values())}


def without_cache(made: Any, work: Work) -> dict[int, list[int]]:
    """The tutorial's loop: the whole prefix at every step."""
    import torch

    texts = {}
    with torch.inference_mode():
        for row, (ids, new) in enumerate(work):
            tokens = torch.tensor([ids])
            for _ in range(new):
                best = made.network(tokens, use_cache=False).logits[:, -1].argmax(-1, keepdim=True)
                tokens = torch.cat([tokens, best], 1)
            texts[row] = tokens[0, len(ids) :].tolist()
    return texts


def best_batch(made: Any, work: Work, order: bool, sizes: tuple[int, ...]) -> int:
    """The batch size with the least CPU time, one round each."""
    ways = {str(size): (lambda size=size: generate(made, work, size, order)) for size in sizes}
    seconds = in_turn(ways, 1)
    return int(min(seconds, key=seconds.__getitem__))


def varied(size: str, work: Work, rounds: int, sizes: tuple[int, ...], goals: dict[str, float]) -> list[Row]:
    """Prompts and outputs of many lengths, in each precision that has a goal beside float32 peers.

    Peers have the batch size that was best on a tenth of the prompts, four at least.
    """
    made = model(size)
    sample = work[:: min(10, max(1, len(work) // 4))]
    unsorted, ordered = best_batch(made, sample, False, sizes), best_batch(made, sample, True, sizes)
    runners = {dtype: made if dtype == "float32" else model(size, dtype) for dtype in goals}
    ways = {dtype: (lambda one=one: slots(one, work)) for dtype, one in runners.items()}
    ways |= {
        "pipeline": lambda: generate(made, work, unsorted, False),
        "sorted": lambda: generate(made, work, ordered, True),
    }
    if "bfloat16" in goals:
        ways["sorted bfloat16"] = lambda: generate(runners["bfloat16"], work, ordered, True)
    seconds = in_turn(ways, rounds)
    assert slots(made, sample) == generate(made, sample, 1)  # token for token
    tokens = sum(new for _, new in work)
    rows = []
    for dtype, goal in goals.items():
        ours, what = seconds[dtype], f"{size}, {dtype}"
        rows.append(
            Row(f"{what}, {len(work)} prompts, {tokens:,} new tokens: the runner", f"{tokens / ours:.0f} tokens/s")
        )
        for name, said in (("pipeline", f"batches of {unsorted} in their order, as pipeline makes them, float32"),
                           ("sorted", f"generate in sorted batches of {ordered}, float32")):  # fmt: skip
            ratio = seconds[name] / ours
            rows.append(Row(f"{what}: over {said}", f"{ratio:.2f} times", f">= {goal}", ratio >= goal))
        if dtype != "float32":
            ratio = seconds[f"sorted {dtype}"] / ours
            rows.append(Row(f"{what}: over generate in sorted batches of {ordered}, {dtype}", f"{ratio:.2f} times"))
    return rows


def beside_continuous(rounds: int) -> list[Row]:
    """Continuous batching, on a uniform workload and on a varied one where its one output length is charged to it."""
    made = model("6M")
    uniform = [(ids, 32) for ids, _ in prompts(32, 6819, longest=120)]
    mixed = prompts(60, 6819)
    rows = []
    for name, work, goal in (("uniform, 32 prompts x 32 tokens", uniform, 1.0), ("varied, 60 prompts", mixed, 2.0)):
        seconds = in_turn(
            {"runner": lambda w=work: slots(made, w), "continuous": lambda w=work: continuous(made, w)}, rounds
        )
        ratio = seconds["continuous"] / seconds["runner"]
        rows.append(Row(f"6M: over continuous batching, {name}", f"{ratio:.2f} times", f">= {goal}", ratio >= goal))
    return rows


def run(rounds: int, quick: bool) -> None:
    """All of them, one thread."""
    import torch

    torch.set_num_threads(1)
    rows = varied("6M", prompts(20 if quick else 200, 6819), rounds, (1, 4, 8, 16, 32), {"float32": 2.0})
    made, few = model("6M"), prompts(12, 6819, longest=120, most=60)
    seconds = in_turn({"without": lambda: without_cache(made, few), "generate": lambda: generate(made, few, 1)}, rounds)
    ratio = seconds["generate"] / seconds["without"]
    rows.append(Row("the tutorial's loop without a cache, beside generate", f"{ratio:.2f} times"))
    write("Generation", rows, rounds, 1, NOTES)
    write("Continuous batching", beside_continuous(rounds), rounds, 1, NOTES[:1])
