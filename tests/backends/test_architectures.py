from __future__ import annotations

import pytest

from runner.backends.architectures import imported_tables, in_words, listed


def test_what_the_source_lists_is_in_the_imported_tables_and_nearly_all_of_it():
    tables = imported_tables()
    assert len(tables.fits) > 48
    for auto_class in ("AutoModelForCausalLM", "AutoModelForMaskedLM", "AutoModelForImageClassification"):
        found = {name for name in tables.types if listed(name, auto_class)}
        assert found <= tables.fits[auto_class]
        assert len(found) > 0.9 * len(tables.fits[auto_class])
    assert not listed("gpt2", "AutoModelForNothing")


@pytest.mark.parametrize(
    ("auto_class", "words"),
    [
        ("AutoModelForCausalLM", "a causal LM"),
        ("AutoModelForMaskedLM", "a masked LM"),
        ("AutoModelForSeq2SeqLM", "a seq2seq LM"),
        ("AutoModelForImageClassification", "made for image classification"),
        ("AutoModelForCTC", "made for CTC"),
        ("AutoModel", "made for this class"),
    ],
)
def test_a_classin_words(auto_class, words):
    assert in_words(auto_class) == words
