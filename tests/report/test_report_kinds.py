"""What the report makes of the answers of each kind: counts by hand, marks in their place, the worst first."""

import re

import pytest

from runner.report.kinds.curves import Calibration, ErrorByLength, Ranked
from runner.report.kinds.vectors import plane
from runner.report.kinds.written import sentence_chrf
from runner.report.lines import Known, Sample, listed
from runner.report.tables import probability
from tests.report.judged import (
    choice,
    fill,
    label,
    labels,
    made,
    number,
    pair,
    recovered,
    span,
    tagged,
    vector,
    written,
)

TEXT = {"columns": {"text": [], "label": []}, "target": "label"}
ENTITIES = {"columns": {"tokens": [], "tags": [], "text": []}, "target": "tags"}
SPANS = {"columns": {"question": [], "context": [], "answers": []}, "target": "answers"}
PAIRS = {"columns": {"sentence1": [], "sentence2": [], "score": []}, "target": "score"}
WRITTEN = {"columns": {"source": [], "target": []}, "target": "target"}


def told(page):
    """The page as text, one space between its parts."""
    return " ".join(re.sub(r"<[^>]+>", " ", page.split("<main>")[1]).split())


def after(page, heading):
    return told(page).split(heading)[1]


def table(page, look):
    """The cells of the rows of the first table of a class."""
    body = re.search(rf'<table class="{look}">.*?<tbody>(.*?)</tbody>', page, re.DOTALL)[1]
    rows = re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)
    return [
        [" ".join(re.sub(r"<[^>]+>", " ", cell).split()) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)]
        for row in rows
    ]


LABELLED = [
    label("right a", 0, 0.9, 0.1),
    label("right a, too", 0, 0.8, 0.2),
    label("a taken for b", 0, 0.4, 0.6),
    label("right b", 1, 0.3, 0.7),
    label("b taken for a, surely", 1, 0.95, 0.05),
]


def test_a_confusion_matrix_counts_gold_down_and_guesses_across(run_directory):
    page = made(run_directory, TEXT, LABELLED, "correct")
    assert table(page, "matrix") == [["a", "2 67 %", "1 33 %", "3"], ["b", "1 50 %", "1 50 %", "2"]]


def test_each_class_has_its_precision_and_recall(run_directory):
    page = made(run_directory, TEXT, LABELLED, "correct")
    # a: 2 of 3 guesses, 2 of 3 gold; b: 1 of 2, 1 of 2
    assert table(page, "types") == [
        ["a", "", "3", "3", "0.667", "0.667", "0.667"],
        ["b", "", "2", "2", "0.500", "0.500", "0.500"],
    ]


def test_the_surest_mistake_comes_first_and_the_least_sure_row_too(run_directory):
    page = made(run_directory, TEXT, LABELLED, "correct")
    mistakes, unsure = after(page, "Most confident mistakes").split("Least sure")
    assert mistakes.index("b taken for a, surely") < mistakes.index("a taken for b") and "right a" not in mistakes
    assert unsure.index("a taken for b") < unsure.index("right b")
    assert "✗ a 0.950 ✓ b 0.050" in mistakes


def test_numbers_come_first_where_labels_were_judged_and_answers_where_not(run_directory):
    page = made(run_directory, TEXT, LABELLED, "correct")
    assert page.index('id="numbers"') < page.index('id="drawn"') < page.index('id="answers"')
    page = made(run_directory, TEXT, [label("which?", None, 0.25, 0.75)])
    assert 'id="drawn"' not in page and "which? b 0.750 a 0.250" in told(page)


def test_more_than_twenty_classes_are_shown_as_the_most_frequent_and_others(run_directory):
    names = [f"class{at}" for at in range(25)]
    lines = []
    for at in range(25):
        line = label("text", at, *(0.9 if other == at else 0.1 for other in range(25)), names=names)
        lines += [line] * (2 if at < 19 else 1)
    rows = table(made(run_directory, TEXT, lines, "correct"), "matrix dense")
    assert [row[0] for row in rows] == [*names[:19], "others"]
    assert rows[-1][-1] == "6" and rows[-1][-2] == "6 100 %"


def test_candidates_in_the_order_of_their_probability_are_counted_by_name(run_directory):
    lines = [label("one", 0, 0.9, 0.1, names=["sport", "art"]), label("two", 1, 0.8, 0.2, names=["art", "sport"])]
    page = made(run_directory, TEXT, lines, "correct")  # both are sport; the second was taken for art
    assert table(page, "matrix")[0] == ["sport", "1 50 %", "1 50 %", "2"]


def test_bins_of_confidence_are_open_below_and_closed_above():
    calibration = Calibration()
    for confidence, right in ((1 / 15, True), (0.5, True), (8 / 15, False), (1.0, True), (0.0, False)):
        calibration.add(confidence, right)
    assert [at for at in range(15) if calibration.counts[at]] == [0, 7, 14]
    assert calibration.counts[7] == 2 and calibration.right[7] == 1
    assert "2 rows from 0.47 to 0.53\nmean probability 0.517\n50 % right" in calibration.drawn()


def test_precision_is_drawn_against_recall_from_the_highest_threshold_down():
    ranked = Ranked()
    for score, gold in ((0.9, "b"), (0.8, "a"), (0.7, "b")):
        ranked.add({"a": 1 - score, "b": score}, gold)
    picture = ranked.drawn(["a", "b"])
    # thresholds: recall 1/2 at precision 1, 1/2 at 1/2, 1 at 2/3; x from 58 to 404, y from 256 (0) to 12 (1)
    assert "class b" in picture and 'd="M58,12L231,12L231,134L404,93.3"' in picture


def test_curves_of_more_classes_are_those_of_the_five_most_frequent():
    ranked = Ranked()
    for at, name in enumerate("abcdefg"):
        for _ in range(10 - at):
            ranked.add({other: 0.7 if other == name else 0.05 for other in "abcdefg"}, name)
    assert re.findall(r"<title>(\w)</title>", ranked.drawn(list("abcdefg"))) == list("abcde")


def test_errors_are_counted_in_groups_of_like_length():
    lengths = ErrorByLength()
    for length in range(1, 17):
        lengths.add(length, right=length <= 8)
    picture = lengths.drawn()
    assert "2 rows of 1 to 2 characters\n0 wrong: 0 %" in picture
    assert "2 rows of 15 to 16 characters\n2 wrong: 100 %" in picture


def test_a_pair_of_texts_shows_both_with_their_columns(run_directory):
    line = {**label("", None, 0.9, 0.1, names=["is_next", "not_next"]), "input": {"sentence1": "A.", "sentence2": "B."}}
    assert "sentence1 A. sentence2 B. is_next 0.900" in told(made(run_directory, PAIRS, [line]))


def test_each_of_several_labels_is_counted_by_itself(run_directory):
    lines = [labels("one", [0, 1], [0], 0.9, 0.2), labels("two", [1], [0, 1], 0.6, 0.7)]
    page = made(run_directory, TEXT, lines, "correct")
    # a: found once, once too much; b: found once, missed once
    assert table(page, "types") == [
        ["a", "", "1", "2", "0.500", "1.000", "0.667"],
        ["b", "", "2", "1", "1.000", "0.500", "0.667"],
    ]
    furthest = after(page, "Furthest off")  # 0.1 + 0.8 and 0.6 + 0.3 off: the first wins the tie
    assert "✓ a 0.900 ✓ b 0.200" in furthest


def test_numbers_furthest_off_are_shown_on_either_side(run_directory):
    lines = [number("near", 1.0, 1.1), number("far above", 1.0, 4.0), number("far below", 5.0, 2.0)]
    page = made(run_directory, TEXT, lines)
    high, low = after(page, "Guessed too high").split("Guessed too low")
    assert high.index("far above") < high.index("near") and "far below" in low
    assert "4.000 · gold 1.000" in high and "1 row: gold 5.000, guess 2.000" in page


def test_entities_are_marked_in_their_text_as_right_wrong_invented_or_missed(run_directory):
    tokens = "Anna Berg met ACME in Oslo on Friday"
    line = tagged(tokens, "B-PER I-PER O B-ORG O B-LOC O O", "B-PER I-PER O B-LOC O O O B-LOC")
    page = made(run_directory, ENTITIES, [line], "entities_correct")
    marks = re.findall(r'<span class="entity t\d (\w+) short" [^>]*>([^<]+)<small>([^<]+)</small>', page)
    assert marks[:4] == [
        ("right", "Anna Berg", "✓ PER"),
        ("wrong", "ACME", "≠ LOC · gold ORG"),
        ("missed", "Oslo", "− LOC"),
        ("invented", "Friday", "+ LOC"),
    ]
    assert "✗ not all entities right" in page
    rows = {row[0]: row[2:] for row in table(page, "types")}
    assert rows["PER"] == ["1", "1", "1.000", "1.000", "1.000"] and rows["LOC"] == ["1", "2", "0.000", "0.000", "0.000"]


def test_an_entity_with_other_ends_shows_those_of_the_gold(run_directory):
    line = tagged("Anna Berg sails", "B-PER I-PER O", "B-PER O O")
    assert "≠ PER · gold PER “Anna Berg”" in made(run_directory, ENTITIES, [line], "entities_correct")


def test_entities_of_a_plain_text_stand_in_it_without_judgement(run_directory):
    entity = {"type": "PER", "score": 0.99, "text": "Anna", "start": 0, "end": 4}
    line = {"input": {"text": "Anna sails."}, "prediction": {"entities": [entity]}, "scores": {}}
    page = made(run_directory, ENTITIES, [line])
    assert '<span class="entity t0 short" title="PER 0.990">Anna<small>PER</small></span> sails.' in page


def test_tokens_that_were_cut_off_are_shown_as_far_as_they_are_known(run_directory):
    line = tagged("Anna sails to Oslo", "B-PER O O B-LOC", "B-PER O O B-LOC")
    line["input"] = {"tokens": "['Anna', 'sails', 't…", "tags": ["B-PER", "O", "O", "B-LOC"]}
    assert "Anna ✓ PER sails …" in told(made(run_directory, ENTITIES, [line]))


@pytest.mark.parametrize(
    ("value", "found"),
    [([1], [1]), ("['a', 'b, c', 'd…", ["a", "b, c"]), ("['a, b…", []), ("no list", []), (None, []), ("[" * 600, [])],
)
def test_a_list_that_was_cut_off_is_read_up_to_there(value, found):
    assert listed(value) == found


def test_an_answer_is_marked_in_its_context_with_the_gold_beside_it(run_directory):
    context = "before " * 60 + "the answer was Anna Berg indeed " + "after " * 60
    page = made(run_directory, SPANS, [span(context, "Anna Berg", ["Berg"], 0.667)], "exact_match")
    assert '<span class="span" title="probability 0.800">Anna Berg</span> indeed' in page
    shown = re.search(r'<p class="prose" dir="auto">(…before .*?after…)</p>', page)[1]
    assert len(re.sub(r"<[^>]+>", "", shown)) < 2 * 175 + len("Anna Berg")
    assert "✗ gold Berg" in told(page) and "F1 0.667" in told(page)


def test_an_answer_behind_what_was_kept_of_its_context_stands_by_itself(run_directory):
    line = span("It was Anna.", "Anna", ["Anna"], 1.0)
    line["prediction"] |= {"start": 700, "end": 704}
    assert "It was Anna. Anna ✓ gold Anna" in told(made(run_directory, SPANS, [line]))


def test_answers_of_the_lowest_f1_come_first(run_directory):
    lines = [span("a b c", "a", ["a"], 1.0), span("a b c", "b", ["b c"], 0.667), span("a b c", "c", ["a"], 0.0)]
    page = made(run_directory, SPANS, lines, "exact_match")
    worst = after(page, "Furthest from a gold answer")
    assert worst.index("F1 0") < worst.index("F1 0.667") and "row 0" not in worst.split("How it was made")[0]


def test_choices_are_lettered_and_the_right_one_is_ticked(run_directory):
    page = made(
        run_directory, {"columns": {"question": []}, "target": "label"}, [choice("q", 2, 0.2, 0.5, 0.3)], "correct"
    )
    assert "q A choice 0 0.200 ✗ B choice 1 0.500 ✓ C choice 2 0.300" in told(page)
    assert "Most confident mistakes" in page


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "<0.001"), (0.0004, "<0.001"), (0.0014, "0.0014"), (0.5, "0.500"), (0.9997, ">0.999"), (1, "1")],
)
def test_a_probability_has_at_most_three_digits(value, text):
    assert probability(value) == text


def test_blanks_are_filled_in_their_place_with_the_candidates_below(run_directory):
    line = fill("春[MASK]花[MASK]夜", "春江花月夜", [("江", 0.6), ("风", 0.2)], [("月", 0.9)])
    page = made(run_directory, {"columns": {}}, [line])
    assert '春<span class="fill" title="0.600">江</span>花<span class="fill" title="0.900">月</span>夜' in page
    assert "blank 1 江 0.600 风 0.200 blank 2 月 0.900" in told(page)


def test_the_hardest_tokens_and_rows_of_hidden_tokens_are_told(run_directory):
    easy = recovered("easy row", ("the", 1, 1, 0.1))
    hard = recovered("hard row", ("sea", 0, 1, 3.0), ("the", 1, 1, 0.3))
    page = made(run_directory, {"columns": {"text": []}}, [easy, hard], "top1")
    tables = after(page, "Hardest tokens").split("Most often missed")[0]
    assert "sea 1 0 % 3.000 the 2 100 % 0.200" in tables
    rows = after(page, "Hardest rows")
    assert rows.index("hard row") < rows.index("easy row")
    assert 'class="chip near" title="among the first five, loss 3.000">sea' in page


def test_pairs_furthest_from_the_line_are_told_on_either_side(run_directory):
    lines = [pair(f"on the line {at}", "b", at / 5, float(at)) for at in range(6)]
    lines += [pair("too alike", "b", 0.9, 0.0), pair("too different", "b", 0.1, 5.0)]
    page = made(run_directory, PAIRS, lines)
    more, less = after(page, "Taken for more alike than people say").split("Taken for less alike than people say")
    assert more.split("row ")[0].count("too alike") == 1 and less.split("row ")[0].count("too different") == 1
    assert "cosine gold 0.000 0.900" in more


def test_a_map_shows_every_text_coloured_by_its_label(run_directory):
    lines = [
        vector(f"text {at}", [float(at % 2 == side) + 0.01 * at for side in (0, 1)], label=at % 2) for at in range(6)
    ]
    page = made(run_directory, TEXT, lines)
    assert page.count('<circle class="point t') == 6 and "<title>1: text 3</title>" in page
    assert page.index('id="drawn"') < page.index('id="answers"')


def test_the_plane_is_that_of_the_most_variance():
    from array import array

    vectors = [array("f", [3.0 * x, 0.0, y]) for x in (-1, 1) for y in (-1, 1)]
    places, share = plane(vectors)
    assert [tuple(round(abs(value), 5) for value in place) for place in places] == [(3.0, 1.0)] * 4
    assert share == pytest.approx(1.0)


def test_neighbours_are_told_with_their_texts(run_directory):
    run_directory.lines("neighbours.jsonl", [{"row": 0, "neighbours": [{"row": 2, "cosine": 0.75}]}])
    lines = [vector(text, [1.0, 0.0]) for text in ("river", "lamp", "stream")]
    assert "Nearest texts river stream 0.750 row 0" in told(made(run_directory, TEXT, lines))


def test_vectors_of_tokens_are_counted(run_directory):
    page = made(run_directory, TEXT, [vector("a b", [[0.5, 0.25, 1.0], [0.0, 0.0, 1.0]])])
    assert "2 vectors of 3 numbers: 0.500, 0.250, 1.000, …" in told(page)


def test_a_written_text_stands_between_its_source_and_its_reference(run_directory):
    page = made(run_directory, WRITTEN, [written("source", ["first", "second"], "answer", rougeL=0.25)])
    assert "source answer reference first reference second row 0 ROUGE-L 0.250" in told(page)


def test_written_texts_are_ranked_by_chrf(run_directory):
    far, near = [8, 8, 1] * 6, [8, 8, 7] * 6
    lines = [written("s", "t", "near one", chrf_statistics=near), written("s", "t", "far one", chrf_statistics=far)]
    worst, best = after(made(run_directory, WRITTEN, lines), "Furthest from the reference").split("Nearest to the ref")
    assert worst.index("far one") < worst.index("near one") and best.index("near one") < best.index("far one")


def test_chrf_of_a_text_is_that_of_sacrebleu():
    from sacrebleu.metrics import CHRF

    metric, text, reference = CHRF(), "the river keeps its counsel", "the river keeps its own counsel"
    statistics = metric._extract_corpus_statistics([text], [[reference]])[0]
    assert 100 * sentence_chrf(statistics) == pytest.approx(metric.sentence_score(text, [reference]).score)


def test_a_sample_keeps_all_of_a_few_and_as_many_of_a_stream():
    few, many = Sample(5), Sample(5)
    for at in range(3):
        few.add(at)
    for at in range(10_000):
        many.add(at)
    assert few.kept == [0, 1, 2] and len(set(many.kept)) == 5 and many.seen == 10_000


def test_texts_of_a_row_are_those_of_the_task_without_what_is_right():
    known = Known(columns=("text", "text_pair", "label"), target="label")
    assert known.texts({"input": {"id": "7", "text": "a", "text_pair": "b", "label": "c"}}) == {
        "text": "a",
        "text_pair": "b",
    }
    assert Known().texts({"input": {"id": "7", "source": "a"}}) == {"id": "7"}
