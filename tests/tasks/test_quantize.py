"""engine.quantize: what it changes is told, and it is never the network that was asked for without it."""

import json

import pytest
import torch

from runner.engine.quantized import int8
from runner.errors import ConfigError
from runner.quantizing import without_numbers
from tests.tasks import made

ASKED = ("task=sequence_classification", "mode=predict", "data=files", "data.path=texts.jsonl")


def test_linear_layers_hold_8_bits_and_the_network_itself_stays_as_it_was():
    network = made.model("AutoModelForSequenceClassification").network
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    small = int8(network)
    assert small.classifier.weight().dtype is torch.qint8
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    given = {"input_ids": torch.tensor([[2, 7, 8, 3]])}
    exact, rounded = network(**given).logits, small(**given).logits
    assert not torch.equal(exact, rounded) and torch.allclose(exact, rounded, atol=0.3)


def test_a_network_without_linear_layers_is_refused():
    with pytest.raises(ConfigError, match=r"engine\.quantize +Embedding has no linear layer"):
        int8(torch.nn.Embedding(3, 2))


def test_answers_that_differ_are_counted_by_what_is_no_fraction_in_them():
    answer = {"label": "good", "score": 0.7, "spans": [{"start": 3, "score": 0.1}], "vector": [0.1, 0.2]}
    assert without_numbers(answer) == {"label": "good", "spans": [{"start": 3}], "vector": []}
    assert without_numbers(0.5) is None and without_numbers("text") == "text"


def test_the_share_of_changed_answers_is_told_and_kept_and_is_right(cli):
    rows = [{"text": text} for text in made.TEXTS]
    made.written(cli.home / "texts.jsonl", rows)
    base = made.saved(made.model("AutoModelForSequenceClassification"), cli.home / "base")
    asked = (*ASKED, "checkpoint=pretrained", f"checkpoint.name_or_path={base}")
    labels = []
    for options in ([], ["engine.quantize=int8"]):
        before = set(cli.runs)
        ended = cli(*asked, *options)
        assert ended.code == 0, ended.err
        (run,) = set(cli.runs) - before
        labels.append(made.predictions(run))
    notes = json.loads((run / "manifest.json").read_text())["notes"]
    (told,) = [note for note in notes if note.startswith("engine.quantize=int8: ")]
    changed = sum(exact["label"] != rounded["label"] for exact, rounded in zip(*labels, strict=True))
    assert told.startswith(f"engine.quantize=int8: {changed} of {len(rows)} answers differ from those in float32")
    assert labels[0] != labels[1]


@pytest.mark.parametrize("other", ["engine.dtype=bfloat16", "engine.device=cuda"])
def test_it_is_for_float32_on_a_processor(cli, other):
    ended = cli("engine.quantize=int8", other)
    assert ended.code == 2 and "engine.quantize  is for engine.dtype=float32 on a processor" in ended.err


@pytest.mark.parametrize("mode", ["predict", "evaluate"])
def test_a_network_that_continues_texts_is_quantized_too(cli, tiny, mode):
    made.written(cli.home / "texts.jsonl", [{"text": "春江花月"}, {"text": "山"}])
    ended = cli(f"checkpoint.name_or_path={tiny}", "data=files", "data.path=texts.jsonl", "decode.max_new_tokens=4",
                "engine.threads=1", "engine.quantize=int8", f"mode={mode}")  # fmt: skip
    assert ended.code == 0, ended.err
    assert "engine.quantize=int8: " in ended.out


def test_in_a_sweep_neither_network_answers_for_the_other(cli, tiny):
    made.written(cli.home / "texts.jsonl", [{"text": text} for text in "春江花月山水风云天地"])
    asked = (f"checkpoint.name_or_path={tiny}", "data=files", "data.path=texts.jsonl", "decode.max_new_tokens=12",
             "engine.threads=1")  # fmt: skip
    assert cli("-m", *asked, "engine.quantize=null,int8,null").code == 0
    for quantize in ("null", "int8"):
        alone = cli(*asked, f"engine.quantize={quantize}", f"output_dir=alone_{quantize}")
        assert alone.code == 0, alone.err
        (path,) = cli.home.glob(f"alone_{quantize}/*/*/predictions.jsonl")
        (swept,) = cli.home.glob(f"outputs/*/*-{path.parent.name[-8:]}/predictions.jsonl")
        assert swept.read_text() == path.read_text()
