import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from runner.config import DataConfig
from runner.data import Columns, hub, open_split
from runner.errors import DataError

NO_NETWORK = """
import socket, sys
def refuse(*args, **kwargs): raise OSError("the tests have no network")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
from runner.config import DataConfig
from runner.data import Columns, open_split
from runner.errors import DataError
try:
    open_split(DataConfig(path=sys.argv[1]), "rows", Columns(("text",)))
except DataError as error:
    print(error)
"""


def test_a_dataset_that_is_neither_here_nor_reachable_is_told_with_the_remedy(tmp_path):
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "cache")}
    command = [sys.executable, "-c", NO_NETWORK, "owner/poems"]
    told = subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout.strip()
    assert told.startswith(
        "'owner/poems' is neither a file or folder here nor a dataset in the local cache, and the hub"
    )
    assert told.endswith("give a local path, or run once with network")
    assert "\n" not in told


@pytest.fixture
def datasets(monkeypatch):
    datasets = pytest.importorskip("datasets")
    return lambda answer: monkeypatch.setattr(datasets, "load_dataset", answer)


def raising(error):
    def load(path, name, revision, token):
        raise error

    return load


def refusal(**options):
    with pytest.raises(DataError) as caught:
        open_split(DataConfig(path="owner/poems", **options), "rows", Columns(("text",)))
    return str(caught.value)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            RuntimeError("Dataset scripts are no longer supported, but found poems.py"),
            "dataset 'owner/poems' needs a loading script, and code from the hub is never run: "
            "give data.revision=refs/convert/parquet, or a file as data.path",
        ),
        (
            ConnectionError("Couldn't reach 'owner/poems' on the Hub"),
            "'owner/poems' is neither a file or folder here nor a dataset in the local cache, "
            "and the hub cannot be reached (Couldn't reach 'owner/poems' on the Hub): "
            "give a local path, or run once with network",
        ),
        (
            FileNotFoundError("Dataset 'owner/poems' doesn't exist on the Hub"),
            "'owner/poems' is neither a file or folder here nor a dataset that the hub shows us: "
            "Dataset 'owner/poems' doesn't exist on the Hub",
        ),
        (
            ValueError("Config name is missing.\nPlease pick one among the available configs: ['tang', 'song']"),
            "dataset 'owner/poems': Config name is missing. Please pick one among the available configs: "
            "['tang', 'song']: choose with data.name=<configuration>",
        ),
        (KeyError("odd"), "dataset 'owner/poems' cannot be loaded (KeyError): 'odd'"),
    ],
)
def test_what_the_hub_refuses_is_told_in_one_line(datasets, error, told):
    datasets(raising(error))
    assert refusal() == told


def test_the_name_of_a_file_format_does_not_read_the_working_directory():
    pytest.importorskip("datasets")
    with pytest.raises(DataError) as caught:
        hub.hub_splits(DataConfig(path="csv"))
    assert str(caught.value) == "'csv' is no dataset but a file format: give the file as data.path"


def test_rows_of_a_dataset_have_the_same_checks_and_are_known_by_commit_and_fingerprint(datasets):
    from datasets import Dataset

    rows = Dataset.from_dict({"poem": ["a", None, "b"], "id": [1, 2, 3]})
    commit = "0123456789" * 4
    rows.info.download_checksums = {f"hf://datasets/owner/poems@{commit}/test.parquet": {}}
    datasets(lambda path, name, revision, token: {"train": rows, "test": rows})
    split = open_split(
        DataConfig(path="owner/poems", columns={"text": "poem"}, on_bad_row="skip"), "rows", Columns(("text",))
    )
    assert (split.name, split.rejected) == ("owner/poems/test", 1)
    assert list(split) == [
        {"row": 0, "place": "owner/poems/test:1", "text": "a", "others": {"id": 1}},
        {"row": 1, "place": "owner/poems/test:3", "text": "b", "others": {"id": 3}},
    ]
    assert list(split.files) == [f"owner/poems@{commit}/test"]
    assert refusal(columns={"text": "peom"}) == (
        "data.columns.text=peom: owner/poems/test has no such column; nearest: poem"
    )
    assert refusal(split="dev") == "data.split=dev: owner/poems has no such split; known: test, train"


def test_a_configuration_and_a_revision_are_passed_on(datasets):
    from datasets import Dataset

    asked = []

    def load(path, name, revision, token):
        asked.append((path, name, revision, token))
        return {"only": Dataset.from_dict({"text": ["a"]})}

    datasets(load)
    split = open_split(DataConfig(path="owner/poems", name="tang", revision="v1"), "rows", Columns(("text",)))
    assert asked == [("owner/poems", "tang", "v1", False)]
    assert (split.name, list(split.files)) == ("owner/poems:tang/only", ["owner/poems@v1/only"])


def test_only_a_token_of_the_environment_is_sent(datasets, monkeypatch, tmp_path):
    from datasets import Dataset
    from huggingface_hub import HfApi, constants

    (tmp_path / "token").write_text("hf_stored")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    sent = []
    monkeypatch.setattr(HfApi, "dataset_info", lambda self, *_, **__: sent.append(self.token))

    def load(path, name, revision, token):
        sent.append(token)
        return {"only": Dataset.from_dict({"text": ["a"]})}

    datasets(load)
    open_split(DataConfig(path="owner/poems"), "rows", Columns(("text",)))
    monkeypatch.setenv("HF_TOKEN", "hf_given")
    open_split(DataConfig(path="owner/poems"), "rows", Columns(("text",)))
    assert sent == [False, False, "hf_given", "hf_given"]


def test_a_dataset_without_recorded_addresses_is_known_by_its_revision():
    dataset = SimpleNamespace(info=SimpleNamespace(download_checksums=None))
    assert hub._commit(dataset, DataConfig(path="a")) == "main"


def test_class_labels_come_by_the_names_that_the_dataset_gives_them(datasets):
    from datasets import ClassLabel, Dataset, Features, Sequence, Value

    kinds = Features(
        text=Value("string"), label=ClassLabel(names=["no", "yes"]), tags=Sequence(ClassLabel(names=["O", "B-x"]))
    )
    rows = Dataset.from_dict({"text": ["a", "b"], "label": [1, -1], "tags": [[0, 1], [0]]}, features=kinds)
    datasets(lambda path, name, revision, token: {"test": rows})
    split = open_split(DataConfig(path="owner/poems"), "rows", Columns(("text",), ("label", "tags")))
    assert [(row.get("label"), row["tags"]) for row in split] == [("yes", ["O", "B-x"]), (None, ["O"])]
