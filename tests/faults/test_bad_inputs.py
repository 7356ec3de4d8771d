"""Every mistake a user can make at the command line: one line, its exit code, and nothing lost."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runner.compose import composer

ROOT = Path(__file__).resolve().parents[2]
ROW = '{"text": "山水"}\n'
LONG = "山" * 70
PROMPTS = "data.prompts=['山水','春风']"


@dataclass(frozen=True)
class Given:
    """What a mistake is made of."""

    folder: Path
    tiny: Path

    def file(self, name: str, content: str | bytes) -> list[str]:
        (self.folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return ["data=files", f"data.path={self.folder / name}"]

    def without(self, *patterns: str) -> list[str]:
        for path in [path for pattern in patterns for path in self.tiny.glob(pattern)]:
            path.unlink()
        return [PROMPTS]

    def cut(self, name: str, size: int) -> list[str]:
        os.truncate(self.tiny / name, size)
        return [PROMPTS]

    def config(self, **values: Any) -> list[str]:
        path = self.tiny / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | values))
        return [PROMPTS]

    def checkpoint(self, name: str) -> list[str]:
        return [f"checkpoint.name_or_path={name}", PROMPTS]

    def weights(self, value: float) -> list[str]:
        import torch
        from safetensors.torch import load_file, save_file

        path = self.tiny / "model.safetensors"
        tensors = {name: tensor.clone() for name, tensor in load_file(path).items()}
        tensors["transformer.ln_f.weight"][0] = torch.tensor(value)
        save_file(tensors, path, {"format": "pt"})
        return [PROMPTS]


REFUSED = {  # name: (what is asked, what is told; FOLDER and TINY stand for the paths)
    "unknown key": (
        lambda g: [PROMPTS, "decode.max_new_token=3"],
        "1 problem in the configuration:\n"
        "  decode.max_new_token  no such key; nearest: decode.max_new_tokens, decode.min_new_tokens",
    ),
    "unknown section": (
        lambda g: [PROMPTS, "trian.epochs=3"],
        "1 problem in the configuration:\n  trian.epochs  no such key; nearest: train.epochs.*",
    ),
    "unknown choice": (
        lambda g: [PROMPTS, "decode=sampel"],
        "1 problem in the configuration:\n  decode=sampel  no such choice; nearest: sample",
    ),
    "unknown option": (
        lambda g: [PROMPTS, "--sede=3"],
        "1 problem in the configuration:\n  --sede=3  is no option; see --help",
    ),
    "wrong type": (
        lambda g: [PROMPTS, "seed=abc"],
        "1 problem in the configuration:\n  seed  Value 'abc' of type 'str' could not be converted to Integer",
    ),
    "wrong boolean": (
        lambda g: [PROMPTS, "rerun=perhaps"],
        r"1 problem in the configuration:\n  rerun  Value 'perhaps' is not a valid bool \(type str\)",
    ),
    "several mistakes": (
        lambda g: [PROMPTS, "decode.temprature=1", "seed=-1", "decode.top_p=2", "decode=sampel"],
        "4 problems in the configuration:\n"
        r"(?=(?s:.*)  decode=sampel +no such choice)(?=(?s:.*)  decode.temprature  no such key; nearest: decode.temp)"
        r"(?=(?s:.*)  seed +0 <= seed < 2\*\*32 must hold, but got -1)"
        r"(?=(?s:.*)  decode.top_p +0 < top_p <= 1 must hold, but got 2.0)(.*\n?){4}",
    ),
    "no equals sign": (
        lambda g: [PROMPTS, "seed"],
        "1 problem in the configuration:\n"
        "  seed  cannot be read: write key=value, and quote values with spaces or brackets",
    ),
    "sweep without -m": (
        lambda g: [PROMPTS, "seed=1,2"],
        "1 problem in the configuration:\n  seed=1,2  is a sweep: add -m to run all of its values",
    ),
    "no prompts": (lambda g: ["data.prompts=[]"], "1 problem in the configuration:\n  data.prompts  holds no rows"),
    "a prompt that is no UTF-8": (
        lambda g: ["data.prompts=['\udcff']"],
        r"1 problem in the configuration:\n  data.prompts  is not UTF-8 text: '\\udcff'",
    ),
    "a name that is no UTF-8": (
        lambda g: [PROMPTS, "name=\udcff"],
        r"1 problem in the configuration:\n  name  is not UTF-8 text: '\\udcff'",
    ),
    "beams": (
        lambda g: [PROMPTS, "decode.num_beams=0"],
        "1 problem in the configuration:\n  decode.num_beams  1 <= num_beams <= 1024 must hold, .* 0",
    ),
    "top_p": (
        lambda g: [PROMPTS, "decode.top_p=2"],
        "1 problem in the configuration:\n  decode.top_p  0 < top_p <= 1 must hold, .* 2.0",
    ),
    "no new tokens": (
        lambda g: [PROMPTS, "decode.max_new_tokens=0"],
        "1 problem in the configuration:\n  decode.max_new_tokens  max_new_tokens >= 1 must hold, but got 0",
    ),
    "temperature": (
        lambda g: [PROMPTS, "decode.temperature=-1"],
        "1 problem in the configuration:\n  decode.temperature  temperature > 0 must hold, but got -1.0",
    ),
    "NaN": (
        lambda g: [PROMPTS, "decode.top_p=nan"],
        "1 problem in the configuration:\n  decode.top_p  0 < top_p <= 1 must hold, but got nan",
    ),
    "many beams": (
        lambda g: [PROMPTS, "decode.num_beams=1025"],
        "1 problem in the configuration:\n  decode.num_beams  1 <= num_beams <= 1024 must hold, but got 1025",
    ),
    "threads": (
        lambda g: [PROMPTS, "engine.threads=100000"],
        "1 problem in the configuration:\n  engine.threads  1 <= threads <= 1024 must hold, but got 100000",
    ),
    "slots": (
        lambda g: [PROMPTS, "engine.slots=65537"],
        "1 problem in the configuration:\n  engine.slots  1 <= slots <= 65536 must hold, but got 65537",
    ),
    "batch size": (
        lambda g: [PROMPTS, "train.batch_size=1000001"],
        "1 problem in the configuration:\n  train.batch_size  1 <= batch_size <= 1,000,000 must hold, but got 1000001",
    ),
    "epochs": (
        lambda g: [PROMPTS, "train.epochs=inf"],
        "1 problem in the configuration:\n  train.epochs  0 < epochs < infinity must hold, but got inf",
    ),
    "a device for no arithmetic": (
        lambda g: [PROMPTS, "engine.device=meta"],
        "1 problem in the configuration:\n  engine.device  auto, cpu, cuda or cuda:<number> must hold, but got meta",
    ),
    "a device of other machines": (
        lambda g: [PROMPTS, "engine.device=mps"],
        "1 problem in the configuration:\n  engine.device  auto, cpu, cuda or cuda:<number> must hold, but got mps",
    ),
    "long output directory": (
        lambda g: [PROMPTS, f"output_dir={'x' * 300}"],
        "1 problem in the configuration:\n  output_dir  at most 200 bytes in each part, .* must hold, but got x+",
    ),
    "long name of a file": (
        lambda g: ["data=files", f"data.path={g.folder}/{'x' * 300}.txt"],
        "DataError: data.path=FOLDER/x+ cannot be read: File name too long",
    ),
    "long name of a dataset": (
        lambda g: ["data=files", f"data.path={'x' * 300}"],
        "DataError: data.path=x+ cannot be read: File name too long",
    ),
    "home of nobody": (
        lambda g: ["data=files", "data.path='~nobodyhere/x.txt'"],
        "DataError: data.path=~nobodyhere/x.txt is in no known home directory: ~nobodyhere is no user",
    ),
    "a pipe as checkpoint": (
        lambda g: os.mkfifo(g.folder / "pipe.txt") or g.checkpoint(f"{g.folder}/pipe.txt"),
        "CheckpointError: checkpoint.name_or_path=FOLDER/pipe.txt is neither a folder nor a file",
    ),
    "a file as checkpoint": (
        lambda g: [*g.file("file.txt", "a")[:0], *g.checkpoint(f"{g.folder}/file.txt")],
        "CheckpointError: checkpoint FOLDER/file.txt is a file: give the folder that holds it and its config.json",
    ),
    "a pipe as tokenizer": (
        lambda g: os.mkfifo(g.folder / "pipe") or [PROMPTS, f"checkpoint.tokenizer={g.folder}/pipe"],
        "CheckpointError: checkpoint.tokenizer=FOLDER/pipe is neither a folder nor a file",
    ),
    "missing file": (
        lambda g: ["data=files", f"data.path={g.folder}/nothing.jsonl"],
        "DataError: FOLDER/nothing.jsonl does not exist; in FOLDER: .*",
    ),
    "unreadable file": (
        lambda g: (
            (g.folder / "loop.jsonl").symlink_to("loop.jsonl") or ["data=files", f"data.path={g.folder}/loop.jsonl"]
        ),
        "DataError: FOLDER/loop.jsonl .*",
    ),
    "empty file": (lambda g: g.file("rows.jsonl", ""), "DataError: rows.jsonl holds no rows"),
    "wrong column": (
        lambda g: g.file("rows.jsonl", '{"txt": "a"}\n'),
        r"DataError: .*needs column 'text'; rows.jsonl has txt: map it with data.columns.text=<name>",
    ),
    "null": (
        lambda g: g.file("rows.jsonl", ROW + '{"text": null}\n'),
        r"(?s).*rows.jsonl:2: text is null\n1 of 2 rows are bad: .*on_bad_row=skip leaves them out",
    ),
    "number": (
        lambda g: g.file("rows.jsonl", ROW + '{"text": 7}\n'),
        "(?s).*rows.jsonl:2: text is the number 7, not text.*",
    ),
    "torn JSON": (
        lambda g: g.file("rows.jsonl", ROW + '{"text": "a'),
        "(?s).*rows.jsonl:2: broken JSON: Unterminated.*",
    ),
    "twelve bad rows": (
        lambda g: g.file("rows.jsonl", ROW + '{"text": ""}\n' * 12),
        r"(?s)(.*rows.jsonl:\d+: text is empty\n){10}.*and 2 more\n12 of 13 rows are bad: .*",
    ),
    "invalid UTF-8": (
        lambda g: g.file("rows.jsonl", ROW.encode() + b'{"text": "\xff"}\n'),
        "(?s).*rows.jsonl:2: is not UTF-8: byte 0xff at position 11.*",
    ),
    "UTF-16": (
        lambda g: g.file("rows.jsonl", ROW.encode("utf-16")),
        "DataError: FOLDER/rows.jsonl is UTF-16, not UTF-8: .*",
    ),
    "duplicate key": (
        lambda g: g.file("rows.jsonl", '{"text": "a", "text": "b"}\n'),
        "(?s).*rows.jsonl:1: name 'text' stands twice in one object.*",
    ),
    "empty prompt": (lambda g: ["data.prompts=['']"], "(?s).*data.prompts:1: text is empty.*"),
    "only spaces": (lambda g: ["data.prompts=['  ']"], "(?s).*data.prompts:1: text holds only spaces.*"),
    "no config": (
        lambda g: g.without("config.json"),
        "CheckpointError: checkpoint TINY has no config.json; it holds .*",
    ),
    "no weights": (
        lambda g: g.without("model.safetensors"),
        "CheckpointError: checkpoint TINY has no weights: expected model.safetensors or .*; it holds .*",
    ),
    "cut weights": (
        lambda g: g.cut("model.safetensors", 1000),
        r"CheckpointError: checkpoint TINY: model.safetensors is damaged \(1000 bytes, .*\): copy it again",
    ),
    "another architecture": (
        lambda g: g.config(model_type="vit", architectures=["ViTModel"]),
        r"CheckpointError: checkpoint TINY: architecture vit is not a causal LM \(AutoModelForCausalLM\); it fits: .*",
    ),
    "no such folder": (
        lambda g: g.checkpoint(f"{g.folder}/tinyy"),
        "CheckpointError: checkpoint path FOLDER/tinyy does not exist; in FOLDER nearest: tiny",
    ),
    "hub out of reach": (
        lambda g: g.checkpoint("someone/something"),
        "CheckpointError: 'someone/something' is neither a folder here nor in the local cache, and the hub cannot be "
        "reached: .*",
    ),
    "data hub out of reach": (
        lambda g: ["data=files", "data.path=someone/something"],
        "DataError: 'someone/something' is neither a file or folder here nor a dataset in the local cache, and the hub "
        "cannot be reached .*",
    ),
    "remote code": (
        lambda g: (
            (g.tiny / "evil.py").write_text("open('PWNED', 'w')\n")
            and g.config(model_type="evil", auto_map={"AutoConfig": "evil.C", "AutoModelForCausalLM": "evil.M"})
        ),
        "CheckpointError: .*trust_remote_code.*",
    ),
    "output below a file": (
        lambda g: (g.folder / "file").write_text("") or [PROMPTS, f"output_dir={g.folder}/file/x"],
        "RecordError: cannot write to FOLDER/file/x/causal_lm/.*: not a directory",
    ),
}
FAILED = {  # found once the work has begun: the run says so
    "no tokenizer": (lambda g: g.without("*tok*", "vocab*"), 2, "CheckpointError: TINY has no tokenizer: expected .*"),
    "vocabulary larger than the embedding": (
        lambda g: g.config(vocab_size=20),
        2,
        r"CheckpointError: checkpoint tiny: its tokenizer \(TINY\) has 52 entries, the model's embedding 20",
    ),
    "missing layers": (
        lambda g: g.config(n_layer=4),
        2,
        "CheckpointError: checkpoint TINY: 24 of 52 weights of this model are not in the checkpoint: transformer.h.2.*",
    ),
    "long prompt": (
        lambda g: [f"data.prompts=['山','{LONG}']"],
        2,
        "DataError: data.prompts:2: the prompt has 71 tokens, the context of tiny is 64; "
        "data.on_long_row=truncate cuts its beginning, skip leaves it out",
    ),
    "a million characters": (
        lambda g: g.file("rows.txt", "山" * 1_000_000),
        2,
        "DataError: rows.txt:1: the prompt has 1000001 tokens, the context of tiny is 64; .*",
    ),
    "NaN weights": (lambda g: g.weights(float("nan")), 1, "RunFailed: non-finite logits in the first batch .*"),
    "NaN weights, sampled": (
        lambda g: [*g.weights(float("nan")), "decode.do_sample=true"],
        1,
        "RunFailed: non-finite logits in the first batch .*",
    ),
    "NaN weights, beams": (
        lambda g: [*g.weights(float("nan")), "decode.num_beams=2"],
        1,
        "RunFailed: non-finite logits in the first batch .*",
    ),
    "NaN weights, evaluated": (
        lambda g: [*g.weights(float("nan")), "mode=evaluate"],
        1,
        "RunFailed: non-finite logits while scoring: .*",
    ),
}
WHOLE = "# @package _global_\n"
YAML = {  # name: (what the user's own experiment/x.yaml holds, what is told)
    "unknown key": (f"{WHOLE}sead: 3", "experiment/x.yaml  sead: no such key; nearest: seed"),
    "key of a section": (
        f"{WHOLE}decode: {{top_kk: 3}}",
        "experiment/x.yaml  decode.top_kk: no such key; nearest: decode.top_k",
    ),
    "no package": ("seed: 3", "experiment/x.yaml  its first line must be '# @package _global_'"),
    "wrong type": (f"{WHOLE}seed: abc", "experiment/x.yaml  seed: Value 'abc' of .* converted to Integer"),
    "a list for a number": (f"{WHOLE}seed: [1]", r"experiment/x.yaml  seed: Value '\[1\]' of .* converted to Integer"),
    "a number for a section": (f"{WHOLE}decode: 3", "experiment/x.yaml  decode: must hold keys, but got 3"),
    "null for a section": (f"{WHOLE}decode:", "experiment/x.yaml  decode: must not be null"),
    "a number as key": (f"{WHOLE}3: 4", "experiment/x.yaml  3: no such key; known: checkpoint"),
    "a number as key below": (f"{WHOLE}decode: {{3: 4}}", "experiment/x.yaml  decode.3: no such key"),
    "null as key": (f"{WHOLE}null: 4", "experiment=x  cannot be composed: Incompatible key type 'NoneType'"),
    "empty": ("", "FOLDER/experiment/x.yaml  is empty: it must hold keys, e.g. seed: 1"),
    "a list": ("- a\n- b\n", "FOLDER/experiment/x.yaml  holds a list: it must hold keys"),
    "a text": ("hello", "FOLDER/experiment/x.yaml  holds a single value: it must hold keys"),
    "a key twice": (f"{WHOLE}seed: 1\nseed: 2", "FOLDER/experiment/x.yaml  is no YAML: line 3: .* duplicate key seed"),
    "a list as key": (f"{WHOLE}[a, b]: 2", "FOLDER/experiment/x.yaml  is no YAML: line 2: found unhashable key"),
    "torn interpolation": (f"{WHOLE}name: ${{\n", "experiment=x  cannot be composed: .*"),
    "defaults of itself": (f"{WHOLE}defaults: [x]", "experiment=x  cannot be composed: .* name one another"),
    "defaults that are no list": (f"{WHOLE}defaults: 3", "Invalid defaults list in 'experiment/x'"),
    "a choice that is not there": (f"{WHOLE}defaults: [{{override /decode: nope}}]", ".*Could not find 'decode/nope'"),
}
PATHS = {  # what lies at experiment/x.yaml instead of a file
    "folder": lambda path: path.mkdir(),
    "dangling link": lambda path: path.symlink_to("nowhere"),
    "pipe": lambda path: os.mkfifo(path),
}


@pytest.fixture
def given(tmp_path, tiny):
    return Given(tmp_path, tiny)


@pytest.fixture
def ask(cli, given, contents):
    """Ask for something beside an earlier run, which must stay as it is."""
    earlier = cli.home / "outputs" / "causal_lm" / "earlier-00000000"
    earlier.mkdir(parents=True)
    (earlier / "status.json").write_text('{"state": "done"}')
    (earlier / "predictions.jsonl").write_text('{"row": 0}\n')
    before = contents(cli.home)

    def run(arguments):
        common = ("checkpoint=pretrained", f"checkpoint.name_or_path={given.tiny}", "engine.threads=1")
        ended = cli(*common, *arguments)
        assert "Traceback" not in ended.out + ended.err
        after = contents(cli.home)
        assert before.items() <= after.items()
        return ended, sorted(after.keys() - before.keys())

    return run


def matches(pattern: str, told: str, given: Given) -> bool:
    pattern = pattern.replace("FOLDER", re.escape(str(given.folder))).replace("TINY", re.escape(str(given.tiny)))
    return bool(re.fullmatch(pattern, told.rstrip("\n")))


@pytest.mark.parametrize("name", REFUSED)
def test_a_mistake_is_told_and_nothing_is_written(ask, given, name):
    make, pattern = REFUSED[name]
    ended, new = ask(make(given))
    assert ended.code == 2, ended.err
    assert matches(pattern, ended.err, given), ended.err
    assert new == []


@pytest.mark.parametrize("name", FAILED)
def test_what_shows_only_when_work_has_begun_fails_the_run_with_its_reason(ask, given, cli, name):
    make, code, pattern = FAILED[name]
    ended, _ = ask(make(given))
    assert ended.code == code, ended.err
    (run,) = (run for run in cli.runs if not run.name.startswith("earlier"))
    told, _, where = ended.err.rstrip("\n").rpartition("\n")
    assert matches(pattern, told, given), ended.err
    assert where == f"{run.relative_to(cli.home)}        report.html"
    status = json.loads((run / "status.json").read_text())
    assert status["state"] == "failed"
    assert told.endswith(status["error"])
    assert "traceback" not in status


def test_a_pickle_with_code_is_refused_and_not_run(ask, given, monkeypatch):
    import io
    import pickle
    import sys

    class Evil:
        def __reduce__(self):
            return (open, (str(given.folder / "PWNED"), "w"))

    (given.tiny / "model.safetensors").unlink()
    (given.tiny / "pytorch_model.bin").write_bytes(pickle.dumps({"transformer.wte.weight": Evil()}))
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\ny\n"))
    ended, _ = ask([PROMPTS])
    assert ended.code == 2
    assert "pytorch_model.bin" in ended.err
    assert not (given.folder / "PWNED").exists()
    assert sys.stdin.read() == "y\ny\n"


def rows_of(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "predictions.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    ("policy", "told", "count"), [("truncate", "truncated", "truncated_rows"), ("skip", "skipped", "skipped_rows")]
)
def test_a_long_prompt_is_cut_or_left_out_and_counted(cli, given, policy, told, count):
    arguments = given.file("rows.txt", f"山水\n{LONG}\n{'山' * 100_000}\n春风\n")
    common = ("checkpoint=pretrained", f"checkpoint.name_or_path={given.tiny}", "engine.threads=1")
    ended = cli(*common, *arguments, "decode.max_new_tokens=5", f"data.on_long_row={policy}")
    assert (ended.code, ended.err) == (0, "")
    assert f"2 rows {told}: longer than the context" in ended.out
    (run,) = cli.runs
    assert json.loads((run / "timing.json").read_text())[count] == 2
    answers = [row["prediction"] for row in rows_of(run)]
    assert len(answers) == 4
    if policy == "skip":
        assert answers[1:3] == [None, None]
        assert [row.get("note", "")[:8] for row in rows_of(run)] == ["", "skipped:", "skipped:", ""]
    else:
        assert all(answer.startswith("山" * (64 - 5 - 1)) for answer in answers[1:3])  # behind [CLS]


def test_bad_rows_that_are_skipped_are_kept_with_their_reason(cli, given):
    bad = [
        b'{"text": null}',
        b'{"text": NaN}',
        b'{"text": 1}',
        b'{"text": ""}',
        b"{}",
        b'{"text": "\xff"}',
        b'{"text": "',
    ]
    good = [ROW.strip().encode()] * 3
    arguments = given.file("rows.jsonl", b"\n".join([*good, *bad]))
    common = ("checkpoint=pretrained", f"checkpoint.name_or_path={given.tiny}", "engine.threads=1")
    ended = cli(*common, *arguments, "decode.max_new_tokens=5", "data.on_bad_row=skip")
    assert (ended.code, ended.err) == (0, "")
    assert "7 bad rows left out: see rejected.jsonl" in ended.out
    (run,) = cli.runs
    rejected = [json.loads(line) for line in (run / "rejected.jsonl").read_text().splitlines()]
    assert [one["place"] for one in rejected] == [f"rows.jsonl:{number}" for number in range(4, 11)]
    assert [one["problem"] for one in rejected[:4]] == [
        "text is null",
        "text is NaN",
        "text is the number 1, not text",
        "text is empty",
    ]
    assert len(rows_of(run)) + len(rejected) == 10
    assert json.loads((run / "manifest.json").read_text())["data"]["rejected"] == 7


def test_bad_training_rows_are_refused_before_any_work(cli, training, tmp_path):
    folder = Path(shutil.copytree(training.arguments[-1].partition("=")[2], tmp_path / "texts"))
    (folder / "valid.jsonl").write_text(ROW + '{"text": null}\n')
    ended = cli(*training.arguments[:-1], f"data.path={folder}")
    assert ended.code == 2
    assert "valid.jsonl:2: text is null" in ended.err
    assert not (cli.home / "outputs").exists()


@pytest.mark.parametrize("name", YAML)
def test_a_mistake_in_a_yaml_file_is_told_with_its_file_and_key(cli, tmp_path, name):
    content, told = YAML[name]
    (tmp_path / "own" / "experiment").mkdir(parents=True)
    (tmp_path / "own" / "experiment" / "x.yaml").write_text(content)
    ended = cli("--config-dir", str(tmp_path / "own"), "experiment=x")
    told = told.replace("FOLDER", re.escape(str(tmp_path / "own")))
    assert ended.code == 2
    assert re.fullmatch(f"1 problem in the configuration:\n  {told}.*\n", ended.err), ended.err


@pytest.mark.parametrize("name", PATHS)
def test_a_yaml_file_that_is_none_is_told(cli, tmp_path, name):
    (tmp_path / "own" / "experiment").mkdir(parents=True)
    PATHS[name](tmp_path / "own" / "experiment" / "x.yaml")
    ended = cli("--config-dir", str(tmp_path / "own"))
    assert ended.code == 2
    assert re.fullmatch("1 problem in the configuration:\n  .*/experiment/x.yaml  is no file: .*\n", ended.err)


@pytest.mark.parametrize("group", ["decode", "task", "data", "checkpoint", "train"])
def test_a_group_without_a_choice_is_refused(cli, group):
    ended = cli(f"{group}=null")
    assert ended.code == 2
    assert re.fullmatch(f".*:\n  {group}=null  is no choice: leave it out, or give one of .*\n", ended.err), ended.err


def test_a_choice_of_null_among_others_is_refused(cli):
    assert "  decode=null  is no choice: " in cli("decode=[beam,null]").err


def test_no_experiment_is_a_choice(cli):
    assert cli("experiment=null", "--cfg", "job").out == cli("--cfg", "job").out


@pytest.mark.parametrize("none", ["null", "[]"])
def test_no_experiment_is_a_choice_in_a_sweep(cli, none):
    assert "seed  0 <= seed" in cli("-m", f"experiment={none},poem_gpt2", "seed=-1").err
    with composer(None) as composing:
        assert composing.config([f"experiment={none}", "seed=3"]) == composing.config(["seed=3"])


LOCKED = {  # name: (what may not be read, what is asked, what is told)
    "data": ("rows.txt", ["data=files", "data.path=rows.txt"], "DataError: rows.txt cannot be read"),
    "data folder": ("rows", ["data=files", "data.path=rows"], "DataError: data.path=rows cannot be read"),
    "checkpoint": ("tiny", [PROMPTS], "CheckpointError: checkpoint.name_or_path=tiny cannot be read"),
    "config": ("tiny/config.json", [PROMPTS], "CheckpointError: checkpoint TINY: config.json cannot be read"),
    "tokenizer": ("tiny/tokenizer.json", [PROMPTS], "CheckpointError: TINY/tokenizer.json cannot be read"),
    "weights": ("tiny/model.safetensors", [PROMPTS], "CheckpointError: TINY/model.safetensors cannot be read"),
    "vocabulary": (
        "rows.txt",
        [PROMPTS, "checkpoint.tokenizer=rows.txt"],
        "CheckpointError: checkpoint.tokenizer=rows.txt cannot be read",
    ),
    "YAML folder": ("rows", [PROMPTS, "--config-dir=rows"], "  --config-dir rows cannot be read"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LOCKED)
def test_what_may_not_be_read_is_told(given, name):
    locked, arguments, told = LOCKED[name]
    (given.folder / "rows").mkdir()
    (given.folder / "rows.txt").write_text("山")
    (given.folder / locked).chmod(0)
    powers = "-dac_override,-dac_read_search"
    command = [sys.executable, "-m", "runner", "checkpoint=pretrained", "checkpoint.name_or_path=tiny", *arguments]
    if os.geteuid() == 0:
        command = ["setpriv", f"--inh-caps={powers}", f"--bounding-set={powers}", *command]
    try:
        ended = subprocess.run(
            command, cwd=given.folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, text=True, capture_output=True
        )
    finally:
        (given.folder / locked).chmod(0o755)
    assert ended.returncode == 2
    *_, line = ended.stderr.splitlines()
    assert line == f"{told.replace('TINY', 'tiny')}: Permission denied"
