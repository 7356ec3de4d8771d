"""Blanks: the library's pipeline is the judge of answers; what is hidden and learnt is counted by hand."""

import json
import math
import signal
import time

import pytest
import torch

from runner.encode.masked import Blanks, Hidden
from runner.engine.masking import hide
from runner.errors import CheckpointError
from runner.interpret.masked import Fills, Recovered
from runner.task import Way
from runner.teach.masked import Masked
from runner.teach.pretraining import Pretraining
from runner.types import IGNORED
from tests.tasks import made

AUTO = "AutoModelForMaskedLM"
ONE = ["the [MASK] sings well .", "[MASK]", "🙂 he [MASK] the fish", "风 [MASK] 花"]
SEVERAL = ["the [MASK] [MASK] well [MASK]", "[MASK] [MASK]"]


@pytest.fixture(scope="module")
def model():
    return made.model(AUTO)


def pipeline(model, **options):
    from transformers import FillMaskPipeline

    return FillMaskPipeline(model=model.network, tokenizer=model.processor, **options)


def pairs(fills):
    return [one["token"] for one in fills], [one["score"] for one in fills]


def same(found, expected):
    tokens, scores = pairs(found)
    assert tokens == [one["token_str"] for one in expected]
    assert scores == pytest.approx([one["score"] for one in expected], abs=1e-5)


def fill(model, texts, **options):
    return made.forward(model, Way(Blanks(), Fills(**options)), made.rows(text=texts))


def test_the_best_words_for_a_blank_are_those_of_the_librarys_pipeline(model):
    for found, expected in zip(fill(model, ONE, join_cjk=False), pipeline(model)(ONE), strict=True):
        (only,) = found["fills"]
        same(only, expected)
        assert found["text"] == expected[0]["sequence"]


def test_blanks_of_one_text_are_filled_each_by_itself(model):
    for found, expected in zip(fill(model, SEVERAL), pipeline(model)(SEVERAL), strict=True):
        for one, other in zip(found["fills"], expected, strict=True):
            same(one, other)


def test_candidates_keep_the_probability_that_they_have_among_all_words(model):
    targets = ["fish", "moon", "he"]
    for found, expected in zip(
        fill(model, ONE, targets=targets), pipeline(model, targets=targets, top_k=3)(ONE), strict=True
    ):
        same(found["fills"][0], expected)


def test_as_many_words_are_told_as_there_are(model):
    assert [len(found["fills"][0]) for found in fill(model, ONE, top_k=10_000)] == [len(made.VOCABULARY)] * 4


# What is hidden


def tensors(texts, how, model):
    from runner.engine.forward import pad_rows

    return pad_rows(list(how(model, made.rows(text=texts))), 0)


WORDY = "she unknowns playing fishing birds sings un read plays . " * 3  # she, un ##known ##s, play ##ing ...


def drawn(how, model, seed, texts=(WORDY, "fish")):
    inputs = tensors(list(texts), how, model)
    return inputs, hide(model, inputs, how, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("unit", ["token", "word", "span"])
def test_hidden_tokens_are_labels_and_special_ones_are_never_hidden(model, unit):
    how = Masked(share=0.3, unit=unit)
    for seed in range(30):
        inputs, hidden = drawn(how, model, seed)
        assert set(hidden) == {"input_ids", "token_type_ids", "attention_mask", "labels"}
        at = hidden["labels"] != IGNORED
        assert bool(at.any()) and bool((inputs["words"][at] >= 0).all())
        assert torch.equal(hidden["labels"][at], inputs["input_ids"][at])
        assert torch.equal(hidden["input_ids"][~at], inputs["input_ids"][~at])


def test_masks_depend_on_the_generator_alone(model):
    how = Masked()
    one, again, other = (drawn(how, model, seed)[1] for seed in (1, 1, 2))
    assert torch.equal(one["input_ids"], again["input_ids"]) and torch.equal(one["labels"], again["labels"])
    assert not torch.equal(one["labels"], other["labels"])


def test_the_pieces_of_a_word_are_hidden_together(model):
    how, split = Masked(share=0.4, unit="word"), 0
    for seed in range(20):
        inputs, hidden = drawn(how, model, seed)
        for words, labels in zip(inputs["words"].tolist(), hidden["labels"].tolist(), strict=True):
            by_word = {}
            for word, label in zip(words, labels, strict=True):
                by_word.setdefault(word, set()).add(label != IGNORED)
            assert all(len(found) == 1 for found in by_word.values())
            split += sum(words.count(word) > 1 and True in found for word, found in by_word.items())
    assert split > 20  # words of several pieces were hidden at all


def test_tokens_by_themselves_are_hidden_without_regard_to_words(model):
    halves = 0
    for seed in range(20):
        inputs, hidden = drawn(Masked(share=0.4), model, seed)
        labels, words = hidden["labels"][0].tolist(), inputs["words"][0].tolist()
        halves += any(a == b >= 0 and (x == IGNORED) != (y == IGNORED)
                      for a, b, x, y in zip(words, words[1:], labels, labels[1:], strict=False))  # fmt: skip
    assert halves > 10


def test_spans_reach_the_share_of_each_text_in_whole_words_that_lie_together(model):
    """Spans are counted in words until the share of tokens is there: a word has three pieces at most here."""
    how, stretches, tokens = Masked(share=0.3, unit="span"), 0, 0
    texts = [WORDY, "the moon sings well . the sun sleeps bad ! he is a fish ? rain rain rain rain"]
    for seed in range(20):
        inputs, hidden = drawn(how, model, seed, texts)
        for words, labels in zip(inputs["words"], hidden["labels"], strict=True):
            at = (labels != IGNORED).tolist()
            goal = round(0.3 * int((words >= 0).sum()))
            assert goal <= sum(at) <= 3 * goal
            by_word = {}
            for word, one in zip(words.tolist(), at, strict=True):
                by_word.setdefault(word, set()).add(one)
            assert all(len(found) == 1 for found in by_word.values())
            tokens += sum(at)
            stretches += sum(one and not before for before, one in zip([False, *at], at, strict=False))
    assert tokens / stretches > 2  # single tokens at 30 % would make stretches of 1 / 0.7 = 1.4


def test_spans_of_single_tokens_reach_the_share_exactly(model):
    text = "the moon sings well . the sun sleeps bad ! he is a fish ? rain rain rain rain bird"  # 20 tokens
    for seed in range(20):
        _, hidden = drawn(Masked(share=0.3, unit="span"), model, seed, [text])
        assert int((hidden["labels"] != IGNORED).sum()) == 6


def test_of_hidden_tokens_most_are_masked_some_swapped_some_kept(model):
    how = Masked(share=0.5, keep=0.2, swap=0.3)
    counts = dict.fromkeys(("hidden", "masked", "kept", "all"), 0)
    for seed in range(100):
        inputs, hidden = drawn(how, model, seed, [WORDY])
        at = hidden["labels"] != IGNORED
        counts["all"] += int((inputs["words"] >= 0).sum())
        counts["hidden"] += int(at.sum())
        counts["masked"] += int((hidden["input_ids"][at] == model.processor.mask_token_id).sum())
        counts["kept"] += int((hidden["input_ids"][at] == inputs["input_ids"][at]).sum())
    n, v = counts["hidden"], len(made.VOCABULARY)
    for count, of, share in (  # a swap may be a mask or the token itself; 4 standard deviations
        (n, counts["all"], 0.5), (counts["masked"], n, 0.5 + 0.3 / v), (counts["kept"], n, 0.2 + 0.3 / v)
    ):  # fmt: skip
        assert abs(count / of - share) < 4 * math.sqrt(share * (1 - share) / of)


def test_long_texts_are_hidden_in_pieces_that_hold_every_token_once(model):
    text = "fish bird sun rain moon " * 40
    features = list(Masked()(model, made.rows(text=[text])))
    assert len(features) == 4 and all(len(one["input_ids"]) <= made.CONTEXT for one in features)
    tokens = [t for one in features for t, word in zip(one["input_ids"], one["words"], strict=True) if word >= 0]
    assert model.processor.decode(tokens).split() == text.split()


@pytest.mark.parametrize("teach", [lambda hide: hide, lambda hide: Pretraining(hide=hide)])
def test_whole_words_need_a_tokenizer_that_knows_them(teach):
    from transformers import CanineTokenizer

    slow = made.model(AUTO)
    slow.processor = CanineTokenizer()
    told = r"tiny: hiding whole words needs a fast tokenizer \(offsets\), and CanineTokenizer is a slow one; use"
    with pytest.raises(CheckpointError, match=told):
        next(teach(Masked(unit="word"))(slow, made.rows(text=["fish"])))
    assert next(Masked()(slow, made.rows(text=["fish"])))["words"] == [-1, 1, 2, 3, 4, -1]


# Scores


def test_recovered_tokens_are_scored_as_a_plain_forward_pass_scores_them(model):
    rows = made.rows(text=made.TEXTS)
    encode = Hidden(share=0.4)
    found = made.forward(model, Way(encode, Recovered()), rows)
    for row, features, answer in zip(rows, encode(model, rows), found, strict=True):
        (feature,) = features
        ids, labels = (torch.tensor([feature[name]]) for name in ("input_ids", "labels"))
        places = len(model.processor.tokenize(row["text"])) - row["text"].count("[SEP]")
        assert int((labels != IGNORED).sum()) == max(1, round(0.4 * places)) == len(answer["masked"])
        logits = model.network(input_ids=ids).logits[0].log_softmax(-1)
        for at, one in zip((labels[0] != IGNORED).nonzero().flatten().tolist(), answer["masked"], strict=True):
            gold = int(labels[0, at])
            assert one["token"] == model.processor.convert_ids_to_tokens(gold) or gold == 1
            assert one["nll"] == pytest.approx(-logits[at, gold].item(), abs=1e-5)
            assert one["top1"] == int(logits[at].argmax() == gold)
            assert one["top5"] == int(gold in logits[at].topk(5).indices)


def test_the_pseudo_perplexity_hides_each_token_once_alone(model):
    from runner.metrics.masked import MaskedTokens

    rows = made.rows(text=["the bird sings well .", "fish"])
    metric = MaskedTokens()
    answers = made.forward(model, Way(Hidden(every=True), Recovered()), rows)
    total = count = 0.0
    for row in rows:
        ids = model.processor(row["text"], return_tensors="pt").input_ids
        for at in range(1, ids.shape[1] - 1):
            hidden = ids.clone()
            hidden[0, at] = model.processor.mask_token_id
            total -= model.network(input_ids=hidden).logits[0, at].log_softmax(-1)[ids[0, at]].item()
            count += 1
    found = metric.summarise(map(metric.score, rows, answers))
    assert found["loss"].value == pytest.approx(total / count, abs=1e-5)
    assert found["pseudo_perplexity"].value == pytest.approx(math.exp(total / count), rel=1e-5)


# By the command line

LINES = ["the bird sings well .", "the fish sleeps .", "she plays , he reads", "the moon is good", "rain is bad !"]


@pytest.fixture
def base(tmp_path):
    return made.saved(made.model(AUTO, initializer_range=0.1), tmp_path / "base")


@pytest.fixture
def texts(tmp_path):
    lines = [{"text": f"{LINES[at % 5]} {LINES[(at * 3 + 1) % 5]}"} for at in range(30)]
    return made.splits(tmp_path / "texts", train=lines, validation=lines[:5], test=lines[5:10])


def arguments(base, texts, *more):
    return (
        "task=masked_lm", "checkpoint=pretrained", f"checkpoint.name_or_path={base}", "data=files",
        f"data.path={texts}", "train=full", "train.max_steps=30", "train.batch_size=10",
        "train.learning_rate=5e-3", "train.log_every=5",
        "train.evaluate_every=10", "train.save_every=10", "engine.threads=1", "train.precision=float32", *more,
    )  # fmt: skip


@pytest.mark.parametrize("unit", ["token", "word", "span"])
def test_one_command_trains_evaluates_and_leaves_a_checkpoint_that_the_library_loads(cli, base, texts, unit):
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    ended = cli(*arguments(base, texts, f"task.teach.unit={unit}", "task.teach.share=0.3"))
    assert ended.code == 0, ended.err
    (run,) = cli.runs
    losses = made.history(run, "loss")
    assert losses[-1] < losses[0] - 1
    network = AutoModelForMaskedLM.from_pretrained(run / "checkpoint").eval()
    trained = made.model(AUTO)
    trained.network, trained.processor = network, AutoTokenizer.from_pretrained(run / "checkpoint")
    rows = [{"row": at} | json.loads(line) for at, line in enumerate((texts / "test.jsonl").open())]
    total = count = 0
    for (feature,) in Hidden()(trained, rows):
        ids, labels = (torch.tensor([feature[name]]) for name in ("input_ids", "labels"))
        hidden = int((labels != IGNORED).sum())
        total += network(input_ids=ids, labels=labels).loss.item() * hidden
        count += hidden
    assert made.metrics(run)["loss"] == pytest.approx(total / count, abs=1e-4)
    assert made.metrics(run)["loss"] < math.log(len(made.VOCABULARY)) - 1  # of a uniform guess, less 1


def test_the_loss_does_not_depend_on_how_texts_lie_in_memory(cli, base, texts):
    """The masks do: they are drawn for each batch as it lies. Where all is hidden that can be, nothing is drawn."""
    found = []
    for batching in ("packed", "length", "padded"):
        before = set(cli.runs)
        ended = cli(
            *arguments(base, texts, f"train.batching={batching}", "train.max_steps=2", "train.log_every=1"),
            "task.teach.share=0.999999", "+task.teach.keep=0", "+task.teach.swap=0",
            "checkpoint.options={hidden_dropout_prob: 0.0, attention_probs_dropout_prob: 0.0}",
        )  # fmt: skip
        assert ended.code == 0, ended.err
        (run,) = set(cli.runs) - before
        found.append(made.history(run, "loss"))
    assert found[1] == pytest.approx(found[0], abs=1e-4) and found[2] == pytest.approx(found[0], abs=1e-4)


def test_a_training_that_was_stopped_goes_on_to_the_same_weights_to_the_bit(cli, spawn, base, texts):
    """Masks and dropout are those of the step, whichever attempt makes it."""
    steps = arguments(base, texts, "train.max_steps=30", "train.save_every=2", "train.evaluate_every=2")
    process = spawn(*steps, "output_dir=half", cwd=cli.home)
    while process.poll() is None and not list(cli.home.glob("half/*/*/training/checkpoint-4/SEAL.json")):
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    told, _ = process.communicate()
    assert process.returncode == 75, told
    ended = cli(*steps, "output_dir=half")
    assert ended.code == 0, ended.err
    assert "continuing at step" in ended.out
    assert cli(*steps, "output_dir=whole").code == 0
    (half,), (whole,) = (list(cli.home.glob(f"{name}/*/*/checkpoint/model.safetensors")) for name in ("half", "whole"))
    assert half.read_bytes() == whole.read_bytes()
