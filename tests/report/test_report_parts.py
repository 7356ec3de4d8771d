"""Verse, numbers and charts by themselves."""

import pytest

from runner.report.lines import Least
from runner.report.markup import clipped, duration, escaped, number, tag, within
from runner.report.svg import Series, histogram, line_chart, thinned, ticks
from runner.report.verse import prompt_length, verse


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("春山月照松，远水入云中。", ["春山月照松，", "远水入云中。"]),
        ("江上清风送远舟，一天星月照高楼。山间", ["江上清风送远舟，", "一天星月照高楼。", "山间"]),
        ("春山何处去？远水入云中！", ["春山何处去？", "远水入云中！"]),
    ],
)
def test_lines_of_five_or_seven_characters_are_verse(text, lines):
    assert [line.text for line in verse(text)] == lines
    assert all(line.regular for line in verse(text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "春山月照松",  # no line is complete
        "春山月照松，",  # one line
        "春山月照，远水入云。",  # four characters
        "今天天气很好，我们去公园。",  # six and six
        "hello, world; again.",
        "abcde，fghij。",  # five letters, not Chinese
        "春山月照松，远水。",  # half of the lines break the metre
    ],
)
def test_other_texts_are_not_verse(text):
    assert verse(text) is None


def test_one_slip_in_four_lines_is_marked():
    assert [line.regular for line in verse("春山月照松，远水入云中。夜静风来去，人归。")] == [True, True, True, False]


@pytest.mark.parametrize(
    ("prompt", "text", "length"),
    [
        ("春山", "春山月", 2),
        ("春 山", "春山月", 2),
        ("[CLS]春山", "春山月", 2),
        ("春山", "春 山月", 3),
        ("春水", "春山月", 0),
        ("", "春", 0),
        ("春山月", "春", 0),
    ],
)
def test_the_prompt_is_found_at_the_beginning_spaces_aside(prompt, text, length):
    assert prompt_length(prompt, text) == length


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.97, "0.970"),
        (87.1, "87.10"),
        (4.4567, "4.457"),
        (123.45, "123.5"),
        (12345.6, "12,346"),
        (0.00012, "0.00012"),
        (0, "0"),
        (6550272, "6,550,272"),
        (1e300, "1e+300"),
        (float("nan"), "–"),
        (None, "–"),
        (True, "–"),
    ],
)
def test_numbers_read_as_people_write_them(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.02, "0.02 s"), (4.22, "4.2 s"), (161, "2 min 41 s"), (3600 + 180, "1 h 03 min"), (None, "–")],
)
def test_durations_read_as_people_say_them(seconds, text):
    assert duration(seconds) == text


def test_only_markup_enters_the_page_unescaped():
    assert tag("p", "<b>", tag("i", "&"), title='"') == '<p title="&quot;">&lt;b&gt;<i>&amp;</i></p>'
    assert escaped("a\x00b") == "a\N{REPLACEMENT CHARACTER}b"


def test_pieces_are_kept_while_they_fit():
    assert within([tag("b", "a")] * 5, 2 * len("<b>a</b>")) == [tag("b", "a")] * 2


def test_a_clipped_text_says_how_much_is_missing():
    assert clipped("abcdef", 4) == "abcd… (2 more characters)"


def test_the_least_items_of_a_stream_are_kept_in_order():
    least = Least(3)
    for key in (5, 1, 4, 1, 3):
        least.add(key, {"key": key})
    assert [item["key"] for item in least.items()] == [1, 1, 3]
    assert least.seen == 5


@pytest.mark.parametrize(
    ("low", "high", "count", "marks"), [(0, 10, 5, [0, 2, 4, 6, 8, 10]), (4.1, 8.4, 5, [5, 6, 7, 8]), (3, 3, 5, [3])]
)
def test_ticks_are_round(low, high, count, marks):
    assert ticks(low, high, count) == marks


def test_a_long_curve_is_averaged_in_equal_pieces():
    assert thinned([(x, float(x)) for x in range(1, 7)], limit=3) == [(2, 1.5), (4, 3.5), (6, 5.5)]


def test_a_curve_of_one_point_is_a_dot():
    assert '<circle class="dot first"' in line_chart("loss", [Series("loss", [(10.0, 3.0)])])


def test_a_chart_says_what_it_shows_to_those_who_cannot_see_it():
    picture = line_chart("Loss", [Series("loss", [(1.0, 9.0), (2.0, 4.0)])])
    assert "<title>Loss</title><desc>loss from 9.000 to 4.000</desc>" in picture


def test_a_histogram_counts_every_row_once():
    picture = histogram("p", {0: 2, 40: 3}, per_decade=40)  # two rows at 1, three at 10
    assert "5 rows" in picture and "2 rows from 1.000" in picture
    assert "3 rows from" in picture


@pytest.mark.parametrize("bins", [{0: 1}, {12160: 1}, {0: 1, 12160: 1}, {-400: 5, -399: 2}])
def test_a_histogram_of_any_range_can_be_drawn(bins):
    assert "<rect" in histogram("p", bins, per_decade=40)


@pytest.mark.parametrize("look", ["first", "second", "third", "fourth", "fifth", "plain"])
def test_the_colour_of_a_line_comes_after_what_all_lines_have(look):
    """Rules of one weight: the later one counts."""
    from pathlib import Path

    import runner.report

    style = (Path(runner.report.__file__).parent / "style.css").read_text()
    assert style.index("path.line {") < style.index(f"path.{look}")
