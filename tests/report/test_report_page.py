"""The page tells what the run directory holds, in a person's order."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from runner.report import write_report
from tests.report.invented import CONFIG, STATUS, answer, invented_poem, invented_trace, invented_training

VOID = {"meta", "br", "hr", "img", "input", "link"}


class Balanced(HTMLParser):
    """Fails on a tag that is closed before its children are."""

    def __init__(self):
        super().__init__()
        self.open = []
        self.ids = []

    def handle_starttag(self, tag, attributes):
        if tag not in VOID:
            self.open.append(tag)
        self.ids += [value for name, value in attributes if name == "id"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def text_of(page):
    return re.sub(r"<[^>]+>", "", page[page.index("<body>") :])


def test_the_header_tells_task_checkpoint_state_and_duration(run_directory):
    page = run_directory.page()
    header = text_of(page)[:250]
    assert "causal_lm · poem_gpt2" in header
    assert "done" in header
    assert "in 4.2 s" in header  # 0.1 + 3.1 + 1.0 + 0.02
    assert "6.6 M parameters" in header
    assert "208 tokens/s" in header


def test_the_answers_come_before_the_numbers_and_the_origin_last(run_directory):
    run_directory.lines("training.jsonl", invented_training())
    run_directory.rows({**answer("春", "春山。"), "trace": invented_trace("山。")})
    page = run_directory.page()
    places = [page.index(f'id="{name}"') for name in ("answers", "numbers", "training", "steps", "origin")]
    assert places == sorted(places)


def test_the_page_is_well_formed_and_every_id_is_its_own(run_directory):
    run_directory.lines("training.jsonl", invented_training())
    parser = Balanced()
    parser.feed(run_directory.page())
    assert parser.open == []
    assert len(parser.ids) == len(set(parser.ids))


def test_a_poem_is_set_in_couplets_with_its_prompt_apart(run_directory):
    page = run_directory.page()
    couplets = re.findall(r'<span class="couplet">(.*?)</span>\n|<span class="couplet">(.*?)</p>', page)
    assert '<span class="given">春山月</span>照松，' in page
    assert text_of("<body>" + "".join(couplets[0])) == "春山月照松，远水入云中。"


def test_a_text_that_is_no_verse_is_prose(run_directory):
    assert '<span class="given">The river</span> keeps its own counsel' in run_directory.page()


def test_a_prompt_that_is_not_repeated_is_shown_before_its_answer(run_directory):
    run_directory.rows(answer("good or bad?", {"label": "good", "probability": 0.875}))
    told = text_of(run_directory.page())
    assert "good or bad?" in told and "labelgood" in told and "0.875" in told


def test_several_sequences_of_a_row_share_a_card(run_directory):
    run_directory.rows(answer("", [invented_poem(seed) for seed in range(8)]))
    page = run_directory.page()
    assert page.count('class="verse"') == 6
    assert "and 2 more" in page


def test_rows_are_shown_in_their_order_whatever_the_order_of_the_file(run_directory):
    run_directory.lines("predictions.jsonl", [{"row": row, **answer("", f"answer-{row}.")} for row in (2, 0, 1)])
    assert re.findall(r"answer-\d", run_directory.page()) == ["answer-0", "answer-1", "answer-2"]


def test_a_metric_has_its_interval_in_words_and_as_a_picture(run_directory):
    page = run_directory.page()
    row = page[page.index('<th scope="row">well-formed') :].split("</tr>")[0]
    assert "0.970" in row and "0.930 to 0.990" in row and "200" in row
    assert 'class="whisker"' in row and 'class="dot"' in row


def test_an_interval_of_a_single_example_is_not_drawn(run_directory):
    infinite = float("inf")
    run_directory.json("metrics.json", {"loss": {"value": 4.5, "low": -infinite, "high": infinite, "n": 1}})
    page = run_directory.page()
    assert "4.500" in page and 'class="whisker"' not in page


def test_an_evaluation_shows_its_hardest_and_easiest_rows(run_directory):
    rows = [
        {"input": {"text": f"text {value}"}, "prediction": {"perplexity": float(value), "accuracy": 0.5}, "scores": {}}
        for value in range(1, 101)
    ]
    run_directory.rows(*rows)
    told = text_of(run_directory.page())
    hardest, easiest = told.split("Hardest rows")[1].split("Easiest rows")
    assert hardest.index("text 100") < hardest.index("text 93") and "text 92" not in hardest
    assert easiest.index("text 1") < easiest.index("text 8") and "text 9" not in easiest
    assert "100 rows" in told


def test_an_infinite_perplexity_is_counted_and_does_not_stop_the_page(run_directory):
    finite = {"input": {"text": "a"}, "prediction": {"perplexity": 10.0}, "scores": {}}
    run_directory.rows(finite, {**finite, "prediction": {"perplexity": float("nan")}})
    assert "1 row without a finite perplexity" in run_directory.page()


def test_training_is_told_in_a_sentence_and_drawn(run_directory):
    lines = [{"step": s, "loss": 10.0 - s, "learning_rate": 0.001} for s in range(1, 6)]
    lines += [{"step": 2, "eval_loss": 7.5}, {"step": 4, "eval_loss": 7.25}, {"step": 5, "eval_loss": 7.75}]
    run_directory.lines("training.jsonl", lines)
    page = run_directory.page()
    assert "5 steps; training loss from 9.000 to 5.000; lowest validation loss 7.250 at step 4 (ringed)." in page
    assert "step 4\ntraining loss 6.000\nvalidation loss 7.250" in page
    assert 'class="ring second"' in page and "learning rate" in page


def test_a_loss_that_is_not_finite_is_worth_a_look(run_directory):
    run_directory.lines("training.jsonl", [{"step": 1, "loss": 3.0}, {"step": 2, "loss": float("nan")}])
    assert "The training loss was not finite 1 time, first at step 2." in run_directory.page()


def test_a_step_shows_its_candidates_and_frames_the_chosen_one(run_directory):
    steps = [
        {"chosen": "山", "candidates": [["水", 0.5], ["山", 0.25]]},
        {"chosen": "云", "candidates": [["风", 0.75]]},
        {"chosen": "雨", "probability": 0.04, "candidates": [["风", 0.75]]},
    ]
    run_directory.rows({**answer("春", "春山云"), "trace": [steps]})
    page = run_directory.page()
    assert 'class="cell chosen" style="--p:0.50" title="山 25.00 % · chosen"' in page  # the square root of 0.25
    assert 'title="step 2: 云 (not among the 1 likeliest)"' in page
    assert '<b style="height:4%"></b>' in page and 'title="step 3: 雨 4.000 % (not among the 1 likeliest)"' in page
    assert '<li class="given"><span class="token" lang="zh">春</span></li>' in page  # the prompt comes first


def test_rows_that_went_wrong_are_worth_a_look(run_directory):
    page = run_directory.page()
    look = page.split('id="look"')[1].split('id="origin"')[0]
    assert "1 row of 4 went wrong: see the answers above." in look and "<figure" not in look  # nothing twice
    assert "not well-formed" in page and "this line breaks the metre" in page


def test_overridden_options_are_marked_and_empty_ones_are_folded(run_directory):
    page = run_directory.page()
    marked = re.findall(r'<tr class="overridden"><th scope="row">(\w+)', page)
    assert marked == ["temperature"]
    assert re.search(r'scope="rowgroup">decode <code class="override">decode=sample', page)
    assert "top_k, num_beams" in page and "2 options left empty" in page


def test_hashes_are_short_with_the_whole_in_the_title(run_directory):
    whole = "0123456789abcdef" * 4
    assert f'title="sha256 {whole}" class="hash">01234567</code>' in run_directory.page()


def test_random_weights_are_told_at_the_top(run_directory):
    manifest = json.loads((run_directory.path / "manifest.json").read_text())
    manifest["checkpoint"]["random_weights"] = True
    run_directory.json("manifest.json", manifest)
    assert "random weights" in text_of(run_directory.page())[:200]
    manifest["checkpoint"]["random_weights"] = ["score.weight", "score.bias"]
    run_directory.json("manifest.json", manifest)
    page = text_of(run_directory.page())
    assert "2 weight tensors new and random" in page[:200] and "score.weight, score.bias" in page
    assert "random weights" not in page


def test_a_page_written_before_the_status_says_done(run_directory):
    run_directory.json("status.json", {**STATUS, "state": "running", "ended": None})
    assert 'class="badge done"' in run_directory.page()


def test_the_page_replaces_the_one_before_and_leaves_nothing_else(run_directory):
    before = set(run_directory.path.iterdir())
    write_report(run_directory.path)
    assert write_report(run_directory.path) == run_directory.path / "report.html"
    assert set(run_directory.path.iterdir()) - before == {run_directory.path / "report.html"}


def test_a_directory_that_is_not_there_is_told():
    with pytest.raises(NotADirectoryError, match="a report is made from a run directory, but /nowhere/run is none"):
        write_report(Path("/nowhere/run"))


def test_the_command_asks_for_no_rerun_and_trusts_what_was_trusted(run_directory):
    manifest = json.loads((run_directory.path / "manifest.json").read_text())
    manifest["command"] = "python -m runner decode=step 'decode.rule={_target_: my_rules.Fresh}' rerun=true"
    run_directory.json("manifest.json", manifest)
    rule = CONFIG.replace("loop: generate", "loop: step, rule: {_target_: my_rules.Fresh}")
    run_directory.text("config.yaml", rule)
    shown = re.search(r'id="command">(.*?)</code>', run_directory.page())[1]
    assert (
        shown == "RUNNER_TRUST=my_rules python -m runner decode=step &#x27;decode.rule={_target_: my_rules.Fresh}&#x27;"
    )


def test_prompts_given_in_the_configuration_hide_the_path_they_stand_in_for(run_directory):
    run_directory.text("config.yaml", CONFIG.replace("path: null", "path: asset:prompts.txt"))
    assert "asset:prompts.txt" not in run_directory.page()


def test_no_number_is_told_twice(run_directory):
    run_directory.lines("training.jsonl", [{"step": 2, "loss": 3.0}, {"step": 4, "loss": 2.5}])
    rows = [{"input": {"text": "a"}, "prediction": {"perplexity": 2.5}, "scores": {}} for _ in range(3)]
    run_directory.rows(*rows)
    run_directory.json("metrics.json", {"perplexity": {"value": 76.35, "low": 71.46, "high": 81.59, "n": 3}})
    page = run_directory.page()
    told = text_of(re.sub(r"<(title|desc)>.*?</\1>", "", page))  # what is pointed at says it again
    for once in ("76.35", "tokens/s", "3 rows", "float32", "seed 0"):
        assert told.split("Configuration")[0].count(once) == 1, once
    assert page.index('id="numbers"') < page.index('id="answers"')  # they are the answer of an evaluation
    assert "as unsure of each token as between so many equally likely ones" in told


def test_few_points_of_a_curve_are_marked(run_directory):
    run_directory.lines("training.jsonl", [{"step": 2, "loss": 3.0}, {"step": 4, "loss": 2.5}])
    assert run_directory.page().count('<circle class="dot first"') >= 2


def test_a_seed_is_told_only_where_something_was_drawn(run_directory):
    manifest = json.loads((run_directory.path / "manifest.json").read_text())
    assert "seed 0" in text_of(run_directory.page())[:200]
    run_directory.json("manifest.json", {**manifest, "decoding": {"do_sample": False}})
    assert "seed 0" not in text_of(run_directory.page())[:200]
