"""Vectors of texts: hidden states by the library, the rest by hand; losses by a plain reimplementation."""

import json

import numpy
import pytest
import torch

from runner.encode.each import Each
from runner.engine.forward import pad_rows
from runner.interpret.embedding import Embedding, Similarity
from runner.interpret.vectors import Vectors
from runner.task import Way
from runner.teach.contrast import Contrast
from tests.tasks import made

AUTO = "AutoModelForTextEncoding"


@pytest.fixture(scope="module")
def model():
    return made.model(AUTO, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)


def states(model, text):
    """(T, H) of a text alone."""
    return model.network(**model.processor(text, return_tensors="pt")).last_hidden_state[0]


def embed(model, texts, **options):
    way = Way(Each(["text"]), Embedding(**options))
    return [answer["embedding"] for answer in made.forward(model, way, made.rows(text=texts))]


POOLED = {"mean": lambda one: one.mean(0), "cls": lambda one: one[0], "last": lambda one: one[-1]}


@pytest.mark.parametrize("pooling", POOLED)
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("dimensions", [None, 5])
def test_a_vector_is_that_of_the_text_alone_cut_and_then_brought_to_length_1(model, pooling, normalize, dimensions):
    found = embed(model, made.TEXTS, pooling=pooling, normalize=normalize, dimensions=dimensions)
    for text, vector in zip(made.TEXTS, found, strict=True):
        expected = POOLED[pooling](states(model, text))[:dimensions]
        expected = expected / expected.square().sum().sqrt() if normalize else expected
        assert vector == pytest.approx(expected.tolist(), abs=1e-5)
        assert len(vector) == (dimensions or 32)


@pytest.mark.filterwarnings("ignore")
def test_vectors_of_tokens_are_those_of_the_librarys_pipeline(model):
    from transformers import FeatureExtractionPipeline

    pipeline = FeatureExtractionPipeline(model=model.network, tokenizer=model.processor)
    for found, wanted in zip(embed(model, made.TEXTS, pooling="tokens"), pipeline(made.TEXTS), strict=True):
        assert numpy.allclose(found, wanted[0], atol=1e-5) and len(found) == len(wanted[0])


def test_the_last_token_of_a_decoder_is_the_last_that_is_none_of_the_padding():
    decoder = made.model("AutoModel", "gpt2")
    for text, vector in zip(made.TEXTS, embed(decoder, made.TEXTS, pooling="last", normalize=False), strict=True):
        assert vector == pytest.approx(states(decoder, text)[-1].tolist(), abs=1e-4)


def test_prefixes_are_put_before_the_texts_of_their_column(model):
    (features,) = Each(["query", "document"], {"query": "this is "})(model, [{"query": "fish", "document": "bird"}])
    words = [model.processor.decode(one["input_ids"], skip_special_tokens=True) for one in features]
    assert words == ["this is fish", "bird"]


@pytest.mark.parametrize("pooling", POOLED)
def test_two_texts_are_as_alike_as_their_cosine(model, pooling):
    rows = made.rows(query=made.TEXTS, document=made.TEXTS[::-1])
    way = Way(Each(["query", "document"]), Similarity(pooling=pooling, vectors=True))
    for row, found in zip(rows, made.forward(model, way, rows), strict=True):
        one, other = (POOLED[pooling](states(model, row[name])) for name in ("query", "document"))
        cosine = torch.nn.functional.cosine_similarity(one, other, dim=0).item()
        assert found["similarity"] == pytest.approx(cosine, abs=1e-5)
        assert found["query"] == pytest.approx((one / one.norm()).tolist(), abs=1e-5)


def test_files_hold_the_vectors_and_the_nearest_rows(tmp_path):
    import pyarrow.parquet as parquet

    vectors = [[1.0, 0.0], [0.6, 0.8], [0.0, 2.0], [-3.0, 0.0]]
    lines = [{"row": 10 + at, "prediction": {"embedding": one}} for at, one in enumerate(vectors)]
    lines.append({"row": 99, "prediction": None})  # left out as too long
    assert Vectors(neighbours=2)(tmp_path, iter(lines)) == ["embeddings.npy", "neighbours.jsonl"]
    assert numpy.load(tmp_path / "embeddings.npy").tolist() == numpy.float32(vectors).tolist()
    near = [json.loads(line) for line in (tmp_path / "neighbours.jsonl").open()]
    assert near[0] == {"row": 10, "neighbours": [{"row": 11, "cosine": 0.6}, {"row": 12, "cosine": 0.0}]}
    assert near[2] == {"row": 12, "neighbours": [{"row": 11, "cosine": 0.8}, {"row": 10, "cosine": 0.0}]}
    assert Vectors("parquet")(tmp_path, iter(lines)) == ["embeddings.parquet"]
    table = parquet.read_table(tmp_path / "embeddings.parquet").to_pydict()
    assert table["row"] == [10, 11, 12, 13]
    assert numpy.allclose(table["embedding"], vectors)
    assert Vectors("none")(tmp_path, iter(lines)) == []


# Teaching

ANCHORS, POSITIVES = made.TEXTS, ["bird", "a fish .", "moon", "rain , rain 🙂", "he is bad", "风 moon playing " * 9]
NEGATIVES = ["sun", "well", "she reads", "is", "example", "good good"]


def units(model, texts, pooling="mean"):
    return torch.stack([torch.nn.functional.normalize(POOLED[pooling](states(model, text)), dim=0) for text in texts])


def taught(model, teach, rows):
    inputs = pad_rows(list(teach(model, rows)), 0)
    assert teach.items(inputs) == len(rows)
    return teach.loss(model.network, inputs)


@pytest.mark.parametrize("pooling", POOLED)
@pytest.mark.parametrize("both_ways", [True, False])
@pytest.mark.parametrize("third", [True, False])
def test_each_text_finds_its_partner_among_all_of_the_step(model, pooling, both_ways, third):
    columns = {"one": ANCHORS, "two": POSITIVES} | ({"three": NEGATIVES} if third else {})
    teach = Contrast(list(columns), pooling=pooling, both_ways=both_ways, temperature=0.1)
    first, second = units(model, ANCHORS, pooling), units(model, POSITIVES, pooling)
    others = torch.cat([second, units(model, NEGATIVES, pooling)]) if third else second
    expected = 0.0
    for at in range(len(ANCHORS)):
        forward = torch.stack([(first[at] * other).sum() for other in others]) / 0.1
        backward = torch.stack([(second[at] * other).sum() for other in first]) / 0.1
        losses = [-forward.log_softmax(0)[at], -backward.log_softmax(0)[at]]
        expected += (sum(losses) / 2 if both_ways else losses[0]).item()
    assert taught(model, teach, made.rows(**columns)).item() == pytest.approx(expected, rel=1e-5)


def test_a_triplet_is_wrong_by_the_margin_that_it_lacks(model):
    teach = Contrast(["one", "two", "three"], by="triplet", margin=0.3)
    first, second, third = (units(model, texts) for texts in (ANCHORS, POSITIVES, NEGATIVES))
    near, far = (first * second).sum(-1), (first * third).sum(-1)
    expected = torch.nn.functional.triplet_margin_with_distance_loss(
        first, second, third, margin=0.3, reduction="sum",
        distance_function=lambda a, b: 1 - torch.nn.functional.cosine_similarity(a, b),
    )  # fmt: skip
    assert 0 < int(((near - far) < 0.3).sum()) < 6  # some are right already
    found = taught(model, teach, made.rows(one=ANCHORS, two=POSITIVES, three=NEGATIVES))
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


def test_a_cosine_is_taught_by_its_squared_difference(model):
    teach = Contrast(["one", "two"], by="cosine", scale=5)
    scores = [0, "1", 2.5, 3, 4, 5.0]
    cosines = (units(model, ANCHORS) * units(model, POSITIVES)).sum(-1)
    wanted = torch.tensor([0, 0.2, 0.5, 0.6, 0.8, 1.0])
    expected = torch.nn.functional.mse_loss(cosines, wanted, reduction="sum").item()
    found = taught(model, teach, made.rows(one=ANCHORS, two=POSITIVES, score=scores))
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_the_gradient_of_a_step_does_not_depend_on_its_passes(model, monkeypatch):
    """Texts go through the network in several passes of like lengths, and are compared all together."""
    from runner.engine import contrast

    rows, slopes = made.rows(sentence1=ANCHORS, sentence2=POSITIVES), []
    for tokens in (1, 40, 10_000):
        monkeypatch.setattr(contrast, "TOKENS", tokens)
        model.network.zero_grad()
        taught(model, Contrast(), rows).backward()
        slopes.append(torch.cat([p.grad.flatten() for p in model.network.parameters() if p.grad is not None]))
    assert torch.allclose(slopes[0], slopes[2], atol=1e-4) and torch.allclose(slopes[1], slopes[2], atol=1e-4)


@pytest.mark.parametrize("wrong, told", [
    ({"by": "pairs"}, "by must be one of in_batch, cosine, triplet"),
    ({"by": "triplet"}, "of must name"),
    ({"of": ["a", "b", "c"], "by": "cosine"}, "of must name"),
    ({"temperature": 0.0}, "temperature > 0"),
])  # fmt: skip
def test_options_that_mean_nothing_are_refused(wrong, told):
    with pytest.raises(ValueError, match=told):
        Contrast(**wrong)


PAIRS = [("the bird sings", "a bird"), ("rain rain", "bad rain"), ("he sleeps", "she sleeps"), ("fish", "a good fish"),
         ("moon .", "the moon"), ("sun !", "is sun"), ("c b", "a b"), ("read this", "she reads")]  # fmt: skip


@pytest.mark.parametrize("by", ["in_batch", "cosine", "triplet"])
def test_one_command_trains_evaluates_and_leaves_a_checkpoint_that_the_library_loads(cli, tmp_path, by):
    from transformers import AutoModel

    lines = [{"anchor": one, "positive": two, "negative": PAIRS[at - 1][1], "similarity": 1.0}
             for at, (one, two) in enumerate(PAIRS)]  # fmt: skip
    if by == "cosine":
        lines += [line | {"positive": line["negative"], "similarity": 0.0} for line in lines]
    scored = [{"sentence1": one, "sentence2": two, "score": 5} for one, two in PAIRS]
    scored += [{"sentence1": PAIRS[at][0], "sentence2": PAIRS[at - 1][1], "score": 0} for at in range(8)]
    folder = made.splits(tmp_path / "data", train=lines, validation=lines, test=scored)
    base = made.saved(made.model("AutoModel", initializer_range=0.2), tmp_path / "base")
    of = "[sentence1,sentence2]" if by != "triplet" else "[sentence1,sentence2,negative]"
    ended = cli(
        "task=text_encoding", "checkpoint=pretrained", f"checkpoint.name_or_path={base}", "data=files",
        f"data.path={folder}", "train=full", "train.max_steps=40", "train.batch_size=16", "train.learning_rate=5e-3",
        "train.log_every=10", "train.evaluate_every=20", "engine.threads=1", f"task.teach.by={by}",
        f"+task.teach.of={of}",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    (run,) = cli.runs
    losses = made.history(run, "loss")
    assert losses[-1] < losses[0] / 2
    assert made.metrics(run)["spearman"] > 0.8
    trained = made.model(AUTO)
    trained.network = AutoModel.from_pretrained(run / "checkpoint").eval()
    for line, found in zip(scored, made.predictions(run), strict=True):
        one, other = units(trained, [line["sentence1"], line["sentence2"]])
        assert found["similarity"] == pytest.approx((one * other).sum().item(), abs=1e-4)
