"""What a person sees: plain lines off a terminal, texts as they are, nothing that steers the terminal."""

import io

import pytest
from rich.console import Console

from runner.terminal import SHOWN, Terminal
from runner.types import Estimate


@pytest.fixture
def terminal():
    shown = Terminal()
    shown.console.file = io.StringIO()
    return shown


def text(terminal):
    return terminal.console.file.getvalue()


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
    assert text(terminal) == f"  {prompt} and on [i]\nloaded {prompt}\n"


def test_off_a_terminal_there_are_no_escapes(terminal):
    terminal.answer({"text": "春"}, "春江")
    terminal.progress("generating", 1, 1, "3 tokens/s")
    assert "\x1b" not in text(terminal)


def test_without_colour_there_is_none(monkeypatch):
    shown = on_a_terminal(monkeypatch, NO_COLOR="1", TERM="xterm-256color")
    shown.phase("a [red]line[/red]")
    shown.answer({"text": "春"}, "春江")
    assert "\x1b[3" not in text(shown)


def test_control_characters_do_not_steer_the_terminal(terminal):
    terminal.answer({"text": "a"}, "a\x1b[2J\x1b]52;c;aGk=\x07\x9b31m\u202egnp")
    terminal.phase("\x1b]0;title\x07")
    assert text(terminal) == "  a\\x1b[2J\\x1b]52;c;aGk=\\x07\\x9b31m\\u202egnp\n\\x1b]0;title\\x07\n"


def test_what_is_no_text_is_shown_all_the_same(terminal):
    terminal.answer({"text": "\ud800"}, "\ud800x")
    assert text(terminal) == "  \\ud800x\n"


def test_poems_are_printed_whole_and_only_the_first(terminal):
    for number in range(SHOWN + 5):
        terminal.answer({"text": "春"}, f"春江{number}，\n花月夜。" + "长" * 300)
    assert text(terminal).count("长" * 300) == SHOWN


def test_several_texts_of_a_row_are_printed_each(terminal):
    terminal.answer({"text": "a"}, ["a b", "a c"])
    assert text(terminal) == "  a b\n  a c\n"


def test_numbers_wait_for_the_summary(terminal):
    terminal.answer({"text": "a"}, {"perplexity": 3.0})
    terminal.metrics({"loss": Estimate(1.23456, 1.0, 2.0, 1234), "accuracy": Estimate(0.5, 0.25, 0.75, 9)})
    assert text(terminal) == "loss      1.235 [1, 2]  n 1,234\naccuracy  0.5 [0.25, 0.75]  n 9\n"


def test_progress_off_a_terminal_is_a_line_at_the_end(terminal, monkeypatch):
    terminal.told = float("inf")
    for done in range(1, 4):
        terminal.progress("scoring", done, 3, "")
    terminal.progress("scoring", 3, 3, "")
    assert text(terminal) == "scoring 3/3\n"


def test_progress_without_a_known_total(terminal):
    terminal.told = float("-inf")
    terminal.progress("reading", 7, None, "rows")
    assert text(terminal) == "reading 7/? · rows\n"


def test_a_bar_on_a_terminal_is_taken_down(monkeypatch):
    shown = on_a_terminal(monkeypatch, TERM="xterm-256color")
    shown.progress("generating", 1, 2, "5 tokens/s")
    shown.progress("scoring", 2, 2, "")
    shown.close()
    assert shown.bar is None and "generating" in text(shown)


def test_a_command_prints_poems_a_summary_and_where_the_results_are(cli, tiny):
    ended = cli(f"checkpoint.name_or_path={tiny}", "data.prompts=['春江', '[bold]花']", "decode.max_new_tokens=4")
    lines = ended.out.splitlines()
    assert ended.code == 0, ended.err
    assert any(line.startswith("  春江") for line in lines)
    assert lines[-1].startswith("outputs/causal_lm/") and "predictions.jsonl" in lines[-1]
    assert "\x1b" not in ended.out
