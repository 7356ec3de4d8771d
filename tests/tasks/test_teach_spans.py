"""What a network that finds answers learns from questions, texts and answers."""

import pytest

from runner.errors import DataError
from runner.teach.spans import Answers
from tests.tasks.tiny_spans import CONTEXT, answered, bert


@pytest.fixture(scope="module")
def model():
    return bert()


def test_an_answer_is_taught_by_its_first_and_last_token(model):
    (one,) = Answers()(model, [answered("Parker", 6)])  # [CLS] who [SEP] sarah par ##ker lives
    assert (one["start_positions"], one["end_positions"]) == (4, 5)
    (one,) = Answers()(model, [answered("York", 26)])  # of yorkshire: york, the ninth token of the context
    tokens = model.processor.convert_ids_to_tokens(one["input_ids"])
    assert tokens[one["start_positions"] : one["end_positions"] + 1] == ["york"]


def test_windows_without_the_answer_teach_that_there_is_none(model):
    context = CONTEXT * 20  # 9 tokens each
    taught = list(Answers(stride=8)(model, [answered("Parker", 37 * 10 + 6, context)]))
    there = [one for one in taught if one["start_positions"]]
    assert len(taught) > len(there) >= 1
    for one in there:
        found = model.processor.convert_ids_to_tokens(
            one["input_ids"][one["start_positions"] : one["end_positions"] + 1]
        )
        assert found == ["par", "##ker"]
    assert all(one["end_positions"] == 0 for one in taught if one not in there)


def test_rows_without_an_answer_are_taught_skipped_or_refused(model):
    empty = answered("", 0, answers={"text": [], "answer_start": []})
    (one,) = Answers()(model, [empty])
    assert (one["start_positions"], one["end_positions"]) == (0, 0)
    assert len(list(Answers(unanswerable="skip")(model, [empty, answered("Sarah", 0)]))) == 1
    with pytest.raises(DataError, match="x.jsonl:1: has no answer: set task.teach.unanswerable to teach or skip"):
        list(Answers(unanswerable="error")(model, [empty]))


@pytest.mark.parametrize(
    "row, told",
    [
        (answered("Parker", 7), "x.jsonl:1: answer 'Parker' does not stand at character 7 of context ('arker ')"),
        (answered("Parker", 900), "answer 'Parker' does not stand at character 900 of context ('')"),
        (answered("h", -1), "answer 'h' does not stand at character -1"),
        (answered("", 0, answers="Parker"), 'x.jsonl:1: answers must be {"text": [...], "answer_start": [...]}'),
        (
            answered("Sarah", 0, CONTEXT * 9, question="who lives " * 40),
            "x.jsonl:1: the question has 82 tokens with special",
        ),
    ],
)
def test_rows_that_cannot_be_learnt_are_refused(model, row, told):
    with pytest.raises(DataError) as error:
        list(Answers()(model, [row]))
    assert told in str(error.value)


def test_the_loss_is_the_librarys_and_padding_has_no_share_in_it(model):
    import torch

    from runner.engine.forward import pad_rows

    taught = list(Answers()(model, [answered("Parker", 6), answered("Sarah", 0, "Sarah")]))
    teach, alone = Answers(), 0.0
    for one in taught:
        inputs = pad_rows([one], 0, labels=True)
        given = {name: value for name, value in inputs.items() if name != "labels"}
        with torch.no_grad():
            alone += float(model.network(**given).loss)
            assert float(teach.loss(model.network, inputs)) == pytest.approx(
                float(model.network(**given).loss), abs=1e-5
            )
    together = pad_rows(taught, 0, labels=True)
    assert "attention_mask" in together and teach.items(together) == 2
    assert float(teach.loss(model.network, together).detach()) == pytest.approx(alone, abs=1e-4)
