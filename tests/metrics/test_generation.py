import random
import sys

import pytest
import sacrebleu
from absl import logging as logging_of_rouge_score
from rouge_score.rouge_scorer import RougeScorer

from runner.errors import ConfigError
from runner.metrics.generation import Bleu, Chrf, ExactMatch, Rouge, Ter
from runner.metrics.rouge import common_subsequence, tokens

# its handler would close the stream that was captured when it was imported, whenever logging is set up anew
logging_of_rouge_score.get_absl_handler().python_handler.stream = sys.__stderr__

WORDS = ["the", "cat", "sat", "on", "a", "mat,", "while", "2", "dogs'", "tails", "wag!", "It's", "well-known."]


def texts(seed, lines=1, n=60):
    """Pairs of references (one or two) and a text that shares some of the words."""
    draw = random.Random(seed)

    def sentence():
        return "\n".join(" ".join(draw.choices(WORDS, k=draw.randint(1, 14))) for _ in range(draw.randint(1, lines)))

    return [([sentence() for _ in range(draw.randint(1, 2))], sentence()) for _ in range(n)]


CHINESE = [
    (["春眠不觉晓，处处闻啼鸟。"], "春眠不觉晓，夜来闻啼鸟。"),
    (["花落知多少"], "花落知多"),
    (["夜来风雨声"], "夜来风声雨"),
]


def summary(metric, pairs):
    return metric.summarise([metric.score({"target": references}, text) for references, text in pairs])


def streams(pairs):
    """Texts, and the references as sacrebleu takes them: one list for the first of each row, one for the second."""
    most = max(len(references) for references, _ in pairs)
    filled = [[*references, *[None] * (most - len(references))] for references, _ in pairs]
    return [text for _, text in pairs], [list(stream) for stream in zip(*filled, strict=True)]


@pytest.mark.parametrize(
    ("metric", "name", "reference", "pairs"),
    [
        (Bleu(), "bleu", sacrebleu.BLEU(), texts(1)),
        (Bleu(tokenize="intl"), "bleu", sacrebleu.BLEU(tokenize="intl"), texts(2)),
        (Bleu(), "bleu", sacrebleu.BLEU(tokenize="zh"), CHINESE),
        (Chrf(), "chrf", sacrebleu.CHRF(), texts(3)),
        (Chrf(word_order=2), "chrf", sacrebleu.CHRF(word_order=2), texts(4)),
        (Ter(), "ter", sacrebleu.TER(), texts(5)),
        (Ter(), "ter", sacrebleu.TER(normalized=True, asian_support=True), CHINESE),
    ],
)
def test_corpus_scores_are_those_of_sacrebleu(metric, name, reference, pairs):
    found = summary(metric, pairs)[name]
    assert found.value == pytest.approx(reference.corpus_score(*streams(pairs)).score)
    assert found.low <= found.value <= found.high and found.n == len(pairs)


def test_the_interval_of_bleu_is_about_that_of_sacrebleu():
    pairs = texts(6, n=200)
    found = summary(Bleu(), pairs)["bleu"]
    reference = sacrebleu.BLEU().corpus_score(*streams(pairs), n_bootstrap=1000)
    assert (found.high - found.low) / 2 == pytest.approx(reference._ci, rel=0.15)


@pytest.mark.parametrize("lines", [1, 4])
def test_rouge_is_that_of_the_package_on_english(lines):
    kinds = ["rouge1", "rouge2", "rougeL", "rougeLsum"]
    scorer = RougeScorer(kinds, use_stemmer=False)
    for references, text in [*texts(7, lines, n=200), (["?"], "!"), (["cat"], ""), (["a\n\nb c"], "b\na c")]:
        expected = {name: one.fmeasure for name, one in scorer.score_multi(references, text).items()}
        assert Rouge().score({"target": references}, text) == pytest.approx(expected), (references, text)


def test_rouge_of_chinese_by_hand():
    found = Rouge().score({"target": "花落知多少。"}, "花落多知少")
    # all five characters; of four pairs 花落 alone; of the order four of five
    assert found == pytest.approx({"rouge1": 1.0, "rouge2": 1 / 4, "rougeL": 4 / 5, "rougeLsum": 4 / 5})
    assert tokens("GPT-2写诗，「Café」_x!") == ["gpt", "2", "写", "诗", "café", "x"]


def test_a_common_subsequence_of_long_texts_is_found_in_time():
    draw = random.Random(8)
    gold, found = ([draw.choice("abcdefgh") for _ in range(3000)] for _ in range(2))
    positions = common_subsequence(gold, found)
    rest = iter(found)
    assert all(gold[at] in rest for at in positions) and positions == sorted(set(positions))
    assert len(positions) > 1200  # of 8 letters more than 0.4 a letter: Chvatal and Sankoff 1975


@pytest.mark.parametrize(
    ("target", "text", "same"),
    [("a  b\n", "a b", 1), (["x", "a b"], "a b", 1), ("a b", "ab", 0), ("a", ["a", "b"], 1), ("b", ["a", "b"], 0)],
)
def test_exact_match_is_of_the_first_text_whatever_its_spaces(target, text, same):
    assert ExactMatch().score({"target": target}, text) == {"exact_match": same}


def test_exact_match_names_the_score_that_is_0_for_a_mistake():
    assert ExactMatch().summarise([{"exact_match": 1}, {"exact_match": 0}])["exact_match"].passed == "exact_match"


@pytest.mark.parametrize("metric", [Bleu(), Chrf(), Ter(), Rouge(), ExactMatch()], ids=lambda one: type(one).__name__)
def test_rows_without_a_target_are_not_scored(metric):
    assert metric.score({"text": "x"}, "y") == {} == metric.summarise([{}, {}])
    assert metric.score({"target": []}, "y") == {}
    assert set(summary(metric, texts(9, n=3))) == set(metric.numbers())
    assert set(summary(metric, [([""], ""), (["a"], "")])) == set(metric.numbers())


def test_a_tokenizer_that_needs_a_download_is_refused():
    with pytest.raises(
        ConfigError, match="tokenize must be one of 13a, zh, char, intl, none or null, but got 'flores200'"
    ):
        Bleu(tokenize="flores200")
