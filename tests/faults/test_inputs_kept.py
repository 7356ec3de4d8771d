"""What a line of predictions.jsonl tells of its row."""

from __future__ import annotations

import json

import pytest

from tests.conftest import CHARACTERS


@pytest.fixture
def ask(cli, tiny):
    common = ("checkpoint=pretrained", f"checkpoint.name_or_path={tiny}", "engine.threads=1",
              "decode.max_new_tokens=5")  # fmt: skip

    def run(*arguments):
        ended = cli(*common, *arguments)
        assert ended.code == 0, ended.err
        path = cli.home / "outputs" / "latest" / "predictions.jsonl"
        return ended, [json.loads(line) for line in path.read_text().splitlines()]

    return run


def test_all_columns_of_a_row_stand_in_its_input(cli, ask):
    row = {"poem": "山水", "id": 7, "tags": ["a", None], "long": "x" * 5000, "row": "mine"}
    (cli.home / "rows.jsonl").write_text(json.dumps(row) + "\n")
    _, (line,) = ask("data=files", "data.path=rows.jsonl", "data.columns.text=poem")
    assert line["input"] == {"text": "山水", "id": 7, "tags": ["a", None], "long": "x" * 3999 + "…", "row": "mine"}
    assert list(line) == ["row", "input", "prediction", "scores", "tokens", "ended"]
    assert 0 < line["tokens"] <= 5 and line["ended"] in ("end", "length")


def test_a_prompt_that_the_tokenizer_does_not_know_is_told_and_kept(ask):
    ended, lines = ask("data.prompts=[Hello world, 山𠀀水, 山 水]", "decode.min_new_tokens=5")
    assert "row 0: 2 of 3 tokens of the prompt are unknown to the tokenizer" in ended.out
    assert "row 1: 1 of 4 tokens of the prompt are unknown to the tokenizer" in ended.out
    texts = [line["prediction"] for line in lines]
    for text, prompt in zip(texts, ("Hello world", "山𠀀水", "山水"), strict=True):
        assert text.startswith(prompt)
        assert len(text) > len(prompt) and set(text[len(prompt) :]) <= {*CHARACTERS}


def test_unknown_tokens_of_many_rows_are_counted(ask):
    ended, _ = ask(f"data.prompts=[{','.join(['𠀀'] * 5)}]")
    assert ended.out.count("unknown to the tokenizer") == 4
    assert "5 rows in all hold tokens unknown to the tokenizer" in ended.out


def test_a_resumed_evaluation_equals_an_uninterrupted_one(cli, ask, rows):
    """Sums in another order have other last digits: the rest of a window is scored in the same batches."""
    arguments = ("data=files", f"data.path={rows(40)}", "mode=evaluate", "data.window_rows=16")
    ask(*arguments)
    (run,) = cli.runs
    path = run / "predictions.jsonl"
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:16], *lines[17:21], lines[30]]))
    (run / "status.json").write_text('{"state": "running", "attempt": 1}')
    ended, _ = ask(*arguments)
    assert "21 of 40 rows kept from before" in ended.out
    assert path.read_bytes() == whole
