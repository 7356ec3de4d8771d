"""The data card as a section, and numbers beside what they come to without a model."""

import re
from pathlib import Path

import pytest

from runner.report.meaning import meaning
from tests.report.judged import SHARE
from tests.report.test_report_kinds import told

CARD = {
    "source": "sst2/",
    "splits": {
        "train": {
            "rows": 250_000,
            "looked_at": 100_000,
            "lengths": {"text": {"characters": {"p5": 9, "p50": 90, "p95": 190, "max": 280},
                                 "words": {"p5": 2, "p50": 19, "p95": 36, "max": 52}}},
            "empty": 0,
            "duplicates": 9,
            "target": {"missing": 0, "classes": {"no": {"count": 3, "share": 0.3}, "yes": {"count": 7, "share": 0.7}}},
        },
        "test": {
            "rows": 10,
            "looked_at": 10,
            "lengths": {"text": {"characters": {"p5": 8, "p50": 80, "p95": 180, "max": 270}}},
            "empty": 0,
            "duplicates": 0,
            "target": {"missing": 0, "classes": {"yes": {"count": 10, "share": 1.0}}},
        },
    },
    "shared": {"split": "test", "looked_at": 10, "count": 2, "in": {"train": 2}, "places": [["test:1", "train:7"]]},
}  # fmt: skip


def section(page):
    return told("<main>" + page.split('id="data"')[1].split("</section>")[0])


def test_the_data_card_tells_rows_lengths_and_classes_of_each_split(run_directory):
    run_directory.json("data_card.json", CARD)
    page = run_directory.page()
    assert page.index('id="data"') < page.index('id="origin"')
    shown = section(page)
    assert "train 250,000 9 text, words 2 19 36 52" in shown  # words where there are several
    assert "test 10 0 text, characters 8 80 180 270" in shown
    assert "no 30 % · 3 – yes 70 % · 7 100 % · 10" in shown
    assert "train: the first 100,000 of 250,000 rows were looked at." in shown


def test_rows_that_are_also_trained_on_are_a_warning(run_directory):
    run_directory.json("data_card.json", CARD)
    assert "2 of 10 rows of test also stand in train test:1 = train:7" in section(run_directory.page())
    run_directory.json("data_card.json", {**CARD, "shared": {**CARD["shared"], "count": 0}})
    page = run_directory.page()
    assert "No row of test stands in another split, too." in page and 'class="banner"' not in page


def test_numbers_and_questions_to_be_answered_are_told(run_directory):
    numbers = {"rows": 3, "target": {"missing": 0, "numbers": {"min": 0.0, "mean": 2.5, "max": 5.0}}}
    questions = {"rows": 4, "target": {"missing": 0, "answered": 3, "without_answer": 1}}
    run_directory.json("data_card.json", {"source": "stsb/", "splits": {"train": numbers, "test": questions}})
    shown = section(run_directory.page())
    assert "train: targets from 0.000 to 5.000, mean 2.500" in shown
    assert "test: 1 of 4 questions have no answer" in shown


@pytest.mark.parametrize(
    "card",
    [
        {},
        {"splits": 3},
        {"splits": {"a": None}},
        {"splits": {"a": {"lengths": 1, "target": 2}}, "shared": {"count": 1, "places": [1], "in": "train"}},
        {"splits": {"a": {"target": {"classes": {"b": {"share": "much"}, "c": 3}, "numbers": {"min": "low"}}}}},
    ],
)
def test_a_damaged_card_does_not_stop_the_page(run_directory, card):
    run_directory.json("data_card.json", card)
    assert "How it was made" in run_directory.page()


def test_more_classes_than_are_shown_are_counted(run_directory):
    classes = {f"class {at}": {"count": 100 - at, "share": 0.01} for at in range(40)}
    run_directory.json("data_card.json", {"splits": {"rows": {"rows": 1, "target": {"classes": classes}}}})
    assert "16 classes more, all of them rarer." in section(run_directory.page())


def test_a_number_stands_beside_its_baselines(run_directory):
    run_directory.json("metrics.json", {"accuracy": {**SHARE, "baselines": {"majority": 0.501, "random": 0.5}}})
    page = run_directory.page()
    assert "0.500 majority 0.501 random 0.500 0.400 to 0.600" in told(page)
    assert 'title="always the most frequent answer"' in page


def test_numbers_are_spelled_as_people_spell_them(run_directory):
    names = ("macro_f1", "f1_PER", "ndcg_10", "rougeL", "recall_5", "mcc")
    run_directory.json("metrics.json", dict.fromkeys(names, SHARE))
    heads = re.findall(r'<th scope="row">([^<]+)<small>', run_directory.page().split('id="numbers"')[1])
    assert heads[:6] == ["macro F1", "F1 PER", "nDCG 10", "ROUGE-L", "recall 5", "MCC"]


def test_every_number_of_every_task_has_a_meaning():
    from omegaconf import OmegaConf

    from runner.build import build
    from runner.types import Metric

    found = set()
    for path in sorted((Path(__file__).parents[2] / "conf" / "task").glob("*.yaml")):
        task = OmegaConf.to_container(OmegaConf.load(path))
        for way in ("predict", "evaluate"):
            for metric in ((task.get(way) or {}).get("metrics") or {}).values():
                found |= set(build(metric, "metric", Metric).numbers())
    assert len(found) > 20 and [name for name in found if meaning(name) is None] == []


def test_rows_are_mistakes_where_the_score_that_metrics_name_is_0(run_directory):
    run_directory.rows(*({"input": {"text": "a"}, "prediction": None, "scores": {"odd": at % 2}} for at in range(30)))
    run_directory.json("metrics.json", {"some": {**SHARE, "passed": "odd"}})
    assert "15 rows of 30 went wrong" in run_directory.page()
    run_directory.json("metrics.json", {"some": {**SHARE, "passed": None}})
    assert "went wrong" not in run_directory.page()
