"""A configuration is data: it names no code, carries no secret and leaves the output directory by no name."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import get_type_hints

import pytest

from runner.config import Config
from runner.secret import redacted, secret_problem

SECRETS = {
    "+hf_token=hf_SECRET12345678": "hf_token",
    "checkpoint.options.token=hf_SECRET12345678": "checkpoint.options.token",
    "+checkpoint.options.api_key=hf_SECRET12345678": "checkpoint.options.api_key",
    "name=hf_SECRET12345678": "name",
    "data.prompts=['see hf_SECRET12345678']": "data.prompts",
    "name=github_pat_11ABCDEFG0_SECRET12345678": "name",
    "name=glpat-SECRET12345678xyz": "name",
    "name=xoxb-123456789012-SECRET12345678": "name",
    "name=AIzaSyA-SECRET12345678-0123456789": "name",
    "name='Bearer eyJhbGciOiJIUzI1NiJ9.SECRET12345678.x'": "name",
    "data.path=https://user:SECRET12345678@host/rows.txt": "data.path",
    "+checkpoint.options.password=SECRET12345678": "checkpoint.options.password",
    "+checkpoint.options.db_passwd=SECRET12345678": "checkpoint.options.db_passwd",
    "checkpoint.options.private_key=SECRET12345678": "checkpoint.options.private_key",
    "train.arguments={aws_secret_access_key: SECRET12345678}": "train.arguments.aws_secret_access_key",
    "+checkpoint.options.passphrase=[SECRET12345678": "checkpoint.options.passphrase",
}
HARMLESS = (
    "checkpoint.architecture.share_att_key=true",
    "checkpoint.architecture.num_key_value_heads=2",
    "decode.max_new_tokens=3",
    "name='the bearer certificates of 1900'",
    "data.path=https://host/a@b",
    "data.columns.text=key",
)
CODE = [
    "task.predict.encode._target_=os.system",
    "task.predict.interpret={_target_: distutils.spawn.spawn, cmd: [touch, PWNED]}",
    "task.predict.encode._target_=runner.experiment.run",
    "decode.rule={_target_: distutils.spawn.spawn, cmd: [touch, PWNED]}",
    "+hydra.callbacks.x={_target_: distutils.spawn.spawn, cmd: [touch, PWNED]}",
    "hydra.searchpath=[pkg://os]",
    "checkpoint.options.x={_target_: distutils.spawn.spawn, cmd: [touch, PWNED]}",
]


@pytest.fixture
def arguments(tiny):
    return ("checkpoint=pretrained", f"checkpoint.name_or_path={tiny}", "data.prompts=['山水']", "engine.threads=1",
            "decode.max_new_tokens=3")  # fmt: skip


@pytest.mark.parametrize(("override", "key"), SECRETS.items())
def test_a_secret_is_refused_and_written_nowhere(cli, arguments, override, key):
    ended = cli(*arguments, override)
    assert ended.code == 2
    assert f"{key}  " in ended.err and "give secrets by environment (HF_TOKEN=...)" in ended.err
    assert "SECRET12345678" not in ended.out + ended.err
    assert list(cli.home.iterdir()) == []


def options(kind: type, path: str = "") -> Iterator[str]:
    hints = get_type_hints(kind)
    for field in fields(kind):
        yield f"{path}{field.name}"
        if is_dataclass(inner := hints[field.name]):
            yield from options(inner, f"{path}{field.name}.")


@pytest.mark.parametrize("name", list(options(Config)))
def test_no_option_of_the_schema_is_called_a_secret(name):
    assert secret_problem(name, "value") is None


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_resembles_a_secret_is_taken(text):
    assert secret_problem(*text.partition("=")[::2]) is None
    assert redacted(text) == text


def test_a_secret_in_the_environment_is_written_nowhere(cli, arguments, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_SECRET12345678")
    assert cli(*arguments).code == 0
    files = [path for path in cli.home.rglob("*") if path.is_file()]
    assert files and not [path for path in files if b"SECRET12345678" in path.read_bytes()]


@pytest.mark.parametrize("flags", [(), ("-m",), ("--cfg", "job")])
@pytest.mark.parametrize("override", CODE)
def test_code_named_in_a_configuration_is_not_run(cli, arguments, override, flags):
    ended = cli(*flags, *arguments, override)
    assert not list(cli.home.rglob("PWNED"))
    assert not list(cli.home.glob("outputs/*/*"))
    if flags != ("--cfg", "job"):  # which shows a configuration and builds nothing
        assert ended.code == 2, ended.out
        assert "Traceback" not in ended.err


def test_plugins_in_the_working_directory_are_not_imported(spawn, tmp_path, arguments):
    home = tmp_path / "home"
    (home / "hydra_plugins" / "evil").mkdir(parents=True)
    (home / "hydra_plugins" / "evil" / "__init__.py").write_text("open('PWNED', 'w')\n")
    for name in ("hydra", "torch", "rich"):
        (home / f"{name}.py").write_text("open('PWNED', 'w')\n")
    process = spawn(*arguments, cwd=home)
    told, _ = process.communicate(timeout=180)
    assert process.returncode == 0, told
    assert not (home / "PWNED").exists()


@pytest.mark.parametrize(
    "override",
    [
        "name=../../x", "name=/etc/x", f"name={'n' * 300}", "name='山\u3000水'", "name='a\nb'",
        f"data.prompts=['{'山' * 60}']", "data.prompts=['../../../x','a;b|c \"d\"']", "seed=0",
    ],
)  # fmt: skip
def test_names_never_leave_the_output_directory(cli, arguments, override, tmp_path):
    outside = sorted(tmp_path.iterdir())
    ended = cli(*arguments, override)
    assert (ended.code, ended.err) == (0, "")
    (run,) = cli.runs
    assert run.resolve().is_relative_to(cli.home / "outputs")
    assert sorted(tmp_path.iterdir()) == outside
    assert [path.name for path in cli.home.iterdir()] == ["outputs"]
    if override.startswith("name="):
        name = override.partition("=")[2].strip("'")
        assert json.loads((run / "manifest.json").read_text())["name"] == name
    assert all(0 < len(part.encode()) <= 255 for part in run.parts[1:])


@pytest.mark.parametrize("name", ["../../../x", "/etc/x", "..", "n" * 300, "山" * 300, "a\nb"])
def test_a_task_whose_name_is_no_plain_word_is_refused(cli, arguments, name):
    """It is a directory below the output directory."""
    ended = cli(*arguments, f"task.name='{name}'")
    assert ended.code == 2
    assert ended.err.startswith("1 problem in the configuration:\n  task.name  ")
    assert list(cli.home.iterdir()) == []


OWN = {  # name: (the module own.py, what is told of decode.rule)
    "syntax": ("def (", "._target_  module 'own' cannot be imported: SyntaxError: invalid syntax"),
    "raises": ("1 / 0", "._target_  module 'own' cannot be imported: ZeroDivisionError: division by zero"),
    "exits": ("import sys\nsys.exit(3)", "._target_  module 'own' cannot be imported: SystemExit: 3"),
    "made": (
        "from dataclasses import dataclass\n@dataclass\nclass Rule:\n    def __post_init__(self): raise KeyError('x')",
        "  own.Rule: KeyError: 'x'",
    ),
}


@pytest.mark.parametrize("name", OWN)
def test_a_module_of_the_users_own_that_fails_is_told(cli, arguments, monkeypatch, name):
    code, told = OWN[name]
    (cli.home / "own.py").write_text(code)
    monkeypatch.setenv("RUNNER_TRUST", "own")
    monkeypatch.delitem(sys.modules, "own", raising=False)
    importlib.invalidate_caches()
    ended = cli(*arguments, "decode.loop=step", "decode.rule={_target_: own.Rule}")
    sys.modules.pop("own", None)
    assert ended.code == 2
    assert ended.err.startswith(f"1 problem in the configuration:\n  decode.rule{told}"), ended.err
    assert ended.err.count("\n") == 2


@pytest.mark.parametrize("key", ["task.predict.encode", "task.evaluate.metrics.likelihood"])
def test_a_value_where_a_class_is_expected_is_refused(cli, arguments, key):
    ended = cli(*arguments, f"{key}=x")
    assert ended.code == 2
    assert ended.err == f"1 problem in the configuration:\n  {key}  must name a class by _target_, but got 'x'\n"
