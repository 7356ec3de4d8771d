"""A configuration names classes; whatever else it names is refused in one line before anything is loaded."""

import re

import pytest

from runner.build import build
from runner.errors import ConfigError
from runner.types import Encode, Interpret, Metric, Rule

CALLS = {  # what would do harm if it were called with these arguments
    "os.system": "command: pwn",
    "os.popen": "cmd: pwn",
    "posix.system": "command: pwn",
    "subprocess.run": "args: [pwn]",
    "subprocess.Popen": "args: [pwn]",
    "distutils.spawn.spawn": "cmd: [pwn]",
    "builtins.eval": '_args_: [\'__import__("os").system("pwn")\']',
    "builtins.exec": '_args_: [\'__import__("os").system("pwn")\']',
    "builtins.__import__": "name: antigravity",
    "torch.load": "f: evil.bin, weights_only: false",
    "torch.hub.load": "repo_or_dir: here, model: x, source: local",
    "pandas.read_pickle": "filepath_or_buffer: evil.pkl",
    "pickle.loads": "data: x",
    "pathlib.Path.write_text": "self: PWNED, data: x",
    "shutil.copy": "src: a, dst: b",
    "shutil.rmtree": "path: .",
    "pip._internal.cli.main.main": "args: [install, evil]",
    "importlib.import_module": "name: antigravity",
    "hydra.utils.instantiate": "config: {_target_: os.system, command: pwn}",
    "runner.build.importlib.import_module": "name: antigravity",
    "runner.files.os.system": "command: pwn",
    "runner.files.os": "command: pwn",
    "runner.manifest.subprocess.run": "args: [pwn]",
    "runner.compose.hydra_compose": "config_name: config",
    "runner.compose.compose": "overrides: []",
    "runner.files.write_text": "path: PWNED, text: x",
    "runner.record.Record": "config: x",
    "runner.train.tune.shutil": "path: .",
    "runner.__main__.main": "arguments: [rerun=true]",
    "runner": "x: 1",
    "os": "x: 1",
    ".os.system": "command: pwn",
    "runner..build.build": "x: 1",
    "runner.build/../../evil.Evil": "x: 1",
    '"runner\\0.x.Y"': "x: 1",
    "42": "x: 1",
    "[os.system]": "x: 1",
    "null": "x: 1",
}
PLACES = ("task.predict.encode", "task.predict.interpret", "task.evaluate.encode", "task.teach", "decode.rule",
          "task.evaluate.metrics.likelihood")  # fmt: skip


@pytest.mark.parametrize("target", CALLS)
@pytest.mark.parametrize("place", ("task.predict.encode", "decode.rule"))
def test_a_hostile_target_is_refused_as_one_problem(cli, untouched, target, place):
    written = target if target.startswith(('"', "[")) or target in ("null", "42") else f"'{target}'"
    step = ["decode.loop=step"] if place == "decode.rule" else []
    ended = cli(*step, f"{place}._target_={written}")
    assert ended.code == 2 and ended.err.startswith("1 problem in "), ended.err
    assert "Traceback" not in ended.err and f"{place}._target_" in ended.err
    untouched()


@pytest.mark.parametrize("target", CALLS)
def test_a_hostile_file_is_refused_in_one_line(cli, untouched, tmp_path, target):
    folder = cli.home.parent / "groups"
    (folder / "experiment").mkdir(parents=True)
    evil = folder / "experiment" / "evil.yaml"
    evil.write_text(f"# @package _global_\ntask:\n  predict:\n    encode: {{_target_: {target}, {CALLS[target]}}}\n")
    ended = cli("--config-dir", str(folder), "experiment=evil")
    assert ended.code == 2 and "Traceback" not in ended.err, ended.err
    assert "task.predict.encode" in ended.err
    untouched(added=[folder, evil.parent, evil])


@pytest.mark.parametrize("place", PLACES)
def test_every_place_that_builds_refuses_what_is_not_trusted(cli, untouched, place):
    step = ["decode.loop=step"] if place == "decode.rule" else []
    ended = cli(*step, f"++{place}={{_target_: os.system, command: pwn}}")
    assert ended.code == 2 and f"{place}._target_  'os.system' is not trusted" in ended.err, ended.err
    untouched()


NOWHERE = (  # places that build nothing
    "++checkpoint.options={_target_: os.system, command: pwn}",
    "++checkpoint.options.quantization_config={_target_: os.system, command: pwn}",
    "++checkpoint.architecture={_target_: os.system, model_type: gpt2}",
    "++train.arguments={_target_: os.system, command: pwn}",
    "++data.columns={_target_: os.system}",
    "++decode.cache_config={_target_: os.system, command: pwn}",
    "++decode.watermarking_config={_target_: os.system, command: pwn}",
    "decode.sequence_bias=[{_target_: os.system, command: pwn}]",
    "++checkpoint.options.x=[{_target_: os.system, _partial_: true}]",
)


@pytest.mark.parametrize("override", NOWHERE)
def test_a_target_where_nothing_is_built_is_refused(cli, untouched, override):
    ended = cli(override)
    assert ended.code == 2 and re.search(r"_target_ +names code: only task.\* and decode.rule", ended.err), ended.err
    untouched()


@pytest.mark.parametrize("key", ("_partial_", "_args_", "_recursive_", "_convert_"))
def test_the_keys_of_instantiate_mean_nothing(cli, untouched, key):
    ended = cli(f"++task.predict.encode.{key}=[pwn]")
    assert ended.code == 2 and f"task.predict.encode.{key}  no such option" in ended.err
    untouched()


def test_a_nested_target_is_refused(cli, untouched):
    ended = cli("+task.predict.encode.column={_target_: os.system, command: pwn}")
    assert ended.code == 2 and "task.predict.encode.column  must be str, but got {'_target_'" in ended.err
    untouched()


@pytest.mark.parametrize(("place", "target", "told"), [
    ("task.predict.encode", "runner.metrics.verse.WellFormed", "is not a Encode: it lacks __call__"),
    ("task.predict.encode", "runner.teach.causal.Causal", "is not a Encode: it is a Teach"),
    ("task.predict.interpret", "runner.encode.prompt.Prompt", "it is a Encode"),
    ("task.evaluate.metrics.likelihood", "runner.interpret.likelihood.Likelihood", "it lacks numbers"),
    ("decode.rule", "runner.interpret.likelihood.Likelihood", "must take (tokens, logits, generator)"),
    ("task.predict.encode", "runner.config.Config", "missing 1 required"),
])  # fmt: skip
def test_a_class_of_another_kind_is_refused(place, target, told):
    kind = {"encode": Encode, "interpret": Interpret, "likelihood": Metric, "rule": Rule}[place.rpartition(".")[2]]
    with pytest.raises(ConfigError) as refused:
        build({"_target_": target}, place, kind)
    assert told in str(refused.value)


PACKAGE = '''
import os, pathlib
from dataclasses import dataclass

@dataclass(frozen=True)
class Shout:
    """The prompt itself, in capitals."""

    def __call__(self, model, row, features, outputs):
        return row["text"].upper()
'''


def test_a_package_of_ones_own_is_refused_until_it_is_trusted(cli, untouched):
    package = cli.home / "my_package.py"
    package.write_text(PACKAGE + "\npathlib.Path(os.environ['PWNED']).touch()\n")
    ended = cli("task.predict.interpret._target_=my_package.Shout")
    assert ended.code == 2
    assert "trust a package of your own with the environment variable RUNNER_TRUST=my_package" in ended.err
    untouched(added=[package])


def test_a_trusted_package_in_the_working_directory_works(tmp_path, monkeypatch):
    (tmp_path / "their_package.py").write_text(PACKAGE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNNER_TRUST", "their_package, another")
    made = build({"_target_": "their_package.Shout"}, "task.predict.interpret", Interpret)
    assert made(None, {"text": "a"}, [], []) == "A"
    with pytest.raises(ConfigError, match="must take"):
        build({"_target_": "their_package.Shout"}, "task.predict.encode", Encode)
    with pytest.raises(ConfigError, match="is not a dataclass of their_package"):
        build({"_target_": "their_package.pathlib"}, "task.predict.encode", Encode)
