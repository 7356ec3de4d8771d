"""A run directory is named after what makes its result."""

import pytest

from runner.compose import compose
from runner.config import freeze
from runner.naming import HUMAN, directory_name


def name(*overrides):
    return directory_name(freeze(compose(overrides)), overrides, "01234567")


@pytest.mark.parametrize(
    ("overrides", "human"),
    [
        (["decode.do_sample=true"], "do_sample=true"),
        (["decode.do_sample=true", "engine.threads=1", "rerun=true", "name=x", "output_dir=y"], "do_sample=true"),
        (["train.learning_rate=1e-3", "train=full", "data=poems_small", "train.log_every=5"],
         "learning_rate=1e-3-train=full-data=poems_small"),
        (["data=files", "data.path=/some/where/c.txt"], "data=files-path=c.txt"),
        (["data=files", "data.path=c.txt", "data.revision=x"], "data=files-path=c.txt-data.revision=x"),
        (["train.batch_size=3"], ""),
        (["mode=evaluate", "engine.batch_tokens=64"], "mode=evaluate-batch_tokens=64"),
    ],
)  # fmt: skip
def test_it_tells_the_options_that_determine_the_result(overrides, human):
    assert name(*overrides) == "-".join(part for part in ("poem_gpt2", human, "01234567") if part)


def test_a_long_list_is_cut_between_options_and_keeps_the_seed():
    long = ["decode.do_sample=true", "decode.repetition_penalty=1.2", "decode.no_repeat_ngram_size=3",
            "decode.top_k=33"]  # fmt: skip
    assert name(*long, "seed=3") == "poem_gpt2-seed=3-do_sample=true-repetition_penalty=1.2-top_k=33-01234567"


def test_an_option_that_is_too_long_alone_is_cut():
    found = name(f"data.prompts=[{'x' * 200}]")
    assert found.startswith("poem_gpt2-prompts=_xxx") and len(found) <= len("poem_gpt2--01234567") + HUMAN
