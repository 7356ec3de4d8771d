"""sweep.html as a person has it: pointing, clicking, dragging, sorting, filtering in Chromium."""

import pytest

from runner.sweep.page import write_page
from tests.sweep.invented import Invented

SHOWN = "[...document.querySelectorAll('table.board tbody tr')].filter((row) => row.offsetHeight)"
FIRST = f"{SHOWN}.map((row) => row.dataset.point).join(' ')"


@pytest.fixture
def page(tmp_path):
    """Six points on a grid of a number and a mode, with goals, curves and a failure."""
    sweep = Invented(tmp_path, goals=["accuracy", "seconds"])
    for at, (x, mode) in enumerate((x, mode) for x in (1, 2, 4) for mode in ("<on>", "off")):
        folder = sweep.job([f"a.x={x}", f"a.mode={mode}"], 0.9 - 0.1 * at, seconds=6.0 - at)
        (folder / "training.jsonl").write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "loss": 1.0}\n')
    sweep.job(["a.x=8", "a.mode=off"], state="failed", error="</script>")
    write_page(sweep.findings())
    return sweep.directory / "sweep.html"


def lit(tab, kind="lit"):
    """The sections in which something of a point is lit, and the points."""
    found = tab.value(
        f"[...document.querySelectorAll('.{kind}')].map((e) => e.closest('section').id + ' ' + e.dataset.point)"
    )
    return {one.split()[0] for one in found}, {one.split()[1] for one in found}


def test_the_script_runs_to_its_end_and_asks_for_nothing(chromium, page):
    done = chromium(page, "--dump-dom")
    assert 'data-ready="yes"' in done.stdout and "CONSOLE" not in done.stderr, done.stderr
    for place in ("front", "parallel", "slices", "pairs"):
        assert f'id="{place}-chart"' in done.stdout


def test_pointing_at_a_row_lights_the_point_in_every_chart(tab, page):
    tab.open(page)
    tab.hover('table.board tr[data-point="2"] td:nth-child(4)')
    assert lit(tab) == ({"board", "front", "parallel", "slices", "pairs", "curves"}, {"2"})


def test_pointing_at_a_chart_lights_the_row_and_tells_the_point(tab, page):
    tab.open(page)
    tab.hover('#front-chart circle.mark[data-point="4"]')
    sections, points = lit(tab)
    assert "board" in sections and points == {"4"}
    told = tab.value("document.querySelector('.tip').hidden ? '' : document.querySelector('.tip').textContent")
    assert told.splitlines()[:2] == ["# 5", "accuracy 0.500 ◆"] and "mode <on>" in told


def test_a_click_pins_a_point_and_the_address_remembers_it(tab, page):
    tab.open(page)
    tab.click('#front-chart circle.mark[data-point="1"]')
    assert lit(tab, "pinned")[1] == {"1"} and tab.value("location.hash") == "#point-2"
    assert "accuracy 0.800" in tab.value("document.querySelector('.pinned-bar').textContent")
    tab.open(page, "#point-3")
    assert lit(tab, "pinned")[1] == {"2"}
    tab.click(".pinned-bar button")
    assert lit(tab, "pinned")[1] == set()


def test_a_head_sorts_and_sorts_back(tab, page):
    tab.open(page)
    tab.click('button[data-sort="s"]')
    assert tab.value(FIRST) == "5 4 3 2 1 0"
    tab.click('button[data-sort="s"]')
    assert tab.value(FIRST) == "0 1 2 3 4 5"
    tab.click('button[data-sort="a:a.mode"]')
    assert tab.value(FIRST) == "0 2 4 1 3 5"
    assert tab.value("document.querySelector('th[aria-sort]').textContent") == "mode"


def test_words_and_values_filter_table_and_charts(tab, page):
    tab.open(page)
    field = "document.getElementById('filter')"
    tab.value(f"{field}.value = 'x=2 off'; {field}.dispatchEvent(new Event('input'))")
    assert tab.value(FIRST) == "3"
    assert tab.value("document.getElementById('count').textContent") == "1 of 6 points"
    assert tab.value("document.querySelectorAll('#parallel-chart path.off').length") == 5
    tab.click("#all")
    assert tab.value(FIRST) == "0 1 2 3 4 5"


def test_an_axis_that_is_dragged_along_keeps_the_points_between(tab, page):
    tab.open(page)
    x, y, _, height = tab.at('.strip[data-axis="0"]')
    tab.mouse("mousePressed", x, y - height * 0.45, "left")  # 4 is at the top
    tab.mouse("mouseMoved", x, y - height * 0.2, "left")
    tab.mouse("mouseReleased", x, y - height * 0.2, "left")
    assert tab.value(FIRST) == "4 5"
    tab.click('.strip[data-axis="0"]')
    assert tab.value(FIRST) == "0 1 2 3 4 5"


def test_another_pair_of_keys_is_drawn(tab, page):
    tab.open(page)
    assert tab.value("document.querySelectorAll('#pairs-chart .field').length") == 6
    tab.value(
        "(() => { const s = document.getElementById('pair-x'); s.value = 1; s.dispatchEvent(new Event('change')); })()"
    )
    assert tab.value("document.querySelector('#pairs-chart title').textContent") == "accuracy by mode and x"
    assert tab.complaints == []


@pytest.mark.parametrize("dark", [True, False], ids=["dark", "light"])
@pytest.mark.parametrize("width", [1100, 420])
def test_the_page_can_be_looked_at(tab, page, tmp_path, width, dark):
    tab.open(page, width=width, dark=dark)
    assert tab.value("document.documentElement.scrollWidth") <= width  # nothing hangs out
    tab.picture(tmp_path / "page.png")
    picture = (tmp_path / "page.png").read_bytes()
    assert picture[:8] == b"\x89PNG\r\n\x1a\n" and len(picture) > 50_000 and tab.complaints == []
