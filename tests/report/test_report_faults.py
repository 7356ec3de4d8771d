"""The page is written whatever the run left behind, stays small, and executes nothing that users wrote."""

import json
import re
import subprocess
import sys

import pytest

from tests.report.invented import CONFIG, MANIFEST, STATUS, answer, invented_poem, invented_trace, invented_training

FILES = (
    "config.yaml",
    "overrides.txt",
    "manifest.json",
    "status.json",
    "metrics.json",
    "timing.json",
    "predictions.jsonl",
)
EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"' &amp;"


@pytest.mark.parametrize("name", FILES)
def test_any_file_may_be_missing(run_directory, name):
    run_directory.without(name)
    assert "How it was made" in run_directory.page()


@pytest.mark.parametrize("content", ["", "{", "[1, 2]", "null", "\x00", '{"state": ["done"], "error": 3}'])
@pytest.mark.parametrize("name", FILES)
def test_any_file_may_be_damaged(run_directory, name, content):
    run_directory.text(name, content)
    assert "How it was made" in run_directory.page()


def test_an_empty_directory_makes_a_page_that_says_what_is_missing(run_directory):
    run_directory.without(*FILES)
    page = run_directory.page()
    for name in ("config.yaml", "manifest.json", "status.json"):
        assert f"{name} is missing" in page
    assert "No row was answered." in page and "nothing says how this run ended" in page


def test_a_configuration_too_large_to_read_is_told(run_directory):
    run_directory.text("config.yaml", "prompts: [" + "春, " * 700_000 + "]")
    assert "config.yaml cannot be read: ValueError: 2,100,011 characters are too many" in run_directory.page()


def test_a_failed_run_tells_its_error_first_and_its_traceback_folded(run_directory):
    trace = "Traceback (most recent call last):\n  boom"
    run_directory.json("status.json", {**STATUS, "state": "failed", "error": "out of <memory>", "traceback": trace})
    run_directory.without("predictions.jsonl", "metrics.json", "timing.json")
    page = run_directory.page()
    assert 'class="badge failed"' in page
    assert "<strong>The run failed. </strong>out of &lt;memory&gt;" in page
    assert page.count("out of &lt;memory&gt;") == 1
    assert f"<details><summary>traceback</summary><pre><code>{trace}</code></pre></details>" in page
    assert "No row was answered before the run failed." in page
    assert "in 5.0 s" in page  # from status.json, as there is no timing.json


def test_a_stopped_run_says_that_it_can_be_continued(run_directory):
    run_directory.json("status.json", {**STATUS, "state": "stopped", "error": "stopped at 2 of 4 rows"})
    page = run_directory.page()
    assert page.count("topped at 2 of 4 rows") == 1
    assert '<p class="banner">Stopped at 2 of 4 rows: it can be continued by the same command.</p>' in page


def test_a_running_run_says_that_it_had_not_ended(run_directory):
    run_directory.json("status.json", {**STATUS, "state": "running", "ended": None})
    run_directory.without("metrics.json", "timing.json")
    assert "had not ended when this page was written" in run_directory.page()


def test_a_torn_last_line_of_predictions_is_counted_and_the_rest_shown(run_directory):
    with (run_directory.path / "predictions.jsonl").open("a") as file:
        file.write('{"row": 4, "input": {"te')
    page = run_directory.page()
    assert "predictions.jsonl has 1 unreadable line" in page and "春山月" in page


def test_whatever_users_wrote_is_escaped(run_directory):
    steps = [{"chosen": EVIL, "candidates": [[EVIL, 0.5]]}]
    run_directory.rows({**answer(EVIL, EVIL + " and more"), "trace": [steps], "note": EVIL}, answer("", {EVIL: EVIL}))
    run_directory.json(
        "manifest.json", json.loads(json.dumps(MANIFEST).replace("poem_gpt2", "<b>").replace("torch", "<i>"))
    )
    run_directory.json("status.json", {**STATUS, "state": "failed", "error": EVIL, "traceback": EVIL})
    run_directory.json("metrics.json", {EVIL: {"value": 1, "low": 0, "high": 2, "n": 3}})
    run_directory.text("overrides.txt", EVIL + "\n")
    run_directory.text("config.yaml", CONFIG + f"extra: {json.dumps({EVIL: EVIL})}\n")
    page = run_directory.page()
    assert page.count("<script>") == 1 and page.count("</script>") == 1
    assert "<img" not in page and not re.search(r"<[^>]*\sonerror=", page)
    assert "<b>" not in re.sub(r"<b( style=\"[^\"]*\")?></b>|<b>row \d+</b>", "", page) and "<i>" not in page


def test_the_page_refers_to_nothing_outside_itself(run_directory):
    run_directory.rows(answer("see https://example.org/", "see https://example.org/ for more"))
    run_directory.lines("training.jsonl", invented_training())
    page = run_directory.page()
    references = re.findall(r"""(?:src|href|action|data)\s*=\s*["']?([^"'\s>]+)""", page)
    assert references and all(reference.startswith("#") for reference in references)
    assert "@import" not in page and "url(" not in page and "<link" not in page
    assert "default-src 'none'" in page


def test_twenty_thousand_rows_stay_under_a_megabyte_and_the_rest_is_counted(run_directory):
    rows = ({"row": i, **answer("春", invented_poem(i, 5, 8), well_formed=float(i % 3 > 0))} for i in range(20_000))
    run_directory.lines("predictions.jsonl", rows)
    page = run_directory.page()
    assert len(page.encode()) < 1_000_000
    assert "The first 24 of 20,000; 19,976 more in" in page
    assert "6,667 rows of 20,000 went wrong; 6 that are not among the answers above:" in page


def test_everything_large_at_once_stays_under_a_megabyte(run_directory):
    long = "<&\"'> 长文" * 3_000
    trace = invented_trace(invented_poem(1, 7, 100), k=8) * 3
    run_directory.rows(*({**answer(long, [long] * 9, nll=1.0), "trace": trace} for _ in range(40)))
    run_directory.lines("training.jsonl", invented_training(steps=50_000, every=10))
    run_directory.json("status.json", {**STATUS, "state": "failed", "error": long, "traceback": long})
    files = {f"shard-{i}-{'x' * 300}.safetensors": "0" * 64 for i in range(500)}
    run_directory.json("manifest.json", {**MANIFEST, "command": long, "notes": [long] * 99, "packages": {long: long},
                                         "checkpoint": {"name": long, "files": files}})  # fmt: skip
    run_directory.json("metrics.json", {f"{long}{i}": {"value": 1, "low": 0, "high": 2, "n": 3} for i in range(300)})
    run_directory.text("config.yaml", json.dumps({f"section{i}": {"prompts": [long[:3000]] * 2} for i in range(100)}))
    size = len(run_directory.page().encode())
    assert size < 1_000_000


def test_lone_surrogates_and_control_characters_do_not_stop_the_page(run_directory):
    run_directory.text(
        "predictions.jsonl", '{"row": 0, "input": {"text": "\\ud800"}, "prediction": "\\ud800\\u0000a"}\n'
    )
    assert "\x00" not in run_directory.page()


def test_the_report_imports_no_deep_learning_library():
    heavy = ("torch", "transformers", "datasets", "numpy")
    code = f"import sys, runner.report; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
