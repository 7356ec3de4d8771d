"""Where a text ends, and that its end is told."""

from __future__ import annotations

import pytest
import torch
from transformers import BertTokenizer

from runner.decode import DecodeConfig
from runner.engine.decoding import Request
from runner.errors import ConfigError, RunFailed
from tests.engine.tiny import END, V, decoded, prompts, tiny

WORDS = [
    "[PAD]",
    "[SEP]",
    "[UNK]",
    "[CLS]",
    "[MASK]",
    *"，。山水风月花鸟春秋江天人日夜云雨雪白青红一二三千万里空明来去归长短高低远近上下东",
]


def spelling(kind="gpt2"):
    """A model whose tokenizer puts spaces between characters."""
    model = tiny(kind)
    model.processor = BertTokenizer(vocab={word: index for index, word in enumerate(WORDS[:V])})
    return model


@pytest.mark.parametrize("options", [{}, {"loop": "step"}, {"num_beams": 2}], ids=str)
def test_a_stop_string_is_found_as_people_read_it(options):
    model = spelling()
    requests = [Request(row, [6 + row, 9]) for row in range(8)]
    free = decoded(model, requests, DecodeConfig(max_new_tokens=12, eos_token_id=END, **options))
    texts = {row: model.processor.decode(one.ids[0]).replace(" ", "") for row, one in free.items()}
    stop = texts[0][3:5]  # two characters in a row, which the tokenizer writes apart
    found = decoded(model, requests, DecodeConfig(max_new_tokens=12, stop_strings=[stop], **options))
    assert "num_beams" in options or found[0].ended == ["stop"]  # what beams hold depends on what ends
    for row, one in found.items():
        text = model.processor.decode(one.ids[0]).replace(" ", "")
        assert (one.ended == ["stop"]) == (stop in text)
        assert stop not in text[:-1]
        if "num_beams" not in options:
            assert texts[row].startswith(text)


def test_the_end_of_each_sequence_is_told():
    model = tiny("gpt2")
    found = decoded(model, prompts(), DecodeConfig(max_new_tokens=8, eos_token_id=list(range(0, V, 5))))
    assert {one.ended[0] for one in found.values()} == {"end", "length"}
    for one in found.values():
        assert (one.ended == ["end"]) == (one.ids[0][-1] % 5 == 0)
        assert one.ended == ["end"] or len(one.ids[0]) == 8


@pytest.mark.parametrize("options", [{}, {"loop": "step"}, {"num_beams": 2}], ids=str)
def test_a_time_limit_ends_a_text(options):
    found = decoded(
        tiny("gpt2"), prompts(2), DecodeConfig(max_new_tokens=20, max_time=1e-9, eos_token_id=END, **options)
    )
    assert all(one.ended[0] == "time" and len(one.ids[0]) < 20 for one in found.values())


def test_min_new_tokens_makes_room_for_itself():
    found = decoded(tiny("mamba"), [Request(0, [5])], DecodeConfig(min_new_tokens=70))
    assert len(found[0].ids[0]) >= 70


@pytest.mark.parametrize(
    ("option", "value", "wrong"),
    [
        ("eos_token_id", V, V),
        ("eos_token_id", [3, 99], 99),
        ("suppress_tokens", [1, 99], 99),
        ("bad_words_ids", [[1], [2, 99]], 99),
        ("sequence_bias", [[[99], 1.0]], 99),
        ("forced_bos_token_id", 99, 99),
    ],
)
def test_a_token_outside_the_vocabulary_is_refused(option, value, wrong):
    with pytest.raises(ConfigError) as told:
        decoded(tiny("gpt2"), prompts(1), DecodeConfig(**{option: value}))
    law = f"decode.{option}  {wrong} is not in the vocabulary of this checkpoint, 0 to {V - 1}"
    assert told.value.problems == [law]


@pytest.mark.parametrize(("option", "value", "most"), [("max_length", 65, 64), ("max_new_tokens", 64, 63)])
def test_a_length_beyond_the_context_is_refused(option, value, most):
    with pytest.raises(ConfigError) as told:
        decoded(tiny("gpt2"), prompts(1), DecodeConfig(**{option: value}))
    assert told.value.problems == [f"decode.{option}  {value} does not fit the context of gpt2: at most {most}"]


def test_what_the_library_refuses_is_told_in_its_words():
    with pytest.raises(ConfigError, match="generate refuses these settings here: Could not find `num_mtp_layers`"):
        decoded(tiny("gpt2"), prompts(1), DecodeConfig(use_mtp=True, max_new_tokens=4))


class Wrong:
    def __init__(self, answer):
        self.answer = answer

    def __call__(self, tokens, logits, generator):
        logits.fill_(0)  # a rule may write on what it is given
        tokens.fill_(0)
        return self.answer


@pytest.mark.parametrize("answer", [V, -1, "山", None, 1.5])
def test_a_rule_must_return_a_token(answer):
    from runner.engine.decoding import Order, _job
    from runner.engine.step import complete
    from tests.engine.tiny import EngineConfig

    job = _job(tiny("gpt2"), Order(DecodeConfig(loop="step"), EngineConfig(), seed=0))
    with pytest.raises(RunFailed, match=rf"row 0: the rule must return the id of a token, 0 to {V - 1}, but Wrong"):
        complete(job, Request(0, [5, 6]), Wrong(answer), None)


def test_a_trace_holds_the_network_s_probabilities_whatever_the_rule_writes():
    from runner.engine.decoding import Order, _job
    from runner.engine.step import complete
    from tests.engine.tiny import EngineConfig

    model = tiny("gpt2")
    job = _job(model, Order(DecodeConfig(loop="step", max_new_tokens=3), EngineConfig(), seed=0))
    made = complete(job, Request(0, [5, 6]), Wrong(torch.tensor(7)), candidates=2)
    assert made.ids == [[7, 7, 7]] and made.ended == ["length"]
    with torch.inference_mode():
        expected = model.network(torch.tensor([[5, 6, 7, 7]])).logits[0, 1:].softmax(-1)
    for step, probabilities in zip(made.trace, expected, strict=True):
        assert step["probability"] == pytest.approx(float(probabilities[7]), rel=1e-4)
        assert step["candidates"][0] == [
            int(probabilities.argmax()),
            pytest.approx(float(probabilities.max()), rel=1e-4),
        ]
