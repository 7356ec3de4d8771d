from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from runner.backends.checkpoint import find
from runner.config import CheckpointConfig
from runner.errors import CheckpointError
from tests.backends.hub import HubServer
from tests.backends.made import edit

NAME = "uer/gpt2-chinese-poem"


def found(name=NAME, **options):
    return find(CheckpointConfig(name_or_path=name, **options), "AutoModelForCausalLM")


def downloads(hub: HubServer) -> list[str]:
    """What was fetched, not only asked about."""
    return sorted(
        path.rsplit("/", 1)[-1] for method, path, _ in hub.requests if method == "GET" and "/api/" not in path
    )


def test_a_hub_id_is_downloaded_and_its_commit_recorded(hub, gpt2, loaded):
    commit = hub.add(NAME, gpt2)
    source = found()
    assert (source.name, source.commit, source.folder.name) == (NAME, commit, commit)
    assert source.files["model.safetensors"] == hashlib.sha256((gpt2 / "model.safetensors").read_bytes()).hexdigest()
    assert source.files["config.json"] == hashlib.sha256((gpt2 / "config.json").read_bytes()).hexdigest()
    model = loaded(NAME)
    assert (model.name, model.random_weights) == (NAME, [])


def test_the_poem_repository_loads_through_its_bin_file(hub, uer, loaded):
    hub.add(NAME, uer)
    assert loaded(NAME).processor("床前明月光")["input_ids"][0] == 2
    assert "pytorch_model.bin" in downloads(hub)


def test_only_what_is_needed_is_downloaded(hub, gpt2):
    others = "pytorch_model.bin tf_model.h5 model.onnx consolidated.safetensors model.fp16.safetensors README.md own.py"
    others += " onnx/model.safetensors fp16/config.json"
    hub.add(NAME, {f.name: f.read_bytes() for f in gpt2.iterdir()} | dict.fromkeys(others.split(), b"x"))
    found()
    needed = "config.json generation_config.json model.safetensors tokenizer.json tokenizer_config.json"
    assert downloads(hub) == needed.split()


def test_code_is_downloaded_only_when_it_is_trusted(hub, gpt2):
    edit(gpt2 / "config.json", model_type="own", auto_map={"AutoModelForCausalLM": "own.Own"})
    (gpt2 / "own.py").write_text("raise SystemExit")
    hub.add(NAME, gpt2)
    with pytest.raises(CheckpointError, match=f"checkpoint {NAME} needs remote code"):
        found()
    assert "own.py" not in downloads(hub)
    assert "own.py" in found(trust_remote_code=True).files


def test_a_checkpoint_that_does_not_fit_costs_no_download_of_weights(hub, gpt2):
    edit(gpt2 / "config.json", model_type="vit")
    hub.add(NAME, gpt2)
    with pytest.raises(CheckpointError, match=f"checkpoint {NAME}: architecture vit is not a causal LM"):
        found()
    assert "model.safetensors" not in downloads(hub)


def test_a_revision_is_a_branch_a_tag_or_a_commit(hub, gpt2):
    first = hub.add(NAME, gpt2, "v1.0")
    edit(gpt2 / "generation_config.json", do_sample=True)
    second = hub.add(NAME, gpt2)
    assert first != second
    assert found().commit == second
    assert found(revision="v1.0").commit == first
    assert found(revision=first).commit == first


def test_a_revision_that_does_not_exist_is_told(hub, gpt2):
    hub.add(NAME, gpt2)
    for revision in ("v9", "0" * 40):
        with pytest.raises(CheckpointError, match=f"'{NAME}' has no revision '{revision}'"):
            found(revision=revision)


def test_a_warm_cache_needs_no_network(hub, gpt2, uer):
    commits = {name: hub.add(name, folder) for name, folder in (("a/safe", gpt2), ("a/bin", uer))}
    for name in commits:
        found(name)
    hub.stop()
    for name, commit in commits.items():
        assert found(name).commit == commit
    hub.start_again()


def test_a_cached_commit_asks_the_hub_nothing(hub, gpt2):
    commit = hub.add(NAME, gpt2)
    found()
    hub.requests.clear()
    assert found(revision=commit).commit == commit
    assert hub.requests == []


def test_a_branch_that_moved_is_downloaded_again(hub, gpt2):
    hub.add(NAME, gpt2)
    first = found()
    edit(gpt2 / "config.json", n_ctx=32)
    hub.add(NAME, gpt2)
    hub.requests.clear()
    second = found()
    assert first.commit != second.commit
    assert downloads(hub) == ["config.json"]


def test_no_network_and_no_cache_tells_both(hub):
    hub.stop()
    with pytest.raises(CheckpointError) as error:
        found()
    hub.start_again()
    assert str(error.value) == (
        f"'{NAME}' is neither a folder here nor in the local cache, and the hub cannot be reached: "
        "[Errno 111] Connection refused; check the spelling or the connection, or give a local folder"
    )


def test_offline_mode_is_honoured(hub, gpt2, monkeypatch):
    from huggingface_hub import constants

    commit = hub.add(NAME, gpt2)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(CheckpointError, match="the hub cannot be reached: .*offline mode is enabled"):
        found()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    found()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    hub.requests.clear()
    assert found().commit == commit
    assert hub.requests == []


@pytest.mark.parametrize("status", [500, 503])
def test_a_hub_that_answers_with_errors_counts_as_unreachable(hub, gpt2, status):
    commit = hub.add(NAME, gpt2)
    hub.refuses = status
    with pytest.raises(CheckpointError, match=f"the hub cannot be reached: Server error '{status} "):
        found()
    hub.refuses = None
    found()
    hub.refuses = status
    assert found().commit == commit


def test_a_download_that_is_cut_goes_on_where_it_was(hub, gpt2):
    hub.add(NAME, gpt2)
    hub.cut["model.safetensors"] = [1000, 2000]
    assert found().files["model.safetensors"] == hashlib.sha256((gpt2 / "model.safetensors").read_bytes()).hexdigest()


def test_a_download_that_breaks_off_is_told_and_the_same_command_succeeds_later(hub, gpt2):
    hub.add(NAME, gpt2)
    hub.cut["model.safetensors"] = [1000] + [0] * 20
    with pytest.raises(
        CheckpointError,
        match=f"'{NAME}': the download broke off: .*; run the same command again, it fetches",
    ):
        found()
    hub.cut.clear()
    hub.requests.clear()
    assert "model.safetensors" in found().files
    assert downloads(hub) == ["model.safetensors"]


def test_half_a_download_without_network_is_told(hub, gpt2):
    hub.add(NAME, gpt2)
    hub.cut["model.safetensors"] = [0] * 20
    with pytest.raises(CheckpointError):
        found()
    hub.stop()
    with pytest.raises(CheckpointError, match=f"'{NAME}' is only partly in the local cache, and the hub can"):
        found()
    hub.start_again()


def test_a_repository_that_does_not_exist_is_told(hub, monkeypatch):
    for token in (None, "hf_x"):
        if token:
            monkeypatch.setenv("HF_TOKEN", token)
        with pytest.raises(CheckpointError) as error:
            found("uer/gpt2-chinese-pome")
        assert str(error.value) == (
            "'uer/gpt2-chinese-pome' is neither a folder here nor a repository on the hub: check the spelling, "
            "give a local folder, or set HF_TOKEN if it is private"
        )


def test_a_misspelled_folder_or_embedded_name_is_guessed(hub, gpt2, tmp_path, monkeypatch):
    from runner.backends import places

    monkeypatch.setattr(places, "ASSETS", tmp_path / "assets")
    (tmp_path / "assets" / "poem_gpt2").mkdir(parents=True)
    (tmp_path / "assets" / "poem_gpt2" / "config.json").touch()
    (tmp_path / "outputs" / "run").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match="; embedded: poem_gpt2$"):
        found("poem_gpt")
    with pytest.raises(CheckpointError, match="; in outputs nearest: run$"):
        found("outputs/runn")


def test_a_gated_repository_names_the_remedy_and_a_token_opens_it(hub, gpt2, monkeypatch):
    commit = hub.add(NAME, gpt2)
    hub.gated.add(NAME)
    with pytest.raises(CheckpointError) as error:
        found()
    page = f"{hub.url}/{NAME}"
    assert str(error.value) == f"'{NAME}' is gated: accept its terms on its page ({page}) and set HF_TOKEN"
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert found().commit == commit


def test_the_token_comes_from_the_environment_and_goes_to_the_hub_only(hub, gpt2, monkeypatch, tmp_path):
    from huggingface_hub import constants

    (tmp_path / "token").write_text("hf_stored")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    hub.add("a/public", gpt2)
    found("a/public")
    assert {token for _, _, token in hub.requests} == {None}
    hub.requests.clear()
    hub.add("a/private", gpt2)
    hub.private.add("a/private")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    found("a/private")
    assert {token for _, path, token in hub.requests if path.startswith("/cdn")} == {None}
    assert {token for _, path, token in hub.requests if not path.startswith("/cdn")} == {"hf_secret"}


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_repository_that_lacks_a_file_is_told(hub, gpt2, loaded, missing):
    (gpt2 / missing).unlink()
    hub.add(NAME, gpt2)
    with pytest.raises(CheckpointError, match="has no (config.json|weights|tokenizer)"):
        loaded(NAME)


def test_a_tokenizer_from_the_hub(hub, gpt2, uer, loaded):
    hub.add(NAME, uer)
    assert type(loaded(gpt2, tokenizer=NAME).processor).__name__ == "BertTokenizer"
    assert "pytorch_model.bin" not in downloads(hub)


@pytest.mark.parametrize("name", ["a--b/c", "x.git", "-a/b", "a/b c"])
def test_names_that_the_hub_does_not_allow_are_refused(hub, name):
    with pytest.raises(CheckpointError, match="is neither a folder here nor|does not exist"):
        found(name)


def test_downloading_prints_nothing(hub, gpt2, capfd):
    hub.add(NAME, gpt2)
    hub.cut["model.safetensors"] = [1000]
    found()
    assert capfd.readouterr() == ("", "")


def test_the_endpoint_of_the_environment_is_used(gpt2, tmp_path):
    code = (
        "from runner.backends.checkpoint import find; from runner.config import CheckpointConfig; "
        f"print(find(CheckpointConfig(name_or_path={NAME!r}), 'AutoModelForCausalLM').commit)"
    )
    with HubServer() as hub:
        commit = hub.add(NAME, gpt2)
        environment = os.environ | {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home")}
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert (out.stdout.strip(), out.stderr) == (commit, "")
    assert (tmp_path / "home" / "hub").is_dir()


def test_a_data_set_loads_from_this_hub(tmp_path):
    code = (
        "from datasets import load_dataset; rows = load_dataset('someone/poems', split='train'); "
        "print(len(rows), rows[0]['text'])"
    )
    with HubServer() as hub:
        hub.add("someone/poems", {"train.jsonl": '{"text": "床前"}\n{"text": "明月"}\n'.encode()}, kind="datasets")
        environment = os.environ | {
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(tmp_path / "home"),
            "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
        }
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert out.stdout.strip() == "2 床前", out.stderr[-3000:]


def test_hashes_of_large_files_are_taken_from_the_cache(hub, gpt2, monkeypatch):
    hub.add(NAME, gpt2)
    found()
    read: list[str] = []
    digest = hashlib.file_digest

    def noted(file, kind):
        read.append(Path(file.name).name)
        return digest(file, kind)

    monkeypatch.setattr(hashlib, "file_digest", noted)
    found()
    assert "config.json" in read
    assert "model.safetensors" not in read


def test_a_refusal_that_is_neither_gate_nor_absence_is_told(hub, gpt2):
    hub.add(NAME, gpt2)
    hub.refuses = 403
    with pytest.raises(CheckpointError, match=rf"'{NAME}' refuses access \(403\): check HF_TOKEN and its permissions"):
        found()


def test_a_hub_that_goes_away_during_the_download_is_told(hub, gpt2, monkeypatch):
    from runner.backends.hub import Repository

    hub.add(NAME, gpt2)
    fetch = Repository.fetch

    def without_hub(self, patterns):
        hub.stop()
        return fetch(self, patterns)

    monkeypatch.setattr(Repository, "fetch", without_hub)
    with pytest.raises(CheckpointError, match=f"'{NAME}'.*(broke off|only partly).*run the same command again"):
        found()
    hub.start_again()
