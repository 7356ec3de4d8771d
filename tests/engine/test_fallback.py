"""What slots cannot hold goes to generate, and says so; memory that runs out is backed off from."""

from __future__ import annotations

import pytest
import torch

from runner.decode import DecodeConfig
from runner.engine.decoding import Request
from runner.engine.schedule import schedule
from runner.errors import DataError, RunFailed
from tests.engine.tiny import CONTEXT, alone, decoded, prompts, tiny


@pytest.mark.parametrize(
    ("kind", "options", "reason"),
    [
        ("gpt2", {"num_beams": 3}, "beam search keeps several hypotheses a row"),
        ("llama", {"num_beams": 2, "length_penalty": 0.5, "num_return_sequences": 2}, "beam search"),
        ("gpt2", {"prompt_lookup_num_tokens": 3}, "drafted tokens are checked several at a time"),
        ("gpt2", {"use_cache": False}, "decode.use_cache is false"),
        ("gemma2", {}, "its layers keep a window or a state"),
        ("mamba", {}, "its layers keep a window or a state"),
        ("bart", {}, "the network has an encoder"),
        ("bart", {"num_beams": 2}, "the network has an encoder"),
    ],
)  # fmt: skip
def test_generate_decodes_what_slots_cannot_and_says_why(kind, options, reason):
    model, requests, said = tiny(kind), prompts(6, longest=20), []
    found = decoded(model, requests, DecodeConfig(max_new_tokens=8, **options), said=said, slots=4)
    assert len(said) == 1 and said[0].startswith("decoded by generate in sorted batches") and reason in said[0]
    end = model.network.generation_config.eos_token_id
    for request in requests:
        ids = alone(model, request, max_new_tokens=8, **options)
        first = found[request.row].ids[0]
        assert first == ids[: len(first)] and (len(first) == len(ids) or first[-1] == end)


@pytest.mark.parametrize("options", [{"num_beams": 2}, {}])
@pytest.mark.parametrize("kind", ["gemma2", "bart"])
def test_sampling_by_generate_does_not_depend_on_the_batch_either(kind, options):
    model, requests = tiny(kind), prompts(6, longest=20)
    decode = DecodeConfig(do_sample=True, max_new_tokens=6, **options)
    assert decoded(model, requests, decode, slots=1) == decoded(model, requests, decode, slots=4)


class Small(torch.nn.Module):
    """A network that runs out of memory above so many rows, as the CPU's allocator says it."""

    def __init__(self, network, rows):
        super().__init__()
        self.real, self.rows, self.forward_of = network, rows, network.forward

    def limit(self, monkeypatch):
        def forward(*arguments, **inputs):
            ids = inputs.get("input_ids", arguments[0] if arguments else None)
            if ids.shape[0] > self.rows:
                raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")
            return self.forward_of(*arguments, **inputs)

        monkeypatch.setattr(self.real, "forward", forward)


@pytest.mark.parametrize("options", [{}, {"do_sample": True}])
def test_memory_that_runs_out_halves_the_rows_and_changes_no_text(monkeypatch, options):
    model, requests, said = tiny("llama"), prompts(12), []
    decode = DecodeConfig(max_new_tokens=10, **options)
    expected = decoded(model, requests, decode, slots=8)
    Small(model.network, 3).limit(monkeypatch)
    assert decoded(model, requests, decode, slots=8, said=said) == expected
    assert any(line.startswith("memory ran out with") for line in said)


def test_a_single_row_that_does_not_fit_fails_with_a_remedy(monkeypatch):
    model = tiny("gpt2")
    Small(model.network, 0).limit(monkeypatch)
    with pytest.raises((RunFailed, RuntimeError), match=r"memory"):
        decoded(model, prompts(2), DecodeConfig(max_new_tokens=4), slots=2)


def test_a_small_memory_budget_means_fewer_slots_and_the_same_texts():
    model, requests, decode = tiny("llama"), prompts(10), DecodeConfig(max_new_tokens=10)
    assert decoded(model, requests, decode, slots=8, memory_mb=1) == decoded(model, requests, decode, slots=8)


def test_a_prompt_as_long_as_the_context_is_refused_with_its_row():
    with pytest.raises(DataError, match=rf"row 3: a prompt of {CONTEXT} tokens must be shorter than {CONTEXT} tokens"):
        decoded(tiny("llama"), [Request(3, [5] * CONTEXT)], DecodeConfig(max_new_tokens=4))


def test_batches_are_longest_first_within_their_budget_and_window():
    batches = list(schedule([3, 9, 1, 4, 4, 8], lambda n: n, budget_tokens=9, window=4))
    assert batches == [[9], [4, 3], [1], [8], [4]]


def test_drafts_of_another_checkpoint_leave_the_text_as_it_is():
    model, requests, said = tiny("gpt2"), prompts(6, longest=20), []
    plain = decoded(model, requests, DecodeConfig(max_new_tokens=12))
    model.assistant = tiny("gpt2", seed=3)
    model.assistant.processor = model.processor = Words()
    assisted = decoded(model, requests, DecodeConfig(max_new_tokens=12, num_assistant_tokens=4), said=said)
    assert {row: one.ids for row, one in assisted.items()} == {row: one.ids for row, one in plain.items()}
    assert said == ["decoded by generate in sorted batches: drafted tokens are checked several at a time"]


class Words:
    """As much of a tokenizer as tells that two of them are the same."""

    def get_vocab(self):
        return {"a": 0}
