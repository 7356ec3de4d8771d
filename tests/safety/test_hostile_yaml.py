"""Files that cost more than their size, or hold what is no data."""

import resource
import time

import pytest

from runner.compose import compose
from runner.config import freeze
from runner.errors import ConfigError

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGED = "a: &a {x: 1, y: 2}\n" + "".join(
    f"{new}: &{new} {{p: *{old}, q: *{old}, r: *{old}, <<: *{old}}}\n"
    for old, new in zip("abcdefghijk", "bcdefghijkl", strict=True)
)
FILES = {
    "alias bomb": (BOMB, "when its aliases are written out"),
    "bomb of merge keys": (MERGED, "when its aliases are written out"),
    "an alias inside itself": ("a: &a [*a]\n", "when its aliases are written out"),
    "a large file": ("a: " + "x" * 300_000, "is 300,003 bytes long"),
    "deep nesting": ("a: " + "[" * 100_000, "is no YAML"),
    "no YAML": ("a: [\n", "is no YAML"),
    "not UTF-8": (b"a: \xff\xfe", "is no YAML"),
    "a control character": ("a: \x07", "is no YAML"),
    "python/object/apply": ("seed: !!python/object/apply:os.system [pwn]\n", "is no YAML: the tag"),
    "python/object/new": ("seed: !!python/object/new:subprocess.Popen [[pwn]]\n", "is no YAML: the tag"),
    "python/module": ("seed: !!python/module:antigravity\n", "is no YAML: the tag"),
    "a tag of its own": ("seed: !evil x\n", "is no YAML: the tag"),
    "interpolations": ("name: '" + "${seed}" * 30 + "'\n", "at most 20 interpolations"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_is_refused_in_seconds_and_little_memory(cli, untouched, tmp_path, name):
    content, told = FILES[name]
    folder = tmp_path / "groups"
    (folder / "experiment").mkdir(parents=True)
    evil = folder / "experiment" / "evil.yaml"
    text = content if isinstance(content, bytes) else content.encode()
    evil.write_bytes(b"# @package _global_\n" + text if name == "interpolations" or "seed" in str(content) else text)
    start, memory = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ended = cli("--config-dir", str(folder), "experiment=evil")
    assert ended.code == 2 and told in ended.err and "Traceback" not in ended.err, ended.err[-2000:]
    assert time.process_time() - start < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 100_000  # KiB
    untouched(added=[folder, evil.parent, evil])


def test_aliases_as_people_use_them_are_read(tmp_path):
    (tmp_path / "experiment").mkdir()
    text = "# @package _global_\ntrain: {max_steps: &n 7, save_every: *n}\n"
    (tmp_path / "experiment" / "mine.yaml").write_text(text)
    assert freeze(compose(["experiment=mine"], str(tmp_path))).train.save_every == 7


def test_a_chain_of_interpolations_is_refused_before_it_is_resolved(cli, untouched):
    ten = "${name}" * 10
    chain = [
        f"data.prompts=['{ten}']",
        "name='" + "${output_dir}" * 10 + "'",
        "output_dir='" + "${data.path}" * 10 + "'",
    ]
    start = time.process_time()
    ended = cli(*chain)
    assert ended.code == 2 and "at most 20 interpolations (${...}) must hold, but got 30" in ended.err
    assert time.process_time() - start < 5
    untouched()


@pytest.mark.parametrize("text", ["${oc.env:HF_TOKEN}", "${oc.env:HF_TOKEN,none}", "${oc.env:AWS_SECRET_ACCESS_KEY}",
                                  "${oc.env:${name}}", "x${oc.decode:${oc.env:HF_TOKEN}}y"])  # fmt: skip
def test_secrets_of_the_environment_are_not_copied(cli, untouched, monkeypatch, text):
    monkeypatch.setenv("HF_TOKEN", "opensesame")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "opensesame")
    ended = cli("name=HF_TOKEN", f"data.prompts=['{text}']")
    assert ended.code == 2 and "looks like a secret" in ended.err and "opensesame" not in ended.err + ended.out
    assert not list(cli.home.rglob("*.yaml"))
    untouched()


@pytest.mark.parametrize("text", ["${oc.create:{_target_: os.system}}", "${python:1}", "${eval:1}",
                                  "${hydra:runtime.cwd}",
                                  "${seed", "${no.such}", "${data.prompts}", "${oc.env:}"])  # fmt: skip
def test_resolvers_run_nothing(cli, untouched, text):
    ended = cli(f"data.prompts=['{text}']")
    assert ended.code == 2 and "Traceback" not in ended.err, ended.err
    untouched()


def test_other_variables_may_be_used(monkeypatch):
    monkeypatch.setenv("FOLDER", "here")
    assert freeze(compose(["output_dir=${oc.env:FOLDER}", "name=${oc.env:NONE,x}"])).output_dir == "here"
    with pytest.raises(ConfigError, match="environment variable NONE is not set"):
        freeze(compose(["name=${oc.env:NONE}"]))


SECRETS = ("+hf_token=hf_SECRET1234567", "name=hf_SECRET1234567", "++checkpoint.options.token=SECRET1234567",
           "++train.arguments.hub_token=SECRET1234567", "data.prompts=[a hf_SECRET1234567]",
           "+hf_SECRET1234567=1", "mode=hf_SECRET1234567", "[hf_SECRET1234567")  # fmt: skip


@pytest.mark.parametrize("override", SECRETS)
@pytest.mark.parametrize("flags", ([], ["-m"], ["--cfg", "job"]), ids=lambda flags: " ".join(flags))
def test_a_secret_is_refused_and_never_shown(cli, untouched, override, flags):
    ended = cli(*flags, override)
    assert ended.code == 2 and "SECRET1234567" not in ended.out + ended.err, ended.err
    untouched()


@pytest.mark.parametrize("override", ("task.name=../../outside", "task.name=/tmp/outside", "task.name=''",
                                      "task.name=a/b",
                                      "train.arguments.output_dir=../outside", "train.arguments.logging_dir=../outside",
                                      "train.arguments.push_to_hub=true", "checkpoint.name_or_path=../../../etc",
                                      "data.path=asset:../../config.py", "checkpoint.options.cache_dir=../outside",
                                      "checkpoint.options.offload_folder=../outside",
                                      "checkpoint.options.trust_remote_code=true",
                                      "checkpoint.options.weights_only=false"))  # fmt: skip
def test_a_path_or_option_that_leads_elsewhere_is_refused(cli, untouched, override):
    ended = cli(override)
    assert ended.code == 2 and "Traceback" not in ended.err, ended.err
    untouched()


def test_control_characters_are_shown_as_escapes(cli, untouched):
    ended = cli("name=\x1b]0;title\x07", "mode=\x1b[2J")
    assert ended.code == 2 and "\x1b" not in ended.err and "\x07" not in ended.err
    untouched()
