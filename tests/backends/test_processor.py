from __future__ import annotations

import json
import shutil

import pytest

from runner.backends.checkpoint import find
from runner.backends.processor import load_processor
from runner.config import CheckpointConfig
from runner.errors import CheckpointError
from tests.backends.made import VOCABULARY, edit

TEXT = "床前明月光，疑是地上霜。"
IDS = [2, *(VOCABULARY.index(c) for c in TEXT), 3]


def processor(name, tokenizer=None, kind="AutoTokenizer"):
    checkpoint = CheckpointConfig(name_or_path=str(name), tokenizer=None if tokenizer is None else str(tokenizer))
    return load_processor(find(checkpoint, "AutoModelForCausalLM"), checkpoint, kind)


def test_the_tokenizer_of_the_folder(gpt2):
    assert processor(gpt2)(TEXT)["input_ids"] == IDS


def test_a_vocab_txt_is_a_character_vocabulary_with_case_kept(gpt2, uer, tmp_path):
    vocabulary = tmp_path / "own.txt"
    vocabulary.write_text("\n".join([*VOCABULARY, "A", "a"]) + "\n", encoding="utf-8")
    tokenizer = processor(gpt2, vocabulary)
    assert tokenizer("A")["input_ids"] == [2, len(VOCABULARY), 3]
    assert tokenizer(TEXT)["input_ids"] == IDS
    assert len(tokenizer) == len(VOCABULARY) + 2


def test_a_vocabulary_is_read_line_by_line_as_a_folder_with_it_is(gpt2, uer):
    (uer / "vocab.txt").write_text("\n".join([*VOCABULARY, "\u2028", "\x85", "末"]) + "\n", encoding="utf-8")
    edit(uer / "config.json", vocab_size=60)
    alone, within = processor(gpt2, uer / "vocab.txt"), processor(uer)
    assert alone("末")["input_ids"] == within("末")["input_ids"] == [2, len(VOCABULARY) + 2, 3]


def test_a_tokenizer_from_another_folder_is_part_of_the_hashes(gpt2, uer):
    shutil.copytree(gpt2, gpt2.parent / "other")
    checkpoint = CheckpointConfig(name_or_path=str(gpt2.parent / "other"), tokenizer=str(uer))
    source = find(checkpoint, "AutoModelForCausalLM")
    assert source.tokenizer_source == uer
    assert "tokenizer/vocab.txt" in source.files
    assert "tokenizer/pytorch_model.bin" not in source.files
    assert load_processor(source, checkpoint, "AutoTokenizer")(TEXT)["input_ids"] == IDS


def test_a_tokenizer_json_alone(gpt2, tmp_path):
    shutil.copy(gpt2 / "tokenizer.json", tmp_path / "mine.json")
    assert processor(gpt2, tmp_path / "mine.json")(TEXT)["input_ids"] == IDS


def test_an_embedded_tokenizer(gpt2, tmp_path, monkeypatch):
    from runner.backends import places

    monkeypatch.setattr(places, "ASSETS", tmp_path / "assets")
    shutil.copytree(gpt2, tmp_path / "assets" / "poem_gpt2")
    assert processor(gpt2, "poem_gpt2")(TEXT)["input_ids"] == IDS


def test_no_tokenizer_files_is_told(gpt2):
    (gpt2 / "tokenizer.json").unlink()
    with pytest.raises(
        CheckpointError, match=rf"{gpt2} has no tokenizer: expected tokenizer.json, vocab.txt, .*set check"
    ):
        processor(gpt2)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{}", "it has no model"),
        ("", "Expecting value"),
        ('{"model": ', "Expecting value"),
        ("[]", "an object is expected"),
    ],
)
def test_a_broken_tokenizer_json_is_named(gpt2, content, reason):
    (gpt2 / "tokenizer.json").write_text(content)
    with pytest.raises(CheckpointError, match=f"checkpoint {gpt2}: tokenizer.json is damaged: {reason}"):
        processor(gpt2)


def test_a_pointer_in_place_of_the_tokenizer_is_named(gpt2):
    (gpt2 / "tokenizer.json").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n")
    with pytest.raises(CheckpointError, match="tokenizer.json is a Git LFS pointer"):
        processor(gpt2)


def test_broken_settings_are_named(gpt2):
    (gpt2 / "tokenizer_config.json").write_text("{")
    with pytest.raises(CheckpointError, match="tokenizer_config.json is damaged"):
        processor(gpt2)


def test_a_tokenizer_that_turns_text_into_nothing_is_refused(gpt2):
    content = json.loads((gpt2 / "tokenizer.json").read_text())
    model = {"type": "BPE", "vocab": {}, "merges": [], "unk_token": None}
    (gpt2 / "tokenizer.json").write_text(json.dumps(content | {"model": model, "post_processor": None}))
    edit(gpt2 / "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")
    with pytest.raises(CheckpointError, match=f"the tokenizer of {gpt2} turns every text into nothing"):
        processor(gpt2)


@pytest.mark.parametrize(("content", "reason"), [(b"\xff\xfe\x00", "in UTF-8"), (b"", "[UNK]"), (b"a\nb\n", "[UNK]")])
def test_a_file_that_is_no_vocabulary_is_refused(gpt2, tmp_path, content, reason):
    (tmp_path / "vocab.txt").write_bytes(content)
    with pytest.raises(CheckpointError) as error:
        processor(gpt2, tmp_path / "vocab.txt")
    assert str(error.value).startswith(f"checkpoint.tokenizer={tmp_path / 'vocab.txt'} is no")
    assert reason in str(error.value)


def test_a_tokenizer_that_does_not_exist_is_told(gpt2):
    with pytest.raises(CheckpointError, match="checkpoint.tokenizer path ./vocab.txt does not exist"):
        processor(gpt2, "./vocab.txt")


def test_a_folder_without_image_processor_is_told(gpt2):
    with pytest.raises(CheckpointError, match=f"{gpt2} has no ImageProcessor: expected preprocessor_config.json"):
        processor(gpt2, kind="AutoImageProcessor")


def test_a_byte_tokenizer_needs_no_vocabulary(gpt2):
    (gpt2 / "tokenizer.json").unlink()
    edit(gpt2 / "tokenizer_config.json", tokenizer_class="ByT5Tokenizer", backend=None)
    assert type(processor(gpt2)).__name__ == "ByT5Tokenizer"
