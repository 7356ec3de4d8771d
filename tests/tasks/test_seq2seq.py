"""Texts for texts: the library's generate, a row at a time, is the judge."""

import json

import pytest
import torch

from tests.tasks import made

AUTO = "AutoModelForSeq2SeqLM"
SOURCES = ["the bird sings well .", "fish", "she reads , he plays ! the unknown sun sleeps", "rain rain", "🙂 moon"]


def command(base, data, *more):
    return (
        "task=seq2seq_lm", "checkpoint=pretrained", f"checkpoint.name_or_path={base}", "data=files",
        f"data.path={data}", "engine.threads=1", *more,
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["bart", "t5"])
@pytest.mark.parametrize("way", [
    {"max_new_tokens": 12},
    {"num_beams": 3, "max_new_tokens": 12},
    {"num_beams": 3, "length_penalty": 2.0, "max_new_tokens": 12, "no_repeat_ngram_size": 2},
    {"num_beams": 2, "num_return_sequences": 2, "max_new_tokens": 6},
    {"repetition_penalty": 1.5, "min_new_tokens": 3, "max_new_tokens": 12},
])  # fmt: skip
def test_answers_are_those_of_generate_one_row_at_a_time(cli, tmp_path, kind, way):
    model = made.model(AUTO, kind)
    base = made.saved(model, tmp_path / "base")
    data = made.written(tmp_path / "rows.jsonl", [{"source": text} for text in SOURCES])
    ended = cli(*command(base, data, *(f"decode.{name}={value}" for name, value in way.items())))
    assert ended.code == 0, ended.err
    lengths = set()
    for source, found in zip(SOURCES, made.predictions(cli.runs[0]), strict=True):
        encoded = model.processor(source, return_tensors="pt")
        ids = model.network.generate(encoded.input_ids, attention_mask=encoded.attention_mask, do_sample=False, **way)
        texts = [model.processor.decode(one, skip_special_tokens=True) for one in ids]
        lengths |= {len(text.split()) for text in texts}
        given = found if isinstance(found, list) else [found]
        assert list(map(spaceless, given)) == list(map(spaceless, texts))
    assert max(lengths) > 1


def spaceless(text):
    """Chinese characters are joined."""
    return text.replace(" ", "")


def test_what_a_checkpoint_expects_before_a_source_is_put_there(cli, tmp_path):
    model = made.model(AUTO, "t5")
    base = made.saved(model, tmp_path / "base")
    data = made.written(tmp_path / "rows.jsonl", [{"text": "fish"}])
    ended = cli(*command(base, data, "task.predict.encode.before='read this : '", "decode.max_new_tokens=5"))
    assert ended.code == 0, ended.err
    ids = model.processor("read this : fish", return_tensors="pt").input_ids
    expected = model.processor.decode(
        model.network.generate(ids, max_new_tokens=5, do_sample=False)[0], skip_special_tokens=True
    )
    assert spaceless(made.predictions(cli.runs[0])[0]) == spaceless(expected)


@pytest.mark.parametrize("kind", ["bart", "t5"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_is_that_of_the_library_a_pair_at_a_time(kind, smoothing):
    from runner.engine.forward import pad_rows
    from runner.teach.pairs import Pairs

    model, teach = made.model(AUTO, kind), Pairs(label_smoothing=smoothing)
    rows = made.rows(source=SOURCES, target=["moon", ["bird sings", "fish"], "he is well . " * 3, "a", "rain"])
    examples = list(teach(model, rows))
    inputs = pad_rows(examples, 0)
    total = count = 0
    for example in examples:
        ids, labels = (torch.tensor([example[name]]) for name in ("input_ids", "labels"))
        output = model.network(input_ids=ids, labels=labels)
        each = torch.nn.functional.cross_entropy(
            output.logits[0], labels[0], reduction="sum", label_smoothing=smoothing
        )
        if not smoothing:
            assert each.item() == pytest.approx(output.loss.item() * labels.numel(), rel=1e-5)
        total, count = total + each.item(), count + labels.numel()
    assert teach.items(inputs) == count
    assert teach.loss(model.network, inputs).item() == pytest.approx(total, rel=1e-5)
    assert model.processor.decode(examples[1]["labels"], skip_special_tokens=True) == "bird sings"


@pytest.mark.parametrize("kind", ["bart", "t5"])
def test_one_command_trains_evaluates_and_leaves_a_checkpoint_that_the_library_loads(cli, tmp_path, kind):
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    words = ["bird", "fish", "moon", "sun", "rain", "he"]
    lines = [
        {"document": f"the {one} is {two} .", "summary": f"{two} {one}"} for one in words for two in ("good", "bad")
    ]
    folder = made.splits(tmp_path / "data", train=lines * 2, validation=lines[:4], test=lines[4:])
    small = {"init_std": 0.1} if kind == "bart" else {"initializer_factor": 1.0}
    base = made.saved(made.model(AUTO, kind, **small), tmp_path / "base")
    ended = cli(*command(
        base, folder, "train=full", "train.max_steps=60", "train.batch_size=12", "train.learning_rate=1e-2",
        "train.log_every=10", "train.evaluate_every=30", "train.save_every=30",
        "decode.max_new_tokens=6", "train.precision=float32",
    ))  # fmt: skip
    assert ended.code == 0, ended.err
    (run,) = cli.runs
    losses = made.history(run, "loss")
    assert losses[-1] < losses[0] / 2
    assert {"bleu", "chrf", "rougeL", "exact_match"} <= set(made.metrics(run))
    assert made.history(run, "eval_loss") and not made.history(run, "eval_bleu")  # which takes long
    network = AutoModelForSeq2SeqLM.from_pretrained(run / "checkpoint").eval()
    tokenizer = AutoTokenizer.from_pretrained(run / "checkpoint")
    for line, found in zip(map(json.loads, (folder / "test.jsonl").open()), made.predictions(run), strict=True):
        ids = tokenizer(line["document"], return_tensors="pt").input_ids
        expected = tokenizer.decode(
            network.generate(ids, max_new_tokens=6, do_sample=False)[0], skip_special_tokens=True
        )
        assert found == expected
    total = count = 0
    for line in lines[:4]:
        ids, labels = (tokenizer(line[name], return_tensors="pt").input_ids for name in ("document", "summary"))
        total += network(input_ids=ids, labels=labels).loss.item() * labels.numel()
        count += labels.numel()
    assert min(made.history(run, "eval_loss")) == pytest.approx(total / count, abs=1e-4)
