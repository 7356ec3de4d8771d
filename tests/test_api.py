"""The Python API does what the command line does, to the byte."""

import random

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

import runner
from runner.api import quoted
from runner.compose import compose
from runner.config import freeze
from runner.errors import ConfigError
from runner.grammar import prepared

TEXTS = [
    "a", "'", '"', 'it\'s "quoted"', "a,b", "[x]", "{a: 1}", "two\nlines", " leading", "trailing ",
    "\t", "🙂", "${x}", "\\${x}", "\\\\${x}", "a\\", "a\\\\", '\\"', "\\n", "a=b", "null", "true",
    "1", "1e3", "", "~", "+x", "#c", "a: b", "$", "$}", "${", "}", "(x)", "choice(1,2)",
    "range(1,3)", "\r", "\u2028", "\u3000全角\u3000", "@", "%s", "*", "&a", "!x", "|", ">", "-",
    "- a", "é", "${oc.env:HOME}", "\\'", '\'"', 'a\\\\"b', "x${y}\\", "${a}${b}\\\\", "春江，花月夜",
]  # fmt: skip
dice = random.Random(0)
TEXTS += ["".join(dice.choices("\\\"'${}[],:=() \n🙂春a", k=dice.randint(1, 12))) for _ in range(300)]


def test_every_text_survives_the_grammar():
    parser = OverridesParser.create()
    for text in TEXTS:
        for key, value in (("k", text), ("k", [text]), ("k", {"x": text})):
            (override,) = prepared([f"{key}={quoted(value)}"])
            back = OmegaConf.create({"v": parser.parse_override(override).value()})
            assert OmegaConf.to_container(back, resolve=True)["v"] == value


def test_every_text_reaches_the_rows():
    config = freeze(compose(["data.path=null", f"data.prompts={quoted(TEXTS)}"]))
    assert config.data.prompts == TEXTS


def test_the_same_run_as_on_the_command_line(cli, tiny):
    prompts = ["春江", "花 月"]
    options = ["decode.do_sample=true", "decode.max_new_tokens=8", "seed=3"]
    told = cli(f"checkpoint.name_or_path={tiny}", 'data.prompts=["春江","花 月"]', *options, "output_dir=outputs")
    assert told.code == 0, told.err
    (by_command,) = cli.runs
    result = runner.run("causal_lm", checkpoint=str(tiny), prompts=prompts, seed=3, output_dir="elsewhere",
                        decode={"do_sample": True, "max_new_tokens": 8})  # fmt: skip
    assert result.fresh and result.directory.name[-8:] == by_command.name[-8:]
    assert (result.directory / "predictions.jsonl").read_bytes() == (by_command / "predictions.jsonl").read_bytes()
    assert len(result.predictions) == 2


def test_the_same_run_in_other_words_is_found_again(cli, tiny):
    first = runner.run(
        "causal_lm", checkpoint=str(tiny), prompts=["春"], decode={"max_new_tokens": 3, "do_sample": False}
    )
    told = cli(
        "decode.do_sample=false", "data.prompts=[春]", f"checkpoint.name_or_path={tiny}", "decode.max_new_tokens=3"
    )
    assert told.code == 0 and ", shown from" in told.out and str(first.directory) in told.out
    assert len(cli.runs) == 1


def test_an_observer_is_told_and_the_terminal_stays_quiet(cli, tiny, capsys):
    class Watching:
        def __init__(self):
            self.told = []

        def phase(self, line):
            self.told.append(("phase", line))

        def answer(self, row, prediction):
            self.told.append(("answer", prediction))

        def progress(self, name, done, total, note, under_way=0.0):
            self.told.append(("progress", done))

    watching = Watching()
    result = runner.run(
        "causal_lm", checkpoint=str(tiny), prompts=["春"], observer=watching, decode={"max_new_tokens": 3}
    )
    assert ("answer", result.predictions[0]) in watching.told
    assert {kind for kind, _ in watching.told} == {"phase", "answer", "progress"}
    assert capsys.readouterr().out == ""


def test_mistakes_are_raised_all_at_once_with_the_exit_code():
    with pytest.raises(ConfigError) as told:
        runner.run("causal_lm", prompts=[], decode={"top_p": 2, "tempo": 1}, mode="dream")
    assert told.value.exit_code == 2 and len(told.value.problems) == 4
