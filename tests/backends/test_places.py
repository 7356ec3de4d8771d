from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from runner.backends import places
from runner.backends.checkpoint import find
from runner.config import CheckpointConfig
from runner.errors import CheckpointError, ConfigError
from tests.backends.made import edit

CAUSAL = "AutoModelForCausalLM"


def found(name, auto_class=CAUSAL, **options):
    return find(CheckpointConfig(name_or_path=str(name), **options), auto_class)


def test_a_folder_is_found_with_the_hash_of_every_file_that_matters(gpt2):
    import hashlib

    (gpt2 / "notes.md").write_text("not part of the result")
    source = found(gpt2)
    assert (source.name, source.folder, source.commit, source.tokenizer_source) == ("tiny", gpt2, None, gpt2)
    assert {"config.json", "model.safetensors", "tokenizer.json", "generation_config.json"} <= set(source.files)
    assert "notes.md" not in source.files
    assert source.files["config.json"] == hashlib.sha256((gpt2 / "config.json").read_bytes()).hexdigest()


def test_an_embedded_name_comes_before_a_folder(gpt2, tmp_path, monkeypatch):
    monkeypatch.setattr(places, "ASSETS", tmp_path / "assets")
    shutil.copytree(gpt2, tmp_path / "assets" / "poem_gpt2")
    (tmp_path / "poem_gpt2").mkdir()
    monkeypatch.chdir(tmp_path)
    source = found("poem_gpt2")
    assert (source.name, source.folder) == ("poem_gpt2", tmp_path / "assets" / "poem_gpt2")


def test_a_folder_named_with_a_slash_comes_before_an_embedded_name(gpt2, tmp_path, monkeypatch):
    monkeypatch.setattr(places, "ASSETS", tmp_path / "assets")
    shutil.copytree(gpt2, tmp_path / "assets" / "tiny")
    monkeypatch.chdir(tmp_path)
    assert found("./tiny").folder.resolve() == gpt2


def test_a_relative_folder_with_one_part_is_found(gpt2, monkeypatch):
    monkeypatch.chdir(gpt2.parent)
    assert found("tiny").name == "tiny"
    monkeypatch.chdir(gpt2)
    assert found(".").name == "tiny"


def test_a_path_that_does_not_exist_names_the_nearest_beside_it(gpt2):
    with pytest.raises(CheckpointError) as error:
        found(gpt2.parent / "tinny")
    assert str(error.value) == (
        f"checkpoint path {gpt2.parent / 'tinny'} does not exist; in {gpt2.parent} nearest: tiny"
    )


@pytest.mark.parametrize("name", ["../../x", "/nowhere/at/all", "a/b/c", "./x", "~/nothing-of-this-name"])
def test_what_looks_like_a_path_never_goes_to_the_hub(name, hub):
    with pytest.raises(CheckpointError, match=f"checkpoint path {name} does not exist"):
        found(name)
    assert hub.requests == []


@pytest.mark.parametrize("name", ["a\0b", "../\0", "x\ny", "z" * 2000])
def test_impossible_names_are_refused(name, hub):
    with pytest.raises(CheckpointError, match="is neither an embedded name, a folder nor a hub id"):
        found(name)
    assert hub.requests == []


def test_a_name_too_long_for_the_file_system_is_refused(hub):
    with pytest.raises(CheckpointError, match="File name too long"):
        found("z" * 300)


def test_a_folder_without_config_tells_what_is_there(gpt2):
    (gpt2 / "config.json").unlink()
    with pytest.raises(
        CheckpointError, match=rf"checkpoint {gpt2} has no config.json; it holds generation_config.json, mo"
    ):
        found(gpt2)


def test_an_empty_folder_is_told(tmp_path):
    with pytest.raises(CheckpointError, match="has no config.json; it is empty"):
        found(tmp_path)


def test_a_file_is_no_checkpoint(gpt2):
    with pytest.raises(CheckpointError, match="is a file: give the folder that holds it"):
        found(gpt2 / "model.safetensors")


@pytest.mark.parametrize("content", ["", "{", "[]", '"x"', "[" * 100_000, "\xff"])
def test_a_damaged_config_is_named(gpt2, content):
    (gpt2 / "config.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(CheckpointError, match=f"checkpoint {gpt2}: config.json is damaged"):
        found(gpt2)


def test_a_config_with_a_wrong_value_is_told(gpt2):
    edit(gpt2 / "config.json", n_layer="two")
    with pytest.raises(CheckpointError, match=r"config.json: .*n_layer.* expected int, got str \(value: 'two'\)"):
        _ = found(gpt2).config


def test_a_revision_of_a_folder_is_refused(gpt2):
    with pytest.raises(CheckpointError, match="checkpoint.revision=v1 is for hub ids, but .* is a folder here"):
        found(gpt2, revision="v1")


def test_an_architecture_of_another_task_names_what_fits(gpt2):
    edit(gpt2 / "config.json", model_type="vit")
    with pytest.raises(CheckpointError) as error:
        found(gpt2)
    assert str(error.value) == (
        f"checkpoint {gpt2}: architecture vit is not a causal LM (AutoModelForCausalLM); "
        "it fits: AutoModelForImageClassification, AutoModelForMaskedImageModeling"
    )


def test_a_language_model_does_not_classify_images(gpt2):
    with pytest.raises(CheckpointError, match=r"gpt2 is not made for image classification \(AutoModelForImageCl"):
        found(gpt2, "AutoModelForImageClassification")


def test_the_architecture_is_checked_before_the_weights(gpt2):
    edit(gpt2 / "config.json", model_type="vit")
    (gpt2 / "model.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match="architecture vit is not"):
        found(gpt2)


def test_an_unknown_architecture_names_the_nearest(gpt2):
    edit(gpt2 / "config.json", model_type="gpt22")
    with pytest.raises(CheckpointError, match="this transformers knows no model_type gpt22; nearest: gpt2"):
        found(gpt2)


def test_a_config_without_model_type_is_told(gpt2):
    edit(gpt2 / "config.json", model_type=None)
    with pytest.raises(CheckpointError, match="config.json names no model_type"):
        found(gpt2)


def test_an_unknown_class_is_a_mistake_of_the_configuration(gpt2):
    with pytest.raises(
        ConfigError, match="AutoModelForCausalML is no class of transformers; nearest: AutoModelForCausalLM"
    ):
        found(gpt2, "AutoModelForCausalML")


def remote(folder, marker):
    """A checkpoint whose code leaves a mark when it is imported."""
    edit(
        folder / "config.json",
        model_type="my_own",
        auto_map={"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnModel"},
    )
    (folder / "own.py").write_text(
        f"open({str(marker)!r}, 'w').close()\n"
        "from transformers import GPT2Config, GPT2LMHeadModel\n"
        "class OwnConfig(GPT2Config):\n    model_type = 'my_own'\n"
        "class OwnModel(GPT2LMHeadModel):\n    config_class = OwnConfig\n"
    )


def test_remote_code_is_refused_and_never_asked_for(gpt2, tmp_path, monkeypatch):
    import io

    remote(gpt2, tmp_path / "PWNED")
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    with pytest.raises(CheckpointError) as error:
        found(gpt2)
    assert str(error.value) == (
        f"checkpoint {gpt2} needs remote code; set checkpoint.trust_remote_code=true if you trust it"
    )
    assert not (tmp_path / "PWNED").exists()


def test_remote_code_that_is_trusted_runs_and_is_part_of_the_hash(gpt2, tmp_path, loaded, monkeypatch):
    from transformers import dynamic_module_utils

    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.setattr(sys, "path", list(sys.path))
    remote(gpt2, tmp_path / "PWNED")
    assert "own.py" in found(gpt2, trust_remote_code=True).files
    model = loaded(gpt2, trust_remote_code=True)
    assert type(model.network).__name__ == "OwnModel"
    assert (tmp_path / "PWNED").exists()


def test_code_beside_a_known_architecture_is_ignored(gpt2, tmp_path, loaded):
    remote(gpt2, tmp_path / "PWNED")
    edit(gpt2 / "config.json", model_type="gpt2")
    assert type(loaded(gpt2).network).__name__ == "GPT2LMHeadModel"
    assert not (tmp_path / "PWNED").exists()


def test_a_tokenizer_with_code_of_its_own_is_refused(gpt2, tmp_path, loaded):
    (gpt2 / "own.py").write_text(f"open({str(tmp_path / 'PWNED')!r}, 'w').close()\n")
    edit(gpt2 / "config.json", model_type="my_own", auto_map={"AutoConfig": "own.C", CAUSAL: "own.M"})
    with pytest.raises(CheckpointError, match="needs remote code"):
        loaded(gpt2)
    assert not (tmp_path / "PWNED").exists()


def test_finding_imports_neither_torch_nor_transformers(gpt2):
    code = (
        "import sys; from runner.backends.checkpoint import find; from runner.config import CheckpointConfig; "
        f"find(CheckpointConfig(name_or_path={str(gpt2)!r}), {CAUSAL!r}); "
        "print([m for m in ('torch', 'transformers', 'huggingface_hub', 'datasets') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=True)
    assert (out.stdout.strip(), out.stderr) == ("[]", "")
