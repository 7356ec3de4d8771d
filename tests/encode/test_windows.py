from types import SimpleNamespace

import pytest

from runner.encode.windows import Windows


def model(context):
    processor = SimpleNamespace(bos_token_id=99, cls_token_id=None, eos_token_id=None)

    class Processor:
        bos_token_id = processor.bos_token_id

        def __call__(self, texts, truncation, verbose):
            return {"input_ids": [list(range(1, len(text) + 1)) for text in texts]}

    return SimpleNamespace(processor=Processor(), context=context)


@pytest.mark.parametrize("length", [0, 1, 3, 4, 5, 8, 9, 23])
@pytest.mark.parametrize("overlap", [0.0, 0.5, 0.75])
def test_each_token_of_a_text_is_scored_once(length, overlap):
    (windows,) = Windows(overlap=overlap)(model(4), [{"text": "x" * length}])
    scored = [token for window in windows for token in window["labels"] if token != -100]
    assert scored == list(range(1, length + 1))
    for window in windows:
        assert len(window["input_ids"]) == len(window["labels"]) <= 4
        assert all(label in (-100, token) for label, token in zip(window["labels"], window["input_ids"], strict=True))


def test_later_windows_keep_half_of_their_tokens_as_context():
    (windows,) = Windows(overlap=0.5)(model(4), [{"text": "x" * 7}])
    assert [window["input_ids"] for window in windows] == [[99, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6, 7]]
    assert [window["labels"] for window in windows] == [[-100, 1, 2, 3], [-100, -100, 4, 5], [-100, -100, 6, 7]]


def test_an_overlap_of_a_whole_window_is_refused():
    with pytest.raises(ValueError, match=r"0 <= overlap < 1 must hold, but got 1"):
        Windows(overlap=1)
