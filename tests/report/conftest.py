from collections.abc import Callable
from pathlib import Path

import pytest

from tests.report.invented import RunDirectory, answer


@pytest.fixture
def run_directory(tmp_path: Path) -> RunDirectory:
    """A finished run of four poems; tests change what they are about."""
    run = RunDirectory(tmp_path / "causal_lm" / "poem_gpt2-temperature=0.8-3f9a12c4")
    run.rows(
        answer("春山月", "春山月照松，远水入云中。夜静风来去，人归竹影重。", well_formed=1.0, nll=61.2, tokens=21.0),
        answer(
            "江上",
            "江上清风送远舟，一天星月照高楼。山间夜雨人归去，竹影松声满石秋。",
            well_formed=1.0,
            nll=80.9,
            tokens=30,
        ),
        answer("梅", "梅开雪满山，寒月照江间。远客归舟晚，松风入夜。", well_formed=0.0, nll=71.0, tokens=23),
        answer("The river", "The river keeps its own counsel, and the lamp on the pier goes out.", nll=40.0, tokens=12),
    )
    return run


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[[str], RunDirectory]:
    """Further finished runs without predictions."""
    return lambda name: RunDirectory(tmp_path / name)
