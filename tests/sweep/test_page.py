"""sweep.html says what came of a sweep, and nothing that a run left breaks it."""

import json
import re
import time

import pytest

from runner.sweep.page import write_page
from runner.sweep.page.reported import reported
from tests.sweep.invented import Invented

HOSTILE = (
    "</script><script>document.title='taken'</script>", "<img src=x onerror=alert(1)>", '"><b>', "x" * 300, "春山明月",
    "a\x00b\x1b[2J", "\ud800", "{{x}}", "&lt;", "nan",
)  # fmt: skip
DAMAGED = [
    *((name, text) for name in ("status.json", "metrics.json", "timing.json") for text in ('{"state": "do', "[1, 2]")),
    ("metrics.json", '{"well_formed": {"value": NaN}, "nll": {"value": 1, "low": "x", "n": -1}, "b": 3}'),
    ("timing.json", '{"phases": [1]}'), ("timing.json", '{"phases": {"predict": "x"}}'),
    ("timing.json", '{"phases": {"predict": NaN}}'), ("predictions.jsonl", "[]\nnull\n"),
    ("predictions.jsonl", '{"row": [], "scores": 3}'),
    ("predictions.jsonl", '{"row": 0, "scores": {"well_formed": "x"}}'),
    ("training.jsonl", '{"step": "x", "loss": NaN}\n[]\n{"st'), ("report.html", None),
]  # fmt: skip


def page(sweep):
    assert write_page(sweep.findings()) == "sweep.html"
    return (sweep.directory / "sweep.html").read_text("utf-8")


def text(html):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html.partition("<body>")[2].partition("<script")[0]))


def embedded(html):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.S)[1])


@pytest.fixture
def sweep(tmp_path):
    """The best, one that ties and is cheaper, one that is worse; one that failed, one that is not run."""
    made = Invented(tmp_path)
    right, wrong = [1] * 18 + [0] * 2, [0] * 16 + [1] * 4
    made.job(["a.x=1"], 0.9, correct=right, seconds=4)
    (made.directory.parent.parent / "poems" / "run-0" / "report.html").write_text("")
    made.job(["a.x=2"], 0.85, correct=[1] * 17 + [0] * 3, seconds=2)
    made.job(["a.x=3"], 0.2, correct=wrong, seconds=3)
    made.job(["a.x=4"], state="failed", error="ValueError: too <large>")
    made.job(["a.x=5"], state="new")
    return made


def test_the_answer_is_the_best_point_what_it_beats_and_what_ties_with_it(sweep):
    html = page(sweep)
    said = text(html)
    # one row differs from the second: p = 1; 20 rows from the third: 2 (0.5 ** 20 (1 + 20 + 190)) = 0.0004
    assert "It is significantly better than 1 of the 2 others; 1 may be as good." in said
    ties = html.partition('class="ties"')[2].partition("</table>")[0]
    assert re.findall(r'data-point="(\d)"', ties) == ["1", "0"] and "2.0 s (50% cheaper)" in ties  # the cheapest first
    assert "python -m runner a.x=1 y=0" in said
    assert 'href="../../poems/run-0/report.html"' in html and 'href="../../poems/run-1"' in html


def test_failures_are_counted_by_their_cause_and_what_is_left_is_told(sweep):
    sweep.job(["a.x=6"], state="failed", error="ValueError: too <large>")
    said = text(page(sweep))
    assert "2 jobs failed, of 1 cause." in said and "2 × ValueError: too &lt;large&gt;" in said
    assert "not run yet: 1 job" in said and "1 job of those planned has not been run to the end" in said


def test_several_goals_show_the_front_first(tmp_path):
    sweep = Invented(tmp_path, goals=["accuracy", "seconds"])
    for value, seconds in ((0.9, 5.0), (0.8, 1.0), (0.7, 3.0)):
        sweep.job([f"x={value}"], value, seconds=seconds)
    html = page(sweep)
    assert "2 of 3 points are beaten by no other in accuracy (larger is better) and seconds (smaller" in text(html)
    assert html.index('<section id="front"') < html.index('<section id="answer"')
    assert embedded(html)["front"] == [0, 1]


def test_points_with_several_seeds_are_one_line_with_each_run(tmp_path):
    sweep = Invented(tmp_path)
    for value, seed, x in ((0.8, 0, 1), (0.9, 1, 1), (0.3, 0, 2), (0.2, 1, 2)):
        sweep.job([f"x={x}", f"seed={seed}"], value, seed=seed)
    html = page(sweep)
    assert "It is the best in 2 of 2 seeds." in text(html) and "mean of 2 seeds" in text(html)
    assert len(embedded(html)["points"]) == 2 and html.count('data-point="1"') == 2  # a tie, a row


def test_curves_of_jobs_that_were_given_up_end_with_a_cross(tmp_path):
    sweep = Invented(tmp_path)
    for value, state, steps in ((0.9, "done", 5), (0.8, "done", 5), (None, "pruned", 2)):
        folder = sweep.job([f"x={steps}{value}"], value, state=state)
        lines = [{"step": 10 * at, "eval_accuracy": 0.1 * at, "loss": float("nan")} for at in range(1, steps + 1)]
        (folder / "training.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"step": 9')
    html = page(sweep)
    assert "1 job given up before the end (dashed, with a cross)." in text(html)
    assert html.count('class="curve pruned at"') == 1 and html.count('class="cross"') == 1
    assert "validation accuracy" in text(html) and "training loss" not in text(html)


@pytest.mark.parametrize("pruner", ["median", "wilcoxon"])
def test_what_trials_reported_is_read_from_their_study(tmp_path, pruner):
    optuna = pytest.importorskip("optuna")
    sweep = Invented(tmp_path, sweeper=[f"hydra.sweeper.pruner={pruner}"])
    storage = f"sqlite:///{sweep.directory / 'study.db'}"
    study = optuna.create_study(storage=storage, study_name="one")
    for value in (0.9, 0.8):
        trial = study.ask({"x": optuna.distributions.FloatDistribution(0, 1)})
        trial.report(0.9, 4)
        trial.report(0.5, 2)
        sweep.job([f"x={value}"], value)
    assert reported(sweep.findings()) == {at: [(2.0, 0.5), (4.0, 0.9)] for at in (0, 1)}
    assert "reported accuracy" in text(page(sweep))
    (sweep.directory / "study.db").write_bytes(b"no database")
    assert reported(sweep.findings()) == {}


@pytest.mark.parametrize("value", HOSTILE)
def test_nothing_that_a_value_or_an_error_says_becomes_markup(tmp_path, value):
    sweep = Invented(tmp_path, command=[f"x={value}"], name=value)
    for at in range(3):
        sweep.job([f"x={value}{at}", f"k{value}={at}"], 0.1 * at)
    sweep.job([f"x={value}"], state="failed", error=value)
    html = page(sweep)
    assert html.count("<script") == 2 and html.count("</script>") == 2
    assert "<img" not in html
    assert len(embedded(html)["points"]) == 3


def test_damaged_files_of_a_run_cost_only_themselves(cli, common):
    assert cli("-m", *common, "decode.max_new_tokens=2,3").code == 0
    (sweep,) = cli.home.glob("outputs/sweeps/*")
    for file, content in DAMAGED:
        path = cli.runs[0] / file
        whole = path.read_text() if path.exists() else None
        path.unlink() if content is None else path.write_text(content)
        (sweep / "sweep.html").unlink()
        shown = cli(f"sweep.show={sweep.relative_to(cli.home)}")
        assert shown.code == 0, (file, content, shown.err)
        assert "sweep.html  sweep.csv  sweep.parquet" in shown.out
        assert '<section id="origin"' in (sweep / "sweep.html").read_text()
        path.unlink() if whole is None else path.write_text(whole)


def test_a_sweep_ends_with_its_page(cli, common):
    ended = cli("-m", *common, "decode.max_new_tokens=2,3", "hydra.launcher.n_jobs=1")
    assert ended.out.splitlines()[-1].endswith("        sweep.html  sweep.csv  sweep.parquet")
    (path,) = cli.home.glob("outputs/sweeps/*/sweep.html")
    said = text(path.read_text())
    assert "python -m runner -m checkpoint.name_or_path=" in said and "hydra.launcher.n_jobs=1" in said
    assert "workers 1" in said and "planned" in said


def test_jobs_without_a_number_are_listed(tmp_path):
    sweep = Invented(tmp_path, metric=None)
    sweep.job(["x=1"])
    sweep.job(["x=2"])
    assert "These jobs have no number to be ordered by: 2 runs." in text(page(sweep))


def test_an_empty_sweep_has_a_page(tmp_path):
    assert "A sweep" in text(page(Invented(tmp_path)))


def test_the_page_of_a_thousand_jobs_is_small_and_made_in_a_second_or_so(tmp_path):
    sweep = Invented(tmp_path)
    for at in range(1000):
        sweep.job([f"{key}={(at * step) % 97 / 97!r}" for step, key in enumerate("abcdefgh", 1)], 0.5 + at % 89 / 200)
    findings = sweep.findings()
    begun = time.perf_counter()
    write_page(findings)
    assert time.perf_counter() - begun < 6  # 0.7 s where nothing else runs
    assert (sweep.directory / "sweep.html").stat().st_size < 1_000_000
