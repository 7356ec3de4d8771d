"""Tags and entities: against transformers' own pipeline, and against what is worked out by hand."""

import json
from types import SimpleNamespace

import pytest

from runner.encode.tokens import Tokens, windows
from runner.errors import CheckpointError, DataError
from runner.interpret.entities import Entities, scheme_of, spans
from runner.teach.tokens import Tags
from runner.types import IGNORED
from tests.tasks.tiny_tokens import TEXTS, WORDS, bert, byte_level

HOW = ("simple", "first", "average", "max", "none")


@pytest.fixture(scope="module")
def model():
    return bert()


@pytest.fixture(scope="module")
def bytes_model():
    return byte_level()


def answers(model, rows, encode=None, interpret=None, budget=200):
    """The answers to the rows, in batches of at most `budget` tokens."""
    from runner.engine.forward import run_batches

    encode, interpret = encode or Tokens(), interpret or Entities()
    encoded = encode(model, rows)
    flat = [feature for features in encoded for feature in features]
    found = [None] * len(flat)
    for batch in run_batches(model, flat, interpret.outputs, budget, print):
        for at, output in batch:
            found[at] = output
    remaining = iter(found)
    return [
        interpret(model, row, features, [next(remaining) for _ in features])
        for row, features in zip(rows, encoded, strict=True)
    ]


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("which", ["model", "bytes_model"])
@pytest.mark.filterwarnings("ignore")
def test_entities_are_those_of_the_librarys_pipeline(which, how, request):
    from transformers import TokenClassificationPipeline

    model = request.getfixturevalue(which)
    pipeline = TokenClassificationPipeline(model=model.network, tokenizer=model.processor, aggregation_strategy=how)
    rows = [{"row": at, "text": text} for at, text in enumerate(TEXTS)]
    kind = "entity" if how == "none" else "entity_group"
    compared = 0
    for row, answer in zip(rows, answers(model, rows, interpret=Entities(aggregation=how)), strict=True):
        expected = pipeline(row["text"])
        found = [(one["type"], one["start"], one["end"]) for one in answer["entities"]]
        assert found == [(one[kind], one["start"], one["end"]) for one in expected]
        assert [one["score"] for one in answer["entities"]] == pytest.approx(
            [one["score"] for one in expected], abs=1e-5
        )
        compared += len(expected)
    assert compared > 15


@pytest.mark.parametrize("how", HOW)
def test_answers_are_the_same_in_every_batch_and_order(model, how):
    rows = [{"row": at, "text": text} for at, text in enumerate(TEXTS)]
    rows += [{"row": 9, "tokens": ["Sarah", "Yorkshire", "lives"]}]
    interpret = Entities(aggregation=how)
    alone = [answers(model, [row], interpret=interpret, budget=1)[0] for row in rows]
    among = answers(model, rows[::-1], interpret=interpret, budget=10_000)[::-1]
    for one, other in zip(alone, among, strict=True):
        assert one.get("tags") == other.get("tags")
        assert [(e["start"], e["end"], e["type"]) for e in one["entities"]] == [
            (e["start"], e["end"], e["type"]) for e in other["entities"]
        ]
        assert [e["score"] for e in one["entities"]] == pytest.approx([e["score"] for e in other["entities"]], abs=1e-5)


@pytest.mark.parametrize(
    "scheme, tags, expected",
    [
        ("BIO", "B-A I-A I-A O I-A B-A B-A I-B", [(0, 2, "A"), (4, 4, "A"), (5, 5, "A"), (6, 6, "A"), (7, 7, "B")]),
        ("BIOES", "S-A S-A B-A M-A E-A I-A E-A O", [(0, 0, "A"), (1, 1, "A"), (2, 4, "A"), (5, 6, "A")]),
        ("BILOU", "U-A B-A L-A L-A I-A", [(0, 0, "A"), (1, 2, "A"), (3, 3, "A"), (4, 4, "A")]),
        ("IO", "A A B O B-x", [(0, 1, "A"), (2, 2, "B"), (4, 4, "B-x")]),
        ("BIO", "O O", []),
    ],
)
def test_tags_of_each_scheme_describe_their_entities(scheme, tags, expected):
    assert spans(tags.split(), scheme) == expected


@pytest.mark.parametrize(
    "names, scheme",
    [
        ("O B-A I-A", "BIO"),
        ("O B-A I-A E-A S-A", "BIOES"),
        ("O B-A M-A E-A S-A", "BIOES"),
        ("O B-A I-A L-A U-A", "BILOU"),
        ("O A B", "IO"),
        ("LABEL_0 LABEL_1", "IO"),
        ("NOUN VERB S-x", "IO"),
    ],
)
def test_the_scheme_is_seen_in_the_names(names, scheme):
    assert scheme_of(names.split()) == scheme


def classes(model, choice):
    """Outputs in which the sub-token `n` of a window has class choice[n], the special tokens O."""
    return [([0, *choice, 0], [0.5] * (len(choice) + 2))]


def test_each_word_is_tagged_by_its_first_sub_token_and_the_text_is_the_joined_words(model):
    row = {"row": 0, "tokens": ["Sarah", "Parker", "in", "Yorkshire"]}  # sarah par ##ker in york ##shire
    (features,) = Tokens(text=None)(model, [row])
    answer = Entities()(model, row, features, classes(model, [1, 2, 3, 0, 3, 0]))
    assert answer["tags"] == ["B-PER", "I-PER", "O", "B-LOC"]
    assert answer["entities"] == [
        {"type": "PER", "score": 0.5, "text": "Sarah Parker", "start": 0, "end": 12, "first": 0, "last": 1},
        {"type": "LOC", "score": 0.5, "text": "Yorkshire", "start": 16, "end": 25, "first": 3, "last": 3},
    ]


def test_tags_that_are_numbers_are_told_by_name(model):
    (answer,) = answers(model, [{"row": 0, "tokens": ["sarah", "in", "york"], "tags": [1, 0, 3]}])
    assert answer["gold"] == ["B-PER", "O", "B-LOC"]


def test_words_without_sub_tokens_are_outside_and_shift_no_other(model):
    row = {"row": 0, "tokens": ["\u200b", "sarah", "", "\x07", "york", "\ufeff"]}
    (features,) = Tokens(text=None)(model, [row])
    assert features[0]["input_ids"] == model.processor.convert_tokens_to_ids(["[CLS]", "sarah", "york", "[SEP]"])
    answer = Entities()(model, row, features, classes(model, [1, 3]))
    assert answer["tags"] == ["O", "B-PER", "O", "O", "B-LOC", "O"]
    assert [entity["text"] for entity in answer["entities"]] == ["sarah", "york"]
    assert [(entity["first"], entity["last"]) for entity in answer["entities"]] == [(1, 1), (4, 4)]


@pytest.mark.parametrize("row", [
    {"tokens": []}, {"tokens": ["\x00\x07", "\u200b"]}, {"text": ""}, {"text": "\x00\x07"}, {"text": " \n "}
])  # fmt: skip
def test_a_row_of_nothing_has_no_entities(model, row):
    (answer,) = answers(model, [row | {"row": 0}])
    assert answer["entities"] == [] and answer.get("tags", []) == ["O"] * len(row.get("tokens", []))
    assert list(Tags()(model, [{"tags": ["O"] * len(row["tokens"])} | row])) == [] if "tokens" in row else True


@pytest.mark.parametrize("words", [["🙂", "sarah"], ["new york", "in"], ["[SEP]", "york"], ["don't", "x" * 300, "in"]])
def test_odd_words_keep_one_tag_each(model, bytes_model, words):
    for one in (model, bytes_model):
        (answer,) = answers(one, [{"row": 0, "tokens": words}])
        assert len(answer["tags"]) == len(words) and json.loads(json.dumps(answer)) == answer
        text = " ".join(words)
        assert all(text[e["start"] : e["end"]] == e["text"] for e in answer["entities"])


def test_words_are_given_the_space_that_their_tokenizer_knows_them_by(bytes_model):
    (features,) = Tokens(text=None)(bytes_model, [{"row": 0, "tokens": ["sarah", "parker"]}])
    assert features[0]["input_ids"] == bytes_model.processor(" sarah parker")["input_ids"]
    aside = features[0]["aside"]
    of_parker = [offset for word, offset in zip(aside["words"], aside["offsets"], strict=True) if word == 1]
    assert of_parker[0][0] == 0 and of_parker[-1][1] == len("parker")


def test_windows_meet_in_the_middle_of_what_they_share():
    # 0-8, 5-13 and, full like them, 7-15 of 15 tokens; shared: 5-8 and 7-13, whose middles are 6 and 10
    assert list(windows(15, 8, 3)) == [(0, 8, 0, 6), (5, 13, 6, 10), (7, 15, 10, 15)]
    assert list(windows(8, 8, 3)) == [(0, 8, 0, 8)]
    assert list(windows(3, 2, 0)) == [(0, 2, 0, 1), (1, 3, 1, 3)]


def test_a_long_text_is_answered_whole_and_each_sub_token_once(model):
    words = ["sarah", "Parker", "in", "yorkshire"] * 40  # 6 sub-tokens in 4 words: 240 for a context of 64
    row = {"row": 0, "tokens": words, "tags": ["B-PER", "I-PER", "O", "B-LOC"] * 40}
    (features,) = Tokens(text=None)(model, [row])
    assert len(features) > 4 and all(len(feature["input_ids"]) <= 64 for feature in features)
    assert sum(len(feature["aside"]["words"]) for feature in features) == 240
    for feature in features:
        first, words_there = feature["aside"]["first"], feature["aside"]["words"]
        tokens = model.processor.convert_ids_to_tokens(feature["input_ids"][first : first + len(words_there)])
        assert all(t == "sarah" for t, word in zip(tokens, words_there, strict=True) if word % 4 == 0)
    (answer,) = answers(model, [row])
    assert len(answer["tags"]) == len(words)
    assert sum(label != IGNORED for one in Tags()(model, [row]) for label in one["labels"]) == len(words)


def test_a_row_needs_words_or_a_text(model):
    with pytest.raises(DataError, match=r"x.jsonl:3: has no tokens \(a list of words\) or text; data.columns"):
        Tokens()(model, [{"row": 0, "place": "x.jsonl:3"}])
    assert Tokens().columns == () and Tokens().optional == ("tokens", "text")
    assert Tokens(text=None).columns == ("tokens",) and Tokens(text=None).optional == ()


def test_a_slow_tokenizer_is_refused():
    slow = SimpleNamespace(processor=SimpleNamespace(is_fast=False), name="tiny", context=8)
    with pytest.raises(CheckpointError, match=r"tiny: token classification needs a fast tokenizer \(offsets\)"):
        Tokens()(slow, [{"row": 0, "text": "a"}])


@pytest.mark.parametrize("wrong, told", [
    (lambda: Tags(class_weights="even"), "class_weights must be"),
    (lambda: Tags(overlap=1.0), "0 <= overlap < 1"),
    (lambda: Tokens(window=2), "window >= 8"),
    (lambda: Entities(aggregation="mean"), "aggregation must be one of simple, first"),
    (lambda: Entities(scheme="BMES"), "scheme must be null or one of BIO"),
])  # fmt: skip
def test_options_that_mean_nothing_are_refused(wrong, told):
    with pytest.raises(ValueError, match=told):
        wrong()


def test_the_command_line_trains_scores_and_predicts(cli, tmp_path):
    folder = tmp_path / "rows"
    folder.mkdir()
    rows = [{"words": ["sarah", "lives", "in", "york"], "ner_tags": ["B-PER", "O", "O", "B-LOC"]}] * 12
    for name in ("train", "validation", "test"):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]))
    sizes = "{model_type: bert, num_hidden_layers: 1, hidden_size: 32, num_attention_heads: 2, intermediate_size: 32}"
    ended = cli(
        "task=token_classification", "checkpoint=random", f"checkpoint.architecture={sizes}", "data=files",
        f"checkpoint.tokenizer={tmp_path}/base/vocab.txt", f"data.path={folder}", "train=full", "train.max_steps=30",
        "train.learning_rate=0.01",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    (run,) = cli.runs
    assert json.loads((run / "metrics.json").read_text())["f1"]["value"] == 1.0
    (tmp_path / "texts.txt").write_text("sarah lives in york\n")
    ended = cli("task=token_classification", f"checkpoint.name_or_path={run}/checkpoint", "data=files",
                f"data.path={tmp_path}/texts.txt", "mode=predict")  # fmt: skip
    assert ended.code == 0, ended.err
    (answered,) = [path for path in cli.runs if path != run]
    (entities,) = [json.loads(line)["prediction"]["entities"] for line in (answered / "predictions.jsonl").open()]
    assert [(one["type"], one["start"], one["end"]) for one in entities] == [("PER", 0, 5), ("LOC", 15, 19)]
