"""A random stream a row: the right distribution, and the same texts however the work is done."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pytest
import torch

from runner.decode import DecodeConfig
from runner.engine.decoding import Request
from runner.engine.processing import Nucleus, apply_each
from runner.engine.sampling import perturbed, stream_seed
from tests.engine.tiny import V, decoded, prompts, tiny

DRAWS = 2000
SAMPLE = {"do_sample": True, "top_k": 0, "temperature": 3.0, "max_new_tokens": 1}  # flat enough to count
# 99.9 % quantiles of the chi-square distribution by degrees of freedom (Abramowitz & Stegun, table 26.8)
CHI_SQUARE = {1: 10.83, 2: 13.82, 3: 16.27, 4: 18.47, 5: 20.52, 6: 22.46, 7: 24.32, 8: 26.12}


def chi_square(drawn: Counter[int], probabilities: torch.Tensor) -> tuple[float, int]:
    """The statistic and its degrees of freedom; tokens expected fewer than five times count together."""
    expected = {token: p * DRAWS for token, p in enumerate(probabilities.tolist())}
    common = sorted((token for token in expected if expected[token] >= 5), key=expected.__getitem__)[-8:]
    cells = [(drawn[token], expected[token]) for token in common]
    rest = DRAWS - sum(count for _, count in cells)
    if rest >= 5:
        cells.append((DRAWS - sum(seen for seen, _ in cells), rest))
    else:
        assert sum(seen for seen, _ in cells) >= DRAWS - 20
    return sum((seen - count) ** 2 / count for seen, count in cells), len(cells) - 1


@pytest.mark.parametrize("loop", ["generate", "step"])
@pytest.mark.parametrize("options", [{}, {"temperature": 2.0}, {"top_k": 5}, {"top_p": 0.7}, {"min_p": 0.1}])
def test_tokens_are_drawn_with_their_probabilities(loop, options):
    """Against the library's own warpers on a plain forward pass."""
    from transformers import GenerationConfig

    model, ids = tiny("gpt2"), [5, 9, 3]
    decode = DecodeConfig(loop=loop, **(SAMPLE | options))
    found = decoded(model, [Request(row, ids) for row in range(DRAWS)], decode, slots=64, window=4000)
    with torch.inference_mode():
        logits = model.network(torch.tensor([ids])).logits[:, -1]
    settings = GenerationConfig(**({"top_p": 1.0} | SAMPLE | options))
    model.network._prepare_special_tokens(settings, device="cpu")
    warpers = model.network._get_logits_processor(settings, len(ids), torch.tensor([ids]), device="cpu")
    probabilities = warpers(torch.tensor([ids]), logits).softmax(-1)[0]
    statistic, degrees = chi_square(Counter(one.ids[0][0] for one in found.values()), probabilities)
    assert statistic < CHI_SQUARE[degrees]


@pytest.mark.parametrize("left", [1, 40, 150, 500])
def test_the_noise_of_a_token_is_the_same_however_many_are_left(left):
    """It is made for few tokens alone, or for all."""
    scores = torch.randn(3, 500, generator=torch.Generator().manual_seed(0))
    few = scores.masked_fill(scores < scores.topk(left, dim=1).values[:, -1:], -torch.inf)
    noisy, fewer = (perturbed(one, [torch.Generator().manual_seed(row) for row in range(3)]) for one in (scores, few))
    assert torch.equal(fewer, noisy.masked_fill(few == -torch.inf, -torch.inf)) and len(noisy.unique()) == 1500


def test_sampled_texts_do_not_depend_on_slots_order_or_what_was_done_before():
    model, requests = tiny("llama"), prompts(10)
    decode = DecodeConfig(do_sample=True, max_new_tokens=12)
    expected = decoded(model, requests, decode, seed=3, slots=1)
    assert decoded(model, requests, decode, seed=3, slots=8) == expected
    assert decoded(model, requests[::-1], decode, seed=3, slots=3, window=2) == expected
    assert decoded(model, requests[6:], decode, seed=3) == {row: expected[row] for row in range(6, 10)}
    assert decoded(model, requests, decode, seed=4, slots=1) != expected


def test_the_open_loop_draws_what_the_slots_draw():
    model, requests = tiny("gpt2"), prompts(6)
    settings = {"do_sample": True, "max_new_tokens": 10, "temperature": 0.8, "top_p": 0.9}
    slots = decoded(model, requests, DecodeConfig(**settings), seed=5)
    opened = decoded(model, requests, DecodeConfig(loop="step", **settings), seed=5)
    assert {row: one.ids for row, one in opened.items()} == {row: one.ids for row, one in slots.items()}


def test_several_sequences_of_a_row_have_streams_of_their_own():
    model, requests = tiny("gpt2"), prompts(3)
    decode = DecodeConfig(do_sample=True, max_new_tokens=8, num_return_sequences=4)
    found = decoded(model, requests, decode, slots=2)
    assert all(len(one.ids) == 4 and len({tuple(ids) for ids in one.ids}) > 1 for one in found.values())
    alone = decoded(model, requests, DecodeConfig(do_sample=True, max_new_tokens=8), slots=2)
    assert {row: one.ids[0] for row, one in found.items()} == {row: one.ids[0] for row, one in alone.items()}


def test_neighbouring_seeds_and_rows_have_unlike_streams():
    seeds = {stream_seed(seed, row, sequence) for seed in range(10) for row in range(10) for sequence in range(10)}
    assert len(seeds) == 1000


def test_a_trace_holds_the_candidates_of_each_step_with_their_probabilities():
    model, (request,) = tiny("gpt2"), prompts(1)
    one = decoded(model, [request], DecodeConfig(loop="step", trace=3, max_new_tokens=4))[0]
    assert [step["chosen"] for step in one.trace] == one.ids[0]
    with torch.inference_mode():
        expected = model.network(torch.tensor([request.ids])).logits[0, -1].softmax(-1).topk(3)
    ids, probabilities = zip(*one.trace[0]["candidates"], strict=True)
    assert list(ids) == expected.indices.tolist()
    assert list(probabilities) == pytest.approx(expected.values.tolist(), abs=1e-6)


@dataclass(frozen=True)
class Countdown:
    """Token 50, then 49 and so on: a rule that nothing but itself would choose."""

    start: int = 50

    def __call__(self, tokens, logits, generator):
        assert logits.shape == (V,)
        return int(tokens[-1]) - 1 if int(tokens[-1]) > 40 else self.start


def test_a_rule_of_the_users_own_chooses_the_next_token(monkeypatch):
    monkeypatch.setenv("RUNNER_TRUST", "tests")
    rule = {"_target_": "tests.engine.test_sampling.Countdown", "start": 45}
    found = decoded(tiny("gpt2"), [Request(0, [5])], DecodeConfig(loop="step", rule=rule, max_new_tokens=4))
    assert found[0].ids == [[45, 44, 43, 42]]


@pytest.mark.parametrize("fewest", [1, 4])
@pytest.mark.parametrize("top_p", [0.01, 0.3, 0.7, 0.9, 0.95, 0.99])
def test_the_nucleus_is_that_of_the_library(top_p, fewest):
    from transformers.generation.logits_process import TopPLogitsWarper

    generator = torch.Generator().manual_seed(3)
    for size, spread in ((7, 1.0), (50, 0.1), (3000, 3.0), (3000, 8.0)):
        scores = torch.randn(16, size, generator=generator) * spread
        scores[::3, : size // 2] = -torch.inf
        expected = TopPLogitsWarper(top_p, min_tokens_to_keep=fewest)(None, scores)
        found = Nucleus(top_p, fewest)(None, scores)
        # the library adds thousands of numbers up in float32: its last token may be one further
        assert ((found == expected).all(dim=1) | ((found != expected).sum(dim=1) <= 1)).all()
        assert (found == expected).all(dim=1).float().mean() > 0.9


def test_ends_are_forbidden_to_short_rows_as_the_library_forbids_them():
    from transformers.generation.logits_process import MinLengthLogitsProcessor, MinNewTokensLengthLogitsProcessor

    scores, ends = torch.randn(3, 9, generator=torch.Generator().manual_seed(1)), torch.tensor([2, 5])
    seen = [torch.zeros(1, length, dtype=torch.long) for length in (3, 5, 8)]
    each = [
        [MinLengthLogitsProcessor(5, ends), MinNewTokensLengthLogitsProcessor(prompt, 3, ends)] for prompt in (1, 2, 6)
    ]
    found = apply_each(each, seen, scores)
    alone = [
        second(tokens, first(tokens, row[None]))
        for (first, second), tokens, row in zip(each, seen, scores, strict=True)
    ]
    assert torch.equal(found, torch.cat(alone))
    assert (found == -torch.inf).sum(dim=1).tolist() == [2, 0, 2]
