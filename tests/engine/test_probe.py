"""What is settled by a short trial."""

from __future__ import annotations

import pytest
import torch

from runner.config import EngineConfig
from runner.decode import DecodeConfig
from runner.engine import probe
from runner.engine.cache import slots_dtype
from runner.engine.decoding import Order, Request, _job
from runner.engine.device import choose_threads, threads_as_before
from tests.engine.tiny import decoded, prompts, tiny


def job(**engine):
    return _job(tiny("gpt2"), Order(DecodeConfig(max_new_tokens=8), EngineConfig(**engine), seed=0))


@pytest.mark.parametrize(
    ("seconds", "slots"),  # of a step with 4, 8, 16 ... slots
    [([1.0, 1.1, 1.3, 2.6], 16), ([1.0, 1.95], 4), ([1.0, 1.2, 1.4, 1.6, 1.8], 64), ([1.0, 1.7, 3.3], 8)],
)
def test_slots_are_doubled_as_long_as_that_pays(monkeypatch, seconds, slots):
    asked = []

    def step(network, prompt, count, columns):
        asked.append(count)
        return seconds[asked.index(count)]

    monkeypatch.setattr(probe, "_step_s", step)
    assert probe.choose_slots(job(), prompts(64)) == slots
    assert asked == [4 * 2**power for power in range(len(asked))]


def test_slots_are_as_asked_and_no_more_than_rows_or_memory_ask_for():
    assert probe.choose_slots(job(slots=3), prompts(64)) == 3
    assert probe.choose_slots(job(), prompts(4)) == probe.FEWEST
    # 2 layers x keys and values x 32 numbers x 4 bytes x 48 columns at most: 24 KiB a row
    assert 4 <= probe.choose_slots(job(memory_mb=1), prompts(64)) <= 64


def test_a_real_trial_leaves_the_texts_as_they_are():
    model, requests = tiny("llama"), prompts(24)
    probed = decoded(model, requests, DecodeConfig(max_new_tokens=8))
    assert probed == decoded(model, requests, DecodeConfig(max_new_tokens=8), slots=1)


@pytest.mark.parametrize("kind", ["gpt2", "llama", "gpt_neox"])
def test_half_precision_keeps_its_slots_in_float32_on_a_processor(kind):
    model, requests, said = tiny(kind), prompts(10), []
    model.network.to(torch.bfloat16)
    attention = model.network.config._attn_implementation
    assert slots_dtype(model.network) == torch.float32
    found = decoded(model, requests, DecodeConfig(max_new_tokens=1), slots=4, said=said)
    assert not said and model.network.config._attn_implementation == attention
    with torch.inference_mode():  # the first tokens are those of plain forward passes
        for request in requests:
            scores = model.network(torch.tensor([request.ids])).logits[0, -1].float()
            assert scores[found[request.row].ids[0][0]] >= scores.max() - 0.05 * (scores.max() - scores.min())


def test_threads_are_those_asked_for_else_of_the_environment_else_one_for_small_work(monkeypatch):
    with threads_as_before():
        before = torch.get_num_threads()
        monkeypatch.setenv("OMP_NUM_THREADS", "2")
        assert (choose_threads(3), choose_threads(None), choose_threads(None, small=True)) == (3, 2, 2)
        monkeypatch.delenv("OMP_NUM_THREADS")
        assert choose_threads(None, small=True) == 1
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_rows_that_share_slots_equal_rows_alone_after_many_refills():
    model = tiny("gpt2")
    requests = [Request(row, [3 + row % 40] * (1 + row % 7)) for row in range(40)]
    together = decoded(model, requests, DecodeConfig(max_new_tokens=20, eos_token_id=[1, 7, 9]))
    assert together == decoded(model, requests, DecodeConfig(max_new_tokens=20, eos_token_id=[1, 7, 9]), slots=1)
