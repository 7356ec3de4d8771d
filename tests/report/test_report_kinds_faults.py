"""Lines of every kind that are hostile, damaged, long or many: a page is written, stays small, executes nothing."""

import copy
import json
import re
import tracemalloc

import pytest

from runner.report.answers import answers, drawn
from runner.report.lines import Known
from runner.report.read import Predictions, read_run
from tests.report.judged import EVERY, SHARE, TASK, label, made

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"' &amp;"
JUNK = (None, True, -1, 1e400, float("nan"), "", EVIL, [], [[]], {}, {"a": EVIL}, [None, {"start": "x"}])
NAMES = ["labels", "label sets", "number", "entities", "span", "choice",
         "fills", "recovered", "pair", "vector", "written", "likelihood"]  # fmt: skip


def places(value, path=()):
    """The path of every value inside."""
    yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in inside:
        yield from places(inner, (*path, key))


def replaced(value, path, new):
    """A copy with another value at the path."""
    if not path:
        return new
    found = copy.deepcopy(value)
    inner = found
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = new
    return found


def hostile(value):
    """Every text, and every name that is not one of a field, made hostile."""
    if isinstance(value, dict):
        free = not {"label", "text", "gold", "type", "token", "source", "question"} & value.keys()
        kept = value if not free else {f"{EVIL}{key}" if len(key) == 1 else key: inner for key, inner in value.items()}
        return {key: hostile(inner) for key, inner in kept.items()}
    if isinstance(value, list):
        return [hostile(inner) for inner in value]
    return f"{EVIL}{value}" if isinstance(value, str) else value


@pytest.mark.parametrize("line", EVERY, ids=NAMES)
def test_a_line_is_of_exactly_one_kind(line):
    predictions = Predictions(Known(target="target"))
    takers = [kind for kind in predictions.kinds if kind.takes({"row": 0, **line})]
    assert len(takers) == 1
    predictions.add({"row": 0, **line})


@pytest.mark.parametrize("line", EVERY, ids=NAMES)
def test_any_value_of_a_line_may_be_damaged(run_directory, line):
    lines = [replaced(line, path, junk) for path in places(line) if path for junk in JUNK]
    assert "How it was made" in made(run_directory, TASK, [line, *lines], "correct")
    run = read_run(run_directory.path)
    for odd in lines:  # each by itself, too: others are not shown behind it, and nothing else is counted
        run.predictions = Predictions(run.predictions.known)
        run.predictions.add({"row": 0, **odd})
        assert answers(run) and isinstance(drawn(run), list)


@pytest.mark.parametrize("line", EVERY, ids=NAMES)
def test_whatever_lines_hold_is_escaped(run_directory, line):
    classes = {"b": {"count": 1, "share": 1.0}}
    shared = {"count": 1, "split": "a", "in": {"b": 1}, "places": [["a", "b"]]}
    card = {"source": "a", "splits": {"a": {"rows": 1, "target": {"classes": classes}}}, "shared": shared}
    run_directory.json("data_card.json", hostile(card))
    page = made(run_directory, TASK, [hostile(line)] * 6, EVIL)
    assert page.count("<script>") == 1 and page.count("</script>") == 1
    assert "<img" not in page and not re.search(r"<[^>]*\sonerror=", page)
    assert EVIL not in page and "&lt;script&gt;" in page


@pytest.mark.parametrize("line", EVERY, ids=NAMES)
def test_long_texts_stay_under_a_megabyte(run_directory, line):
    def longer(value):
        if isinstance(value, dict):
            return {key: longer(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [longer(inner) for inner in value] * (1 if len(value) == 2 else 8)
        return value + " <长文>" * 3_000 if isinstance(value, str) else value

    found = {**line, "input": longer(line["input"]), "prediction": longer(line["prediction"])}
    assert len(made(run_directory, TASK, [found] * 40, "correct").encode()) < 1_000_000


def test_a_hundred_thousand_rows_are_read_in_constant_memory_and_stay_small(run_directory):
    def lines(count):
        for row in range(count):
            first = (row * 7919 % 1000) / 1000
            yield {"row": row, **label(f"text {row} " * (row % 20), row % 2, first, 1 - first)}

    run_directory.json("config.yaml", {"task": {"name": "a task", **TASK}})
    run_directory.json("metrics.json", {"accuracy": {**SHARE, "passed": "correct"}})
    peaks = []
    for count in (2_000, 20_000):
        run_directory.lines("predictions.jsonl", lines(count))
        tracemalloc.start()
        read_run(run_directory.path)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 200_000  # of some 4 MB
    run_directory.lines("predictions.jsonl", lines(100_000))
    page = run_directory.page()
    assert len(page.encode()) < 300_000
    assert "The first 8 of 100,000; 99,992 more in" in page


@pytest.mark.parametrize("line", EVERY, ids=NAMES)
def test_many_rows_of_a_kind_stay_small(run_directory, line):
    run_directory.json("config.yaml", {"task": {"name": "a task", **TASK}})
    texts = json.dumps(line)
    rows = ({"row": row, **json.loads(texts.replace('text"', f'text {row}"', 1))} for row in range(5_000))
    run_directory.lines("predictions.jsonl", rows)
    assert len(run_directory.page().encode()) < 600_000
