"""Greedy decoding equals the library's generate, one prompt at a time, token for token."""

from __future__ import annotations

import pytest

from runner.decode import DecodeConfig
from runner.engine.decoding import Request
from tests.engine.tiny import CONTEXT, END, V, alone, decoded, prompts, tiny

OPTIONS = [
    {"max_new_tokens": 20},
    {"max_length": 45},
    {"max_new_tokens": 20, "repetition_penalty": 1.5},
    {"max_new_tokens": 20, "no_repeat_ngram_size": 2},
    {"max_new_tokens": 20, "min_new_tokens": 9},
    {"max_new_tokens": 20, "min_length": 30},
    {"max_new_tokens": 20, "bad_words_ids": [[5], [7], [11, 12], [30, 31]]},
    {"max_new_tokens": 20, "suppress_tokens": [4, 8, 15, 16, 23, 42], "begin_suppress_tokens": [6, 7]},
    {"max_new_tokens": 20, "forced_eos_token_id": END},
    {"max_new_tokens": 20, "eos_token_id": [1, 9, 10, 20, 30]},
    {"max_new_tokens": 20, "exponential_decay_length_penalty": [3, 1.3]},
    {"max_new_tokens": 20, "sequence_bias": [[[5], -3.0], [[6, 7], 4.0]], "renormalize_logits": True},
    {"max_new_tokens": 20, "encoder_repetition_penalty": 1.3, "remove_invalid_values": True},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join(k for k in o if k != "max_new_tokens") or "plain")
@pytest.mark.parametrize("kind", ["gpt2", "llama", "gpt_neox"])
def test_slots_equal_generate_token_for_token(kind, options):
    model, requests, said = tiny(kind), prompts(), []
    found = decoded(model, requests, DecodeConfig(**options), slots=3, said=said)
    assert {row: one.ids for row, one in found.items()} == {r.row: [alone(model, r, **options)] for r in requests}
    assert not said


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("kind", ["gpt2", "llama", "gpt_neox", "opt"])
def test_slots_equal_generate_for_other_weights_and_prompts(kind, seed):
    model, requests = tiny(kind, seed), prompts(seed=seed)
    found = decoded(model, requests, DecodeConfig(max_new_tokens=24), slots=4, window=5)
    assert {row: one.ids[0] for row, one in found.items()} == {
        r.row: alone(model, r, max_new_tokens=24) for r in requests
    }


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join(k for k in o if k != "max_new_tokens") or "plain")
@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_the_open_loop_equals_generate_token_for_token(kind, options):
    model, requests = tiny(kind), prompts(5)
    found = decoded(model, requests, DecodeConfig(loop="step", **options))
    assert {row: one.ids for row, one in found.items()} == {r.row: [alone(model, r, **options)] for r in requests}


@pytest.mark.parametrize("kind", ["gemma2", "mamba"])
def test_the_open_loop_takes_any_cache(kind):
    model, requests = tiny(kind), prompts(4)
    found = decoded(model, requests, DecodeConfig(loop="step", max_new_tokens=12))
    assert {row: one.ids[0] for row, one in found.items()} == {
        r.row: alone(model, r, max_new_tokens=12) for r in requests
    }


@pytest.mark.parametrize("engine", [{"slots": 1}, {"slots": 2}, {"slots": 7}, {"slots": 64}, {"batch_tokens": 1}, {}])
def test_the_number_of_slots_changes_no_text(engine):
    model, requests, decode = tiny("llama"), prompts(), DecodeConfig(max_new_tokens=15)
    expected = decoded(model, requests, decode, slots=3)
    assert decoded(model, requests, decode, **engine) == expected


def test_attention_by_eager_takes_the_same_mask():
    model, requests = tiny("llama"), prompts(6)
    model.network.set_attn_implementation("eager")
    found, said = decoded(model, requests, DecodeConfig(max_new_tokens=9), said=(said := [])), said
    assert not said
    assert {r: one.ids[0] for r, one in found.items()} == {r.row: alone(model, r, max_new_tokens=9) for r in requests}


def test_a_row_stops_at_its_own_limit():
    model = tiny("gpt2")
    requests = [Request(r.row, r.ids, max_new_tokens=1 + 3 * r.row) for r in prompts(6, longest=20)]
    found = decoded(model, requests, DecodeConfig(max_new_tokens=12), slots=2)
    for r in requests:
        assert found[r.row].ids[0] == alone(model, r, max_new_tokens=min(12, 1 + 3 * r.row))


@pytest.mark.parametrize("loop", ["generate", "step"])
def test_generation_stops_at_the_context_limit(loop):
    model, request = tiny("llama"), Request(0, [5] * (CONTEXT - 4))
    model.network.generation_config.eos_token_id = None
    found = decoded(model, [request], DecodeConfig(loop=loop, max_new_tokens=20))
    assert len(found[0].ids[0]) == 4


def test_the_checkpoints_settings_are_the_defaults():
    model, requests = tiny("gpt2"), prompts(4)
    model.network.generation_config.repetition_penalty = 1.4
    model.network.generation_config.max_new_tokens = 7
    found = decoded(model, requests, DecodeConfig())
    assert {row: one.ids[0] for row, one in found.items()} == {r.row: alone(model, r) for r in requests}


def test_a_given_length_replaces_the_checkpoints_other_kind_of_length():
    model = tiny("gpt2")
    model.network.generation_config.max_new_tokens = 3
    model.network.generation_config.eos_token_id = None
    assert len(decoded(model, [Request(0, [5, 6])], DecodeConfig(max_length=10))[0].ids[0]) == 8


def test_without_any_length_64_tokens_are_made_or_what_the_context_leaves():
    model = tiny("gpt2")
    model.network.generation_config.eos_token_id = None
    assert len(decoded(model, [Request(0, [5, 6])], DecodeConfig())[0].ids[0]) == CONTEXT - 2


def test_a_refilled_slot_is_not_reached_by_nan_of_the_row_before():
    model, requests = tiny("gpt2"), prompts(4, longest=10)
    expected = decoded(model, requests, DecodeConfig(max_new_tokens=6, remove_invalid_values=True), slots=1)
    poisoned = Request(9, [V - 1] * 30)
    model.network.transformer.wpe.weight.data[25:] = float("nan")
    decode = DecodeConfig(max_new_tokens=6, remove_invalid_values=True)
    found = decoded(model, [poisoned, *requests], decode, slots=1, batch_tokens=30)
    assert {row: found[row] for row in expected} == expected


def test_an_end_token_is_kept_and_nothing_follows_it():
    model, requests = tiny("gpt2"), prompts(12)
    found = decoded(model, requests, DecodeConfig(max_new_tokens=24), slots=4)
    ended = [one.ids[0] for one in found.values() if END in one.ids[0]]
    assert ended and all(ids.index(END) == len(ids) - 1 for ids in ended)
