"""The page as Chromium sees it: the script runs, nothing is complained about, nothing is asked from the network."""

import re

import pytest

from tests.report.invented import answer, invented_trace, invented_training
from tests.report.judged import EVERY, TASK, made


@pytest.fixture
def full(run_directory):
    """Poems, traces and training on one page."""
    run_directory.rows(
        {**answer("春山月", "春山月照松，远水入云中。"), "trace": invented_trace("照松，远水入云中。")},
        answer("<script>", "<script>document.title = 'taken'</script>"),
    )
    run_directory.lines("training.jsonl", invented_training())
    run_directory.page()
    return run_directory.path / "report.html"


def test_the_script_runs_to_its_end_without_complaint(chromium, full):
    done = chromium(full, "--dump-dom")
    assert 'data-ready="yes"' in done.stdout
    assert "CONSOLE" not in done.stderr, done.stderr
    assert "<title>causal_lm · poem_gpt2 · done</title>" in done.stdout


def test_the_poem_and_the_charts_are_in_the_document(chromium, full):
    dom = chromium(full, "--dump-dom").stdout
    assert "春山月照松，远水入云中。" in re.sub(r"<[^>]+>", "", dom)
    assert 'class="line first"' in dom and 'class="line second"' in dom
    assert 'data-tip="step 200\ntraining loss' in dom
    assert dom.count("<li>") >= len("照松，远水入云中。")
    assert re.search(r'<button type="button" data-copy="command">copy', dom)  # no longer hidden


def test_answers_of_every_kind_are_drawn_without_complaint(chromium, run_directory):
    made(run_directory, TASK, EVERY * 4, "correct")
    done = chromium(run_directory.path / "report.html", "--dump-dom")
    assert 'data-ready="yes"' in done.stdout and "CONSOLE" not in done.stderr, done.stderr
    assert 'data-tip="4 rows: gold score 2.000, cosine 0.500"' in done.stdout


@pytest.mark.parametrize("scheme", [0, 1], ids=["dark", "light"])
@pytest.mark.parametrize("width", [1100, 420])
def test_the_page_can_be_looked_at(chromium, full, tmp_path, width, scheme):
    picture = tmp_path / "page.png"
    flags = (
        f"--screenshot={picture}",
        f"--window-size={width},2400",
        f"--blink-settings=preferredColorScheme={scheme}",
    )
    done = chromium(full, *flags)
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" and picture.stat().st_size > 50_000  # not a blank page
    assert "CONSOLE" not in done.stderr, done.stderr
