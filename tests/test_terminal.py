"""What a person sees: plain lines off a terminal, texts as they are, nothing that steers the terminal."""

import io
import re

import pytest
from rich.console import Console

from runner.metrics.estimate import known, share
from runner.summary import estimate, shown_again, summary
from runner.terminal import PLAIN_S, SHOWN, Terminal
from runner.types import Estimate


@pytest.fixture
def terminal():
    shown = Terminal()
    shown.console.file = io.StringIO()
    return shown


def text(terminal):
    return terminal.console.file.getvalue()


def answers(terminal):
    """The lines without the blank one before them."""
    return text(terminal).removeprefix("\n").splitlines()


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass only when a test says so."""

    class Clock:
        now = 100.0

    monkeypatch.setattr("runner.terminal.time.monotonic", lambda: Clock.now)
    return Clock


def on_a_terminal(monkeypatch, **environment):
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    shown = Terminal()
    shown.console = Console(file=io.StringIO(), highlight=False, soft_wrap=True, emoji=False, force_terminal=True)
    return shown


@pytest.mark.parametrize("prompt", ["[bold]x[/bold]", "[/]", "[link=http://x]y", "a [red", ":smile:", "\\[x]", "[[x]]"])
def test_markup_in_texts_is_shown_literally(terminal, prompt):
    terminal.answer({"text": prompt}, f"{prompt} and on [i]")
    terminal.phase(f"loaded {prompt}")
    assert answers(terminal) == [f"  {prompt:<16}  {prompt} and on [i]", f"loaded {prompt}"]


def test_the_prompt_stands_in_a_column_and_later_lines_keep_the_indent(terminal):
    terminal.answer({"row": 0, "text": "春 江"}, "春江花月夜，\n何处不相逢。")
    terminal.answer({"row": 1, "text": "a prompt that is longer than its column"}, "no repetition")
    assert answers(terminal) == [
        "  春 江             春江花月夜，",
        "                    何处不相逢。",
        "  a prompt that i…  no repetition",
    ]


def test_on_a_terminal_the_prompt_in_the_text_is_dim_and_long_texts_keep_the_indent(monkeypatch):
    shown = on_a_terminal(monkeypatch, TERM="xterm-256color")
    shown.console.width = 40
    shown.answer({"text": "春江"}, "春江" + "花" * 12)
    assert "\x1b[2m春江\x1b[0m花花" in text(shown)
    assert text(shown).splitlines()[-1] == " " * 20 + "花" * 4  # 20 cells beside the indent: 10 characters


def test_off_a_terminal_there_are_no_escapes(terminal):
    terminal.answer({"text": "春"}, "春江")
    terminal.progress("generating", 1, 1, "3 tokens/s")
    assert "\x1b" not in text(terminal)


def test_without_colour_there_is_none(monkeypatch):
    shown = on_a_terminal(monkeypatch, NO_COLOR="1", TERM="xterm-256color")
    shown.phase("a [red]line[/red]")
    shown.answer({"text": "春"}, "春江")
    shown.answer({"row": 1, "text": "春"}, None)
    assert "\x1b[3" not in text(shown)


def test_control_characters_do_not_steer_the_terminal(terminal):
    terminal.answer({"text": "a\x1b[2J"}, "a\x1b[2J\x1b]52;c;aGk=\x07\x9b31m\u202egnp")
    terminal.phase("\x1b]0;title\x07")
    told = ["  a\\x1b[2J          a\\x1b[2J\\x1b]52;c;aGk=\\x07\\x9b31m\\u202egnp", "\\x1b]0;title\\x07"]
    assert answers(terminal) == told


def test_what_is_no_text_is_shown_all_the_same(terminal):
    terminal.answer({"text": "\ud800"}, "\ud800x")
    assert answers(terminal) == ["  \\ud800            \\ud800x"]


def test_poems_are_printed_whole_and_only_the_first_and_the_others_are_counted(terminal):
    for number in range(SHOWN + 480):
        terminal.answer({"row": number, "text": "春"}, f"春江{number}，花月夜。" + "长" * 300)
    terminal.close()
    assert text(terminal).count("长" * 300) == SHOWN
    assert answers(terminal)[-1] == "… 480 more in predictions.jsonl"


def test_several_texts_of_a_row_are_printed_each(terminal):
    terminal.answer({"text": "a"}, ["a b", "a c"])
    assert answers(terminal) == [f"  {'a':<16}  a b", f"{'':<20}a c"]


def test_a_skipped_row_is_shown_as_such(terminal):
    terminal.answer({"text": "春"}, None)
    assert answers(terminal) == ["  春                skipped: predictions.jsonl says why"]


def test_answers_wait_for_those_of_the_rows_before(terminal, clock):
    for row in (2, 0, 3, 1):
        terminal.answer({"row": row, "text": ""}, f"text {row}")
    assert re.findall(r"text \d", text(terminal)) == ["text 0", "text 1", "text 2", "text 3"]
    assert not re.search(r"^ +\d ", text(terminal), re.MULTILINE)


def test_an_answer_that_would_have_to_wait_long_is_shown_with_its_number(terminal, clock):
    terminal.answer({"row": 7, "text": ""}, "text 7")
    assert text(terminal) == ""
    clock.now += 3
    terminal.progress("generating", 1, 9, "")
    assert answers(terminal)[0].split() == ["7", "text", "7"]


def test_what_was_held_back_is_shown_at_the_end(terminal, clock):
    terminal.answer({"row": 1, "text": ""}, "text 1")
    terminal.close()
    assert "1  " in text(terminal) and "text 1" in text(terminal)


def test_numbers_wait_for_the_summary(terminal):
    terminal.answer({"text": "a"}, {"perplexity": 3.0})
    terminal.close()
    assert text(terminal) == ""


def test_progress_off_a_terminal_is_a_line_at_the_end(terminal, clock):
    for done in range(4):
        terminal.progress("scoring", done, 3, "")
    terminal.progress("scoring", 3, 3, "")
    assert text(terminal) == "scoring 3/3\n"


def test_progress_off_a_terminal_takes_its_time_and_never_says_zero(terminal, clock):
    terminal.progress("generating", 0, 9, "")
    clock.now += PLAIN_S - 1
    terminal.progress("generating", 1, 9, "5 tokens/s")
    assert text(terminal) == ""
    clock.now += 2
    terminal.progress("scoring", 1, 9, "")  # its clock starts now
    terminal.progress("generating", 2, 9, "5 tokens/s")
    assert text(terminal) == "generating 2/9 · 5 tokens/s\n"
    clock.now += PLAIN_S + 1
    terminal.progress("training", 0, 9, "")
    clock.now += PLAIN_S + 1
    terminal.progress("training", 0, 9, "")
    assert "0/9" not in text(terminal)


def test_progress_without_a_known_total(terminal, clock):
    terminal.progress("reading", 0, None, "rows")
    clock.now += PLAIN_S + 1
    terminal.progress("reading", 7, None, "rows")
    assert text(terminal) == "reading 7/? · rows\n"


def test_a_bar_on_a_terminal_is_taken_down(monkeypatch):
    shown = on_a_terminal(monkeypatch, TERM="xterm-256color")
    shown.progress("generating", 1, 2, "5 tokens/s")
    shown.progress("scoring", 2, 2, "")
    shown.close()
    assert shown.bar is None and "generating" in text(shown) and "· 5 tokens/s" in text(shown)


def test_the_bar_moves_before_the_first_row_is_done(monkeypatch, clock):
    shown = on_a_terminal(monkeypatch, TERM="xterm-256color")
    shown.progress("generating", 0, 4, "")
    clock.now += 1
    shown.progress("generating", 0, 4, "90 tokens/s", 1.5)
    (task,) = shown.bar.tasks
    shown.close()
    assert task.completed == 1.5 and task.fields["of"] == "0/4"


def test_a_command_prints_a_header_poems_a_summary_and_where_the_results_are(cli, tiny):
    ended = cli(f"checkpoint.name_or_path={tiny}", "data.prompts=['春江', '[bold]花']", "decode.max_new_tokens=4")
    lines = ended.out.splitlines()
    assert ended.code == 0, ended.err
    assert lines[0] == "causal_lm · tiny · 2 prompts · greedy"
    assert re.fullmatch(r"loaded in \d+\.\d s: [\d,]+ parameters, float32, (cpu|cuda:0)", lines[1])
    assert [line.split()[0] for line in lines if line.startswith("  ")] == ["春江", "[bold]花"]
    summed = lines.index(next(line for line in lines if line.startswith("2 answers")))
    assert re.fullmatch(r"2 answers, 0 well-formed · [\d.]+ s · peak [\d,]+ MB", lines[summed])
    assert lines[summed + 1] == "well-formed  0.000 [0.000, 0.658]  n 2"
    assert lines[-1].startswith("outputs/causal_lm/") and lines[-1].endswith("        report.html  predictions.jsonl")
    assert "\x1b" not in ended.out


def test_the_same_command_again_shows_the_same_and_how_to_get_another(cli, tiny):
    arguments = (f"checkpoint.name_or_path={tiny}", "data.prompts=[春江, 花]", "decode.max_new_tokens=4", "seed=4")
    first, again = (cli(*arguments, "decode.do_sample=true") for _ in range(2))
    assert first.out.splitlines()[0] == "causal_lm · tiny · 2 prompts · sample(temperature 1.0, top_k 50) · seed 4"
    told = r"^done (just now|\d .* ago), shown from outputs/\S+; rerun=true runs it again, seed=5 draws others$"
    assert re.search(told, again.out, re.MULTILINE)
    shown = [[line for line in ended.out.splitlines() if line.startswith("  ")] for ended in (first, again)]
    assert shown[0] == shown[1] and len(shown[0]) == 2
    greedy = [cli(*arguments) for _ in range(2)][1]
    assert "rerun=true runs it again\n" in greedy.out and "seed" not in greedy.out.splitlines()[0]


@pytest.mark.parametrize(("seconds", "told"), [(5, "just now"), (130, "2 minutes ago"), (3700, "1 hour ago"),
                                               (3 * 86_400, "3 days ago"), (None, "before")])  # fmt: skip
def test_how_long_ago_a_run_was_done(tmp_path, seconds, told):
    import json
    from datetime import UTC, datetime, timedelta

    from runner.compose import compose
    from runner.config import freeze

    ended = None if seconds is None else (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()
    (tmp_path / "status.json").write_text(json.dumps({"ended": ended}))
    config = freeze(compose(["seed=7"]))
    assert shown_again(config, tmp_path) == f"done {told}, shown from {tmp_path}; rerun=true runs it again"


def test_the_summary_counts_what_was_good_skipped_and_spent(tmp_path):
    import json

    phases = {"load": 3.0, "train": 90.0, "predict": 1.02}
    manifest = {"data": {"rows": 5}, "decoding": {"do_sample": True}}
    timing = {"skipped_rows": 1, "peak_mb": 410.2, "phases": phases}
    for name, content in (("manifest", manifest), ("timing", timing)):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    low, high = 0.3006418, 0.9544127  # Wilson's interval of 3 in 4
    metrics = {
        "well_formed": Estimate(0.75, low, high, 4, {"majority": 0.5, "random": 0.25}, "well_formed"),
        "loss": Estimate(4.25, None, None, 1),
    }
    assert list(summary(tmp_path, metrics)) == [
        "4 answers, 3 well-formed, 1 skipped · trained in 1 min 30 s · 1.0 s · peak 410 MB",
        "well-formed  0.750 [0.301, 0.954]  n 4 · majority 0.500",
        "loss         4.250  n 1",
        f"{tmp_path}        report.html  predictions.jsonl",
    ]
    assert estimate(Estimate(1234.5, 1200.0, 1300.4, 9)) == "1,234 [1,200, 1,300]"


@pytest.mark.parametrize(
    ("metrics", "told"),
    [
        ({"accuracy": known(share(3, 4), "correct")}, ", 3 correct"),
        ({"well_formed": known(share(2.5, 4), "well_formed")}, ", 62% well-formed"),  # a row of several texts
        ({"accuracy": known(Estimate(0.5, 0.4, 0.6, 4), "top1")}, ""),  # of tokens: how many rows is not known
        ({"f1": known(Estimate(0.75, 0.2, 0.9, 4), "entities_correct")}, ""),
        (
            {"exact_match": known(share(1, 4), "exact_match"), "f1": known(Estimate(0.5, 0.3, 0.7, 4), "f1")},
            ", 1 exact match",
        ),
        ({"loss": Estimate(1.0, 0.5, 1.5, 4)}, ""),
    ],
)
def test_rows_that_were_right_are_counted_where_a_number_is_their_share(tmp_path, metrics, told):
    (tmp_path / "manifest.json").write_text('{"data": {"rows": 4}}')
    assert next(summary(tmp_path, metrics)) == f"4 texts scored{told}"


def test_texts_that_nothing_was_measured_of_were_answered(tmp_path):
    (tmp_path / "manifest.json").write_text('{"data": {"rows": 2}}')
    assert next(summary(tmp_path, {})) == "2 texts answered"


def test_settings_that_change_nothing_are_not_told_and_the_library_s_defaults_that_do_are():
    from transformers import GenerationConfig

    from runner.decode import DecodeConfig
    from runner.introduction import SAMPLED, SEARCHED, in_effect, strategy

    library = GenerationConfig()._get_default_generation_params()
    assert {name: library[name] for name in SAMPLED | SEARCHED} == SAMPLED | SEARCHED
    stored = {"output_attentions": False, "_from_model_config": True, "top_p": 1.0, "eos_token_id": 3, "min_p": None}
    plain = in_effect(stored, DecodeConfig())
    assert plain == {"do_sample": False, "eos_token_id": 3} and strategy(plain) == "greedy"
    drawn = in_effect(stored | {"do_sample": True, "repetition_penalty": 1.2}, DecodeConfig())
    assert drawn == {"do_sample": True, "temperature": 1.0, "top_k": 50, "eos_token_id": 3, "repetition_penalty": 1.2}
    assert strategy(drawn) == "sample(temperature 1.0, top_k 50, repetition_penalty 1.2)"
    assert strategy(in_effect({"num_beams": 4}, DecodeConfig())) == "beam(num_beams 4)"
    rule = DecodeConfig(loop="step", rule={"_target_": "my_rules.Fresh", "last": 4})
    assert strategy(in_effect({}, rule)) == "step Fresh(last 4)"


def test_the_bar_is_moved_by_tokens_before_the_first_answer_comes(tiny, tmp_path, monkeypatch):
    import runner

    class Watching:
        def __init__(self):
            self.told = []

        def phase(self, line):
            pass

        def answer(self, row, prediction):
            self.told.append("answer")

        def progress(self, name, done, total, note, under_way=0.0):
            self.told.append((name, done, total, note, round(under_way, 2)))

    monkeypatch.chdir(tmp_path)
    watching = Watching()
    runner.run("causal_lm", checkpoint=str(tiny), prompts=["春"], observer=watching,
               decode={"min_new_tokens": 4, "max_new_tokens": 4})  # fmt: skip
    before = watching.told[: watching.told.index("answer")]
    assert before[0] == ("generating", 0, 1, "", 0.0)
    assert [told[4] for told in before] == [0.0, 0.25, 0.5, 0.75, 1.0] and before[1][3].endswith(" tokens/s")
    assert watching.told[-1][1:3] == (1, 1) and watching.told[-1][4] == 0.0


def test_a_bug_tells_where_the_run_is_kept_after_its_traceback(cli, tiny, monkeypatch):
    import traceback

    import runner.predict

    monkeypatch.setattr(runner.predict.Predictor, "_answered", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError) as failed:
        cli(f"checkpoint.name_or_path={tiny}", "data.prompts=[春]")
    last = "".join(traceback.format_exception(failed.value)).splitlines()[-1]
    assert last == f"{cli.runs[0].relative_to(cli.home)}        report.html"


def test_skipped_rows_of_an_earlier_attempt_are_counted(cli, tiny):
    import json

    (cli.home / "rows.txt").write_text("春\n" + "山" * 99 + "\n月\n")
    arguments = (
        f"checkpoint.name_or_path={tiny}",
        "data.path=rows.txt",
        "data.on_long_row=skip",
        "decode.max_new_tokens=3",
    )
    first = cli(*arguments)
    assert "2 answers, 0 well-formed, 1 skipped · " in first.out
    (run,) = cli.runs
    status = json.loads((run / "status.json").read_text())
    (run / "status.json").write_text(json.dumps(status | {"state": "stopped"}))
    lines = (run / "predictions.jsonl").read_text().splitlines(keepends=True)
    (run / "predictions.jsonl").write_text("".join(lines[:2]))
    assert "2 answers, 0 well-formed, 1 skipped · " in cli(*arguments).out


def test_a_run_goes_on_when_nobody_reads_its_output_any_more(spawn, tiny, tmp_path):
    import json

    process = spawn(f"checkpoint.name_or_path={tiny}", "data.prompts=[春,江]", "decode.max_new_tokens=3")
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=120) == 0
    (status,) = tmp_path.glob("outputs/*/*/status.json")
    assert json.loads(status.read_text())["state"] == "done"
