"""A run directory that was damaged, or whose inputs have changed."""

from __future__ import annotations

import json
import shutil

import pytest


@pytest.fixture
def arguments(tiny, rows):
    return ("checkpoint=pretrained", f"checkpoint.name_or_path={tiny}", "data=files", f"data.path={rows(8)}",
            "engine.threads=1", "decode.max_new_tokens=5", "decode.do_sample=true")  # fmt: skip


@pytest.fixture
def run(cli, arguments):
    """A finished run."""
    assert cli(*arguments).code == 0
    (found,) = cli.runs
    return found


def unfinished(run, **status):
    (run / "status.json").write_text(json.dumps({"state": "running", "attempt": 1} | status))


def test_a_torn_last_line_is_dropped_and_its_row_answered_again(cli, arguments, run):
    path = run / "predictions.jsonl"
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:5]) + lines[5][:20])
    unfinished(run)
    ended = cli(*arguments)
    assert (ended.code, ended.err) == (0, "")
    assert "5 of 8 rows kept from before" in ended.out
    assert path.read_bytes() == whole


@pytest.mark.parametrize("content", ["", "{", "[]", "\x00\x00", "null", '{"state": 3, "attempt": "x"}'])
def test_a_damaged_status_means_unfinished(cli, arguments, run, content):
    whole = (run / "predictions.jsonl").read_bytes()
    (run / "status.json").write_text(content)
    ended = cli(*arguments)
    assert (ended.code, ended.err) == (0, "")
    assert "status.json is damaged: the run is treated as unfinished" in ended.out
    assert "8 of 8 rows kept from before" in ended.out
    assert (run / "predictions.jsonl").read_bytes() == whole
    assert cli.status()["state"] == "done"


def test_a_done_run_is_shown_and_not_touched(cli, arguments, run, contents):
    before = contents(run)
    ended = cli(*arguments)
    assert ended.code == 0
    assert "done just now, shown from" in ended.out
    assert contents(run) == before


def test_a_done_run_without_its_predictions_is_not_done(cli, arguments, run):
    whole = (run / "predictions.jsonl").read_bytes()
    (run / "predictions.jsonl").unlink()
    assert cli(*arguments).code == 0
    assert (run / "predictions.jsonl").read_bytes() == whole


@pytest.mark.parametrize("state", ["done", "running", "stopped"])
def test_changed_data_is_refused(cli, arguments, run, rows, contents, state):
    unfinished(run, state=state)
    before = contents(run)
    rows(8, seed=1)
    ended = cli(*arguments)
    told = (
        f"RecordError: inputs changed since this run (rows.jsonl); rerun=true to replace {run.relative_to(cli.home)}\n"
    )
    assert (ended.code, ended.err) == (2, told)
    assert contents(run) == before
    assert cli(*arguments, "rerun=true").code == 0
    assert contents(run)["predictions.jsonl"] != before["predictions.jsonl"]
    assert (cli.status()["state"], cli.runs) == ("done", [run])


def test_changed_weights_are_refused(cli, arguments, run, tiny, contents):
    before = contents(run)
    path = tiny / "model.safetensors"
    weights = bytearray(path.read_bytes())
    weights[-1] ^= 1
    path.write_bytes(weights)
    ended = cli(*arguments)
    assert ended.code == 2
    assert "inputs changed since this run (model.safetensors); rerun=true to replace" in ended.err
    assert contents(run) == before


@pytest.mark.parametrize("state", ["done", "stopped"])
@pytest.mark.parametrize("come", [True, False])
def test_files_of_the_checkpoint_that_come_or_go_are_refused(cli, arguments, run, tiny, contents, state, come):
    assert cli(*arguments).code == 0
    unfinished(run, state=state)
    before = contents(run)
    name = "chat_template.jinja" if come else "generation_config.json"
    (tiny / name).write_text("x") if come else (tiny / name).unlink()
    ended = cli(*arguments)
    assert ended.code == 2
    assert f"inputs changed since this run ({name} is {'new' if come else 'gone'}); rerun=true" in ended.err
    assert contents(run) == before


def test_another_file_of_the_same_name_in_another_folder_is_another_input(cli, tiny, rows, tmp_path, monkeypatch):
    common = ("checkpoint=pretrained", f"checkpoint.name_or_path={tiny}", "data=files", "data.path=rows.jsonl",
              "engine.threads=1", "decode.max_new_tokens=5", f"output_dir={tmp_path}/out")  # fmt: skip
    codes = []
    for seed, name in enumerate(("a", "b", "c")):
        (tmp_path / name).mkdir()
        rows(8, f"{name}/rows.jsonl", seed % 2)
        monkeypatch.chdir(tmp_path / name)
        codes.append(cli(*common).code)
    assert codes == [0, 2, 0]


RULE = """
from dataclasses import dataclass

@dataclass(frozen=True)
class Fixed:
    def __call__(self, tokens, logits, generator):
        return {token}
"""


def test_a_rule_of_the_users_own_that_changes_is_refused(fork, cli, arguments, monkeypatch, contents):
    monkeypatch.setenv("RUNNER_TRUST", "own_rules")
    path = cli.home / "own_rules.py"
    path.write_text(RULE.format(token=7))
    given = (*arguments[:-1], "decode=step", "decode.rule={_target_: own_rules.Fixed}")
    job = fork(*given, env={"RUNNER_TRUST": "own_rules"})
    assert job.wait() == 0, job.told
    (run,) = cli.runs
    before = contents(run)
    path.write_text(RULE.format(token=8))
    again = fork(*given, env={"RUNNER_TRUST": "own_rules"})
    assert again.wait() == 2
    assert "inputs changed since this run (own_rules)" in again.told
    assert contents(run) == before


def test_other_versions_are_told_and_not_refused(cli, arguments, run):
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["packages"]["torch"] = "1.0"
    (run / "manifest.json").write_text(json.dumps(manifest))
    ended = cli(*arguments)
    assert ended.code == 0
    assert f"this run began with torch 1.0, now {__import__('torch').__version__}" in ended.out


@pytest.mark.parametrize(("mode", "told"), [("evaluate", True), ("predict", False)])
def test_other_threads_are_told_where_digits_follow_them(cli, arguments, mode, told):
    given = [*(one for one in arguments if one != "engine.threads=1"), f"mode={mode}"]
    assert cli(*given).code == 0
    (run,) = cli.runs
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["machine"]["threads"] = 77
    (run / "manifest.json").write_text(json.dumps(manifest))
    unfinished(run)
    ended = cli(*given)
    assert ended.code == 0
    assert ("this run began with 77 processor threads, now " in ended.out) == told


def test_the_dtype_that_auto_came_to_is_kept(cli, arguments, run, monkeypatch):
    """A probe that is made again may come to another."""
    import runner.loading

    given = (*arguments, "engine.dtype=auto")
    assert cli(*given).code == 0
    run = next(one for one in cli.runs if one != run)
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["checkpoint"]["dtype"] = "bfloat16"
    (run / "manifest.json").write_text(json.dumps(manifest))
    lines = (run / "predictions.jsonl").read_text().splitlines(keepends=True)
    (run / "predictions.jsonl").write_text("".join(lines[:3]))
    unfinished(run)
    monkeypatch.setattr(runner.loading, "_settle", lambda *_: pytest.fail("probed again"))
    assert cli(*given).code == 0
    assert json.loads((run / "manifest.json").read_text())["checkpoint"]["dtype"] == "bfloat16"


@pytest.mark.parametrize("name", ["train", "valid", "test"])
def test_changed_training_data_are_refused(cli, training, name, tmp_path, contents):
    folder = tmp_path / "texts"
    shutil.copytree(training.arguments[-1].partition("=")[2], folder)
    arguments = (*training.arguments[:-1], f"data.path={folder}", "train.max_steps=2")
    assert cli(*arguments).code == 0
    before = contents(cli.runs[0])
    path = folder / f"{name}.jsonl"
    path.write_text(path.read_text() + '{"text": "山水"}\n')
    ended = cli(*arguments)
    assert ended.code == 2
    assert f"inputs changed since this run ({name}.jsonl)" in ended.err
    assert contents(cli.runs[0]) == before


def test_other_settings_have_a_directory_of_their_own(cli, training, contents):
    run = training.interrupted(cli.home)
    before = contents(run)
    for other in ("train.learning_rate=2e-3", "seed=1", "train.batch_size=2"):
        assert cli(*training.arguments, other, "train.max_steps=2").code == 0
    assert contents(run) == before
    assert len(cli.runs) == 4


def test_what_a_killed_process_was_writing_is_removed(cli, arguments, run):
    unfinished(run)
    (run / ".metrics.json.x1y2").write_text("{")
    (run / ".checkpoint").mkdir()
    assert cli(*arguments).code == 0
    assert [path.name for path in run.glob(".*")] == [".lock"]


def test_a_run_finished_meanwhile_by_another_process_loses_nothing(cli, arguments, run, monkeypatch):
    """Both found it unfinished; the second gets the lock after the first is done."""
    from runner.record import Record

    whole = (run / "predictions.jsonl").read_bytes()
    monkeypatch.setattr(Record, "done", property(lambda self: False))
    ended = cli(*arguments)
    assert "8 of 8 rows kept from before" in ended.out
    assert (run / "predictions.jsonl").read_bytes() == whole


def test_something_named_latest_does_not_make_a_run_fail(cli, arguments):
    (cli.home / "outputs" / "latest").mkdir(parents=True)
    (cli.home / "outputs" / "latest" / "mine.txt").write_text("kept")
    assert cli(*arguments).code == 0
    assert cli.status()["state"] == "done"
    assert (cli.home / "outputs" / "latest" / "mine.txt").read_text() == "kept"


def test_the_log_holds_the_phases_with_their_times(cli, arguments, run):
    lines = (run / "log.txt").read_text().splitlines()
    assert lines[0].endswith(f"attempt 1, pid {cli.status()['pid']} on {cli.status()['host']}")
    assert any("causal_lm · tiny · " in line for line in lines)
    assert any(" loaded in " in line for line in lines)
    assert lines[-1].endswith(" done")
    assert all(line[:2] == "20" and line[19:25] == "+00:00" for line in lines)


def test_a_bug_gives_the_full_traceback_and_a_failed_run(cli, fork, arguments, monkeypatch):
    import runner.predict

    def broken(*_):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(runner.predict.Predictor, "_answered", broken)
    with pytest.raises(ZeroDivisionError, match="a bug"):  # Python prints the traceback and exits with 1
        cli(*arguments)
    status = cli.status()
    assert (status["state"], status["error"]) == ("failed", "ZeroDivisionError: a bug")
    assert 'raise ZeroDivisionError("a bug")' in status["traceback"]
    monkeypatch.undo()
    assert fork(*arguments).wait() == 0
    assert (cli.status()["state"], cli.status()["attempt"], "traceback" in cli.status()) == ("done", 2, False)


def cut(lines):
    return b"".join(lines[:3])


@pytest.mark.parametrize(
    "damage",
    [
        lambda lines: b"",
        cut,
        lambda lines: cut(lines) + lines[3][:20],
        lambda lines: cut(lines) + bytes(range(128, 255)),
    ],
)
def test_a_done_run_whose_rows_are_not_all_there_is_mended_by_the_same_command(cli, arguments, run, damage):
    path = run / "predictions.jsonl"
    whole = path.read_bytes()
    path.write_bytes(damage(whole.splitlines(keepends=True)))
    ended = cli(*arguments)
    assert (ended.code, ended.err) == (0, "")
    told = "predictions.jsonl is not as it was when the run was done: missing rows are answered again"
    assert ended.out.count(told) == 1
    assert "rerun=true answers every row again" not in ended.out
    assert path.read_bytes() == whole
    assert "shown from" in cli(*arguments).out


@pytest.mark.parametrize("content", [None, "", '{"a": 1}', "[" * 100_000])
def test_a_done_run_whose_metrics_are_lost_gets_them_again(cli, arguments, run, content):
    path = run / "metrics.json"
    whole = path.read_bytes()
    path.unlink() if content is None else path.write_text(content)
    ended = cli(*arguments)
    assert (ended.code, ended.err) == (0, "")
    assert "metrics.json is not as it was when the run was done: computed again" in ended.out
    assert path.read_bytes() == whole


def test_an_answer_that_was_edited_is_told(cli, arguments, run):
    path = run / "predictions.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[2]["prediction"] = "mine"
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    ended = cli(*arguments)
    assert ended.code == 0
    assert "predictions.jsonl is other than when the run was done before: rerun=true answers every row" in ended.out


def test_a_run_done_before_outputs_were_written_down_is_done(cli, arguments, run, contents):
    status = cli.status()
    assert set(status.pop("outputs")) == {"predictions.jsonl", "metrics.json"}
    (run / "status.json").write_text(json.dumps(status))
    before = contents(run)
    assert "shown from" in cli(*arguments).out
    (run / "metrics.json").write_text('{"a": 1}')
    assert cli(*arguments).code == 0
    assert contents(run)["predictions.jsonl"] == before["predictions.jsonl"]


GARBAGE = [b"\n", b"garbage\n", b"\xff\xfe\n", b'{"row": 999, "input": {}, "prediction": "", "scores": {}}\n',
           b'{"row": 999}\n', b'{"row": true, "prediction": "", "scores": {}}\n', b"[" * 100_000 + b"\n"]  # fmt: skip


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
def test_a_line_that_is_no_record_costs_no_other_line(cli, arguments, run, garbage):
    path = run / "predictions.jsonl"
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], garbage, lines[1], *lines[2:6]]))
    unfinished(run)
    ended = cli(*arguments)
    assert (ended.code, ended.err) == (0, "")
    assert "6 of 8 rows kept from before" in ended.out
    assert path.read_bytes() == whole


@pytest.mark.parametrize("state", ["done", "running"])
@pytest.mark.parametrize("content", ["[1]", '{"checkpoint": 5}', '{"data": {"files": [1]}}', "[" * 100_000, ""])
def test_a_manifest_that_is_none_is_told_and_the_run_goes_on(cli, arguments, run, content, state):
    unfinished(run, state=state)
    (run / "manifest.json").write_text(content)
    ended = cli(*arguments)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.count("manifest.json is damaged: which files this run began with is not known") == 1


@pytest.mark.parametrize("name", ["status.json", "manifest.json", "predictions.jsonl", "metrics.json", "report.html"])
def test_a_directory_with_the_name_of_a_file_is_refused_in_one_line(cli, arguments, run, name):
    (run / name).unlink()
    (run / name).mkdir()
    unfinished(run) if name != "status.json" else None
    ended = cli(*arguments)
    told = f"RecordError: {run.relative_to(cli.home)}/{name} is a directory, and the run needs the name: move it away\n"
    assert (ended.code, ended.err) == (2, told)
    assert cli(*arguments, "rerun=true").code == 0


@pytest.mark.parametrize("outputs", ["5", "{}", '{"predictions.jsonl": 5}'])
def test_outputs_that_are_none_of_ours_mean_unfinished(cli, arguments, run, outputs):
    whole = (run / "predictions.jsonl").read_bytes()
    unfinished(run, state="done", outputs=json.loads(outputs))
    ended = cli(*arguments)
    assert (ended.code, ended.err) == (0, "")
    assert "8 of 8 rows kept from before" in ended.out
    assert (run / "predictions.jsonl").read_bytes() == whole
