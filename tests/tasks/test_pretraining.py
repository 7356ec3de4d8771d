"""Hidden tokens, and whether one text follows another: the loss is that of the library's own head."""

import json

import pytest
import torch

from runner.engine.forward import pad_rows
from runner.teach.masked import Masked
from runner.teach.pretraining import Pretraining
from runner.types import IGNORED
from tests.tasks import made

AUTO = "AutoModelForPreTraining"
LINES = [f"the {one} {two} . she is {three} ." for one in ("bird", "moon", "sun", "fish")
         for two in ("sings", "sleeps") for three in ("well", "good", "bad")]  # fmt: skip


def texts(features, tokenizer):
    """(first, second, label) of each example, as the tokenizer reads them."""
    for one in features:
        sides = [[], []]
        for token, kind, word in zip(one["input_ids"], one["token_type_ids"], one["words"], strict=True):
            if word >= 0:
                sides[kind].append(token)
        yield (*(" ".join(tokenizer.convert_ids_to_tokens(side)) for side in sides), one["next_sentence_label"])


@pytest.fixture(scope="module")
def model():
    return made.model(AUTO, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)


def test_half_of_the_texts_go_on_and_half_have_the_end_of_another(model):
    lines = LINES * 8
    found = list(texts(Pretraining(alone=0.25)(model, made.rows(text=lines)), model.processor))
    assert len(found) == len(lines)
    labels = [label for _, _, label in found]
    assert abs(labels.count(IGNORED) / len(lines) - 0.25) < 0.13  # 4 standard deviations of 192 draws
    assert abs(labels.count(1) / (labels.count(0) + labels.count(1)) - 0.5) < 0.17
    whole = set(LINES)
    for first, second, label in found:
        if label == IGNORED:
            assert first in whole and not second
        elif label == 0:
            assert f"{first} {second}" in whole
        else:
            assert first and second and all(any(part in line for line in whole) for part in (first, second))
            assert any(line.endswith(second) for line in whole)


def test_another_end_is_as_long_as_a_texts_own_where_there_is_one(model):
    lines = ["he is bad . the fish sings .", "she is bad . the moon sings !", "rain . sun ."]
    for seed in range(20):
        for first, second, label in texts(
            Pretraining(alone=0.0, seed=seed)(model, made.rows(text=lines)), model.processor
        ):
            if label == 1:
                assert first in ("he is bad .", "she is bad .") and second in ("the fish sings .", "the moon sings !")
            if first == "rain .":
                assert label == 0  # no other end is of its length


def test_a_text_of_one_sentence_teaches_no_verdict(model):
    found = list(Pretraining(alone=0.0)(model, made.rows(text=["the bird sings", "fish ."])))
    assert [one["next_sentence_label"] for one in found] == [IGNORED, IGNORED]


def test_the_same_seed_makes_the_same_examples(model):
    rows = made.rows(text=LINES)
    one, again, other = (list(Pretraining(seed=seed)(model, rows)) for seed in (3, 3, 4))
    assert one == again != other


def test_the_loss_of_hidden_tokens_is_the_librarys_and_a_verdict_counts_for_each_of_them(model):
    """BertForPreTraining adds the means of both tasks; here each pair's verdict weighs as its hidden tokens do."""
    teach = Pretraining(alone=0.0, hide=Masked(share=0.4))
    inputs = pad_rows(list(teach(model, made.rows(text=LINES[:6]))), 0)
    inputs = teach.prepare(model, inputs, torch.Generator().manual_seed(0))
    found = model.network(**inputs)
    verdicts = torch.nn.functional.cross_entropy(
        found.seq_relationship_logits, inputs["next_sentence_label"], reduction="none"
    )
    hidden = (found.loss - verdicts.mean()) * teach.items(inputs)
    each = (inputs["labels"] != IGNORED).sum(1)
    expected = hidden + sum(verdict * count for verdict, count in zip(verdicts, each, strict=True))
    assert teach.loss(model.network, inputs).item() == pytest.approx(expected.item(), rel=1e-5)


def test_texts_without_a_verdict_leave_the_hidden_tokens_alone(model):
    teach = Pretraining(hide=Masked(share=0.4))
    inputs = pad_rows(list(teach(model, made.rows(text=["fish", "the bird sings"]))), 0)
    inputs = teach.prepare(model, inputs, torch.Generator().manual_seed(0))
    logits = model.network(**{k: v for k, v in inputs.items() if "label" not in k}).prediction_logits
    expected = torch.nn.functional.cross_entropy(logits.flatten(0, 1), inputs["labels"].flatten(), reduction="sum")
    assert teach.loss(model.network, inputs).item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_one_command_trains_and_its_checkpoint_fills_blanks_and_judges_pairs(cli, tmp_path):
    from transformers import AutoModelForMaskedLM, AutoModelForNextSentencePrediction, AutoTokenizer, FillMaskPipeline

    lines = [{"text": line} for line in LINES]
    folder = made.splits(tmp_path / "data", train=lines, validation=lines[:8], test=lines[8:14])
    base = made.saved(made.model("AutoModel", initializer_range=0.1), tmp_path / "base")
    ended = cli(
        "task=pretraining", "checkpoint=pretrained", f"checkpoint.name_or_path={base}", "data=files",
        f"data.path={folder}", "train=full", "train.max_steps=30", "train.batch_size=12", "train.learning_rate=5e-3",
        "train.log_every=5", "train.evaluate_every=10", "engine.threads=1", "train.precision=float32",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    (run,) = cli.runs
    losses = made.history(run, "loss")
    assert losses[-1] < losses[0] - 1
    folder, loading = run / "checkpoint", {"output_loading_info": True}
    network, told = AutoModelForMaskedLM.from_pretrained(folder, **loading)
    assert not told["missing_keys"]
    _, told = AutoModelForNextSentencePrediction.from_pretrained(folder, **loading)
    assert not told["missing_keys"]
    blanks = ["the [MASK] sings .", "she is [MASK] . the bird [MASK] ."]
    data = made.written(tmp_path / "blanks.jsonl", [{"text": text} for text in blanks])
    pipeline = FillMaskPipeline(model=network.eval(), tokenizer=AutoTokenizer.from_pretrained(folder))
    for task in ("pretraining", "masked_lm"):
        before = set(cli.runs)
        ended = cli(f"task={task}", "checkpoint=pretrained", f"checkpoint.name_or_path={folder}", "data=files",
                    f"data.path={data}", "engine.threads=1")  # fmt: skip
        assert ended.code == 0, ended.err
        (answered,) = set(cli.runs) - before
        for text, found in zip(blanks, made.predictions(answered), strict=True):
            expected = pipeline(text) if text.count("[MASK]") > 1 else [pipeline(text)]
            for fills, wanted in zip(found["fills"], expected, strict=True):
                assert [one["token"] for one in fills] == [one["token_str"] for one in wanted]
                assert [one["score"] for one in fills] == pytest.approx([one["score"] for one in wanted], abs=1e-5)
    assert json.loads((folder / "config.json").read_text())["architectures"] == ["BertForPreTraining"]
