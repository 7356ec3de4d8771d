"""Answers found in texts: against the official script's rules, written anew here, and what is worked out by hand."""

import json
from types import SimpleNamespace

import pytest

from runner.encode.contexts import Contexts
from runner.errors import CheckpointError, DataError
from runner.interpret.spans import Spans
from runner.teach.spans import Answers
from tests.tasks.tiny_spans import CONTEXT, WORDS, answered, bert

QUESTIONS = [
    {"question": "Who lives in New York?", "context": CONTEXT},
    {"question": "  where lives Sarah", "context": " ".join("abcdefgh ab cb\nac"[at % 16 :] for at in range(40))},
    {"question": "who", "context": CONTEXT * 30},
    {"question": "🙂 ?", "context": "🙂 \x07 a"},
]


@pytest.fixture(scope="module")
def model():
    return bert()


def numbered(rows):
    return [row | {"row": at, "place": f"x.jsonl:{at + 1}"} for at, row in enumerate(rows)]


def answers(model, rows, interpret=None, budget=500):
    from runner.engine.forward import run_batches

    interpret = interpret or Spans()
    encoded = Contexts(stride=16)(model, rows)
    flat = [feature for features in encoded for feature in features]
    found = [None] * len(flat)
    for batch in run_batches(model, flat, interpret.outputs, budget, print):
        for at, output in batch:
            found[at] = output
    remaining = iter(found)
    return [
        interpret(model, row, features, [next(remaining) for _ in features])
        for row, features in zip(rows, encoded, strict=True)
    ]


def official(model, row, threshold):
    """What run_qa.py answers, from all logits of the tokenizer's own windows: text, probability, score difference."""
    import numpy as np
    import torch

    encoded = model.processor(
        row["question"].lstrip(), row["context"], truncation="only_second", max_length=64, stride=16,
        return_overflowing_tokens=True, return_offsets_mapping=True,
    )  # fmt: skip
    candidates, nulls = [], []
    for window, ids in enumerate(encoded["input_ids"]):
        kinds = torch.tensor([encoded["token_type_ids"][window]])
        with torch.no_grad():
            made = model.network(input_ids=torch.tensor([ids]), token_type_ids=kinds)
        start, end = made.start_logits[0].numpy(), made.end_logits[0].numpy()
        nulls.append(start[0] + end[0])
        offsets, sequences = encoded["offset_mapping"][window], encoded.sequence_ids(window)
        for first in np.argsort(start)[::-1][:20]:
            for last in np.argsort(end)[::-1][:20]:
                if sequences[first] == 1 and sequences[last] == 1 and first <= last < first + 30:
                    text = row["context"][offsets[first][0] : offsets[last][1]]
                    candidates.append((start[first] + end[last], text))
    best = max(candidates, key=lambda one: one[0])
    ranked = sorted(candidates + ([(min(nulls), "")] if threshold is not None else []), key=lambda one: -one[0])[:20]
    if threshold is not None and all(text for _, text in ranked):
        ranked.append((min(nulls), ""))
    total = sum(np.exp(score - best[0]) for score, _ in ranked)
    difference = min(nulls) - best[0]
    score, text = (min(nulls), "") if threshold is not None and difference > threshold else best
    return text, np.exp(score - best[0]) / total, difference


@pytest.mark.parametrize("threshold", [None, -100.0, 0.0, 100.0])
def test_answers_are_those_of_the_official_script(model, threshold):
    rows = numbered(QUESTIONS)
    assert max(len(features) for features in Contexts(stride=16)(model, rows)) > 5
    for row, found in zip(rows, answers(model, rows, Spans(no_answer=threshold)), strict=True):
        text, probability, difference = official(model, row, threshold)
        assert found["answer"] == text
        assert found["score"] == pytest.approx(probability, abs=1e-5)
        assert found["no_answer_score"] == pytest.approx(difference, abs=1e-4)
        assert (found["answer"] == "") == (threshold == -100.0 or (threshold == 0.0 and difference > 0))


@pytest.mark.parametrize("tokens, stride", [(40, 8), (64, 16), (384, 16), (None, 0)])
def test_windows_are_those_of_the_tokenizer(model, tokens, stride):
    for row, features in zip(
        numbered(QUESTIONS), Contexts(tokens=tokens, stride=stride)(model, QUESTIONS), strict=True
    ):
        expected = model.processor(
            row["question"].lstrip(), row["context"], truncation="only_second", max_length=min(tokens or 64, 64),
            stride=stride, return_overflowing_tokens=True,
        )  # fmt: skip
        assert [feature["input_ids"] for feature in features] == expected["input_ids"]
        assert [feature["token_type_ids"] for feature in features] == expected["token_type_ids"]


def test_answers_are_the_same_in_every_batch_and_order(model):
    rows = numbered(QUESTIONS)
    alone = [answers(model, [row], budget=1)[0] for row in rows]
    among = answers(model, rows[::-1], budget=10_000)[::-1]
    for one, other in zip(alone, among, strict=True):
        assert (one["answer"], one["start"]) == (other["answer"], other["start"])
        assert one["score"] == pytest.approx(other["score"], abs=1e-5)
        assert json.loads(json.dumps(one)) == one


def window(first, words):
    """A window whose context has these words, one space between them."""
    ends, offsets = 0, []
    for word in words:
        offsets.append((ends, ends + len(word)))
        ends += len(word) + 1
    return {"input_ids": [], "aside": {"first": first, "offsets": offsets}}


def test_the_probability_is_shared_by_the_candidates_and_answers_of_two_windows_are_shown_once():
    # Context "a bb c" at positions 3 to 5. First tokens: 4 (2.0), 3 (1.0); last: 4 (1.0), 3 (0.5); no answer 0.25.
    # Answers: bb 3.0, a bb 2.0, a 1.5; bb ends after it begins. The second window repeats bb with 1.0 + 0.0.
    row = {"context": "a bb c"}
    features = [window(3, ["a", "bb", "c"])] * 2
    outputs = [(([4, 3, 1], [2.0, 1.0, 9.0]), ([4, 3], [1.0, 0.5]), 0.25), (([4], [1.0]), ([4], [0.0]), 0.75)]
    found = Spans(n_best=2)(None, row, features, outputs)
    # e^0 + e^-1 + e^-1.5 + e^-2 = 1.726345
    assert found == {
        "answer": "bb", "start": 2, "end": 4, "score": pytest.approx(1 / 1.726345, abs=1e-6),
        "n_best": [
            {"answer": "bb", "start": 2, "end": 4, "score": pytest.approx(0.579259, abs=1e-6)},
            {"answer": "a bb", "start": 0, "end": 4, "score": pytest.approx(0.213097, abs=1e-6)},
        ],
        "no_answer_score": -2.75,
    }  # fmt: skip
    assert Spans(longest=1)(None, row, features, outputs)["n_best"][1]["answer"] == "a"
    assert Spans(no_answer=-3.0)(None, row, features, outputs)["answer"] == ""
    assert Spans(no_answer=-2.5)(None, row, features, outputs)["answer"] == "bb"


def test_a_context_without_tokens_has_no_answer(model):
    (found,) = answers(model, numbered([{"question": "who", "context": "\x00\x07"}]))
    assert found == {"answer": "", "start": None, "end": None, "score": 1.0, "n_best": [], "no_answer_score": None}


def test_a_space_before_the_first_word_is_not_part_of_the_answer():
    feature = {"input_ids": [], "aside": {"first": 0, "offsets": [(1, 4)]}}
    found = Spans()(None, {"context": "x ab "}, [feature], [(([0], [1.0]), ([0], [1.0]), 0.0)])
    assert (found["answer"], found["start"], found["end"]) == ("ab", 2, 4)


def test_a_question_longer_than_the_window_is_refused(model):
    rows = numbered([{"question": "who " * 50, "context": CONTEXT * 5}])
    with pytest.raises(
        DataError, match="x.jsonl:1: the question has 52 tokens with special ones, which leaves its context 11 of 64"
    ):
        Contexts()(model, rows)
    assert len(Contexts()(model, [rows[0] | {"context": "a b"}])[0]) == 1  # what fits is fine


def test_a_slow_tokenizer_is_refused():
    slow = SimpleNamespace(processor=SimpleNamespace(is_fast=False), name="tiny", context=8)
    with pytest.raises(CheckpointError, match=r"tiny: question answering needs a fast tokenizer \(offsets\)"):
        Contexts()(slow, numbered(QUESTIONS))


@pytest.mark.parametrize("wrong, told", [
    (lambda: Contexts(tokens=3), "tokens >= 16"),
    (lambda: Contexts(stride=-1), "stride >= 0"),
    (lambda: Spans(n_best=21), "1 <= n_best <= 20"),
    (lambda: Spans(longest=0), "longest >= 1"),
    (lambda: Answers(unanswerable="ignore"), "unanswerable must be one of teach, skip, error"),
])  # fmt: skip
def test_options_that_mean_nothing_are_refused(wrong, told):
    with pytest.raises(ValueError, match=told):
        wrong()


def test_the_command_line_trains_and_scores(cli, tmp_path):
    folder = tmp_path / "rows"
    folder.mkdir()
    rows = [answered("sarah", 0, "sarah lives in york"), answered("sarah", 14, "york lives in sarah")] * 8
    for name in ("train", "validation", "test"):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (tmp_path / "vocab.txt").write_text("\n".join(vocabulary))
    sizes = "{model_type: bert, num_hidden_layers: 1, hidden_size: 32, num_attention_heads: 2, intermediate_size: 32}"
    ended = cli(
        "task=question_answering", "checkpoint=random", f"checkpoint.architecture={sizes}", "data=files",
        f"checkpoint.tokenizer={tmp_path}/vocab.txt", f"data.path={folder}", "train=full", "train.max_steps=60",
        "train.learning_rate=0.01",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    (run,) = cli.runs
    assert json.loads((run / "metrics.json").read_text())["exact_match"]["value"] == 1.0
