"""Every mistake of a command is told, at once, with what is near."""

import pytest

from runner.compose import compose, composer
from runner.config import freeze
from runner.errors import ConfigError
from runner.sweep.grid import grid
from runner.sweep.options import SweepConfig


def refused(*overrides):
    with pytest.raises(ConfigError) as told:
        freeze(compose(overrides))
    return told.value.problems


def test_all_mistakes_of_a_command_are_told_at_once():
    problems = refused("decode.temprature=1", "decode.top_p=2", "train=ful", "seed=x", "mode=dream", "[")
    assert [problem.split("  ")[0] for problem in problems] == [
        "train=ful", "[", "decode.temprature", "seed", "mode", "decode.top_p",
    ]  # fmt: skip


def test_an_unknown_key_names_the_nearest():
    (problem,) = refused("decode.temprature=1")
    assert problem.startswith("decode.temprature  no such key; nearest: decode.temperature")


def test_an_unknown_section_names_the_nearest():
    (problem,) = refused("decoding.top_p=1")
    assert "no such key; nearest: " in problem and "decode.top_p" in problem


def test_a_key_below_a_value_is_unknown():
    (problem,) = refused("seed.x=1")
    assert problem.startswith("seed.x  no such key")


@pytest.mark.parametrize("plus", ["", "+", "++"])
def test_an_option_that_the_yaml_of_a_task_does_not_list_needs_no_plus(plus):
    config = freeze(compose(["task=sequence_classification", f"{plus}task.teach.names=[good, bad]"]))
    assert config.task.teach["names"] == ["good", "bad"]


def test_an_option_that_the_yaml_of_a_task_does_not_list_may_be_swept():
    with composer(None) as composing:
        for points in grid(["task=sequence_classification", "task.predict.encode.pairs=true,false"], SweepConfig()):
            composing.config(points)


def test_an_option_that_takes_a_dictionary_takes_it_key_by_key():
    config = freeze(compose(["task=sequence_classification", "task.teach.class_weights.good=2"]))
    assert config.task.teach["class_weights"] == {"good": 2}


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("task.teach.nmes=[a]", "task.teach.nmes  no such option of runner.teach.labels.Labels; nearest: names"),
        ("task.teach.x=1", "task.teach.x  no such option of runner.teach.labels.Labels; known: class_weights, column"),
        ("task.teach.problem.x=1", "task.teach.problem  must be null or str, but got {'x': 1}"),
        ("task.predict.encod.pairs=true", "task.predict.encod.pairs  no such key; nearest: task.predict.encode,"),
        ("task.predict.metrics.regresion.x=1", "task.predict.metrics.regresion.x  no such key; nearest: task.predict."),
        ("task.evaluate.encode.tokens=3", "task.evaluate.encode.tokens  no such key; nearest: task.predict.encode.to"),
        ("+task.evaluate.encode.tokens=3", "task.evaluate.encode.tokens  no such key; nearest: task.predict.encode.to"),
    ],
)
def test_an_option_that_the_class_of_a_task_does_not_have_is_told(override, told):
    (problem,) = refused("task=sequence_classification", override)
    assert problem.startswith(told)


def test_an_object_that_a_task_does_not_have_is_named_by_its_class_first():
    export = ["task.predict.export._target_=runner.interpret.vectors.Vectors", "task.predict.export.neighbours=3"]
    config = freeze(compose(["task=sequence_classification", *export]))
    assert config.task.predict["export"] == {"_target_": "runner.interpret.vectors.Vectors", "neighbours": 3}


def test_an_unknown_choice_names_the_known_ones():
    (problem,) = refused("decode=beem")
    assert problem.startswith("decode=beem  no such choice; nearest: beam")


def test_several_values_without_m_hint_at_m():
    (problem,) = refused("seed=1,2")
    assert problem == "seed=1,2  is a sweep: add -m to run all of its values"


def test_a_wrong_type_is_told():
    (problem,) = refused("decode.top_k=many")
    assert problem == "decode.top_k  Value 'many' of type 'str' could not be converted to Integer"


def test_deep_nesting_is_refused_in_one_line():
    (problem,) = refused("data.prompts=" + "[" * 3000)
    assert "cannot be read" in problem and len(problem) < 400


@pytest.mark.parametrize("text", ["", "=", "a b", "data.prompts=[a", "x=${", "decode.top_k"])
def test_what_cannot_be_read_is_told_with_the_remedy(text):
    assert any("write key=value" in problem or "no such" in problem for problem in refused(text))


def test_the_command_line_wins_over_an_experiment():
    config = freeze(compose(["train.max_steps=3", "experiment=poem_gpt2"]))
    assert (config.train.max_steps, config.train.optimizer) == (3, "muon")


def test_a_folder_of_groups_of_ones_own_is_used(tmp_path):
    (tmp_path / "decode").mkdir()
    (tmp_path / "decode" / "mine.yaml").write_text("do_sample: true\ntop_k: 7\n")
    assert freeze(compose(["decode=mine"], str(tmp_path))).decode.top_k == 7


@pytest.mark.parametrize("name", ["a,b", "a b", "a'b", 'a"b', "[a]", "明"])
def test_a_folder_of_groups_may_have_any_name(tmp_path, name):
    folder = tmp_path / name
    (folder / "decode").mkdir(parents=True)
    (folder / "decode" / "mine.yaml").write_text("do_sample: true\ntop_k: 7\n")
    assert freeze(compose(["decode=mine"], str(folder))).decode.top_k == 7


def test_a_folder_of_groups_that_is_none_is_told(tmp_path):
    with pytest.raises(ConfigError, match="is not a folder"):
        compose([], str(tmp_path / "none"))


def test_a_dictionary_may_be_given_where_there_is_none():
    config = freeze(compose(["checkpoint=random", "checkpoint.tokenizer=x", "checkpoint.architecture={n_layer: 2}"]))
    assert config.checkpoint.architecture == {"model_type": "gpt2", "n_layer": 2}
    config = freeze(
        compose(["checkpoint.tokenizer=x", "checkpoint.architecture={model_type: gpt2, a: {b: [1, 'x y']}}"])
    )
    assert config.checkpoint.architecture == {"model_type": "gpt2", "a": {"b": [1, "x y"]}}


@pytest.mark.parametrize("values", [
    ("decode.temperature=0.5", "decode.temperature=0.7"),
    ("data.prompts=[春]", "data.prompts=[江,花]"),
    ("name=one", "name=${task.name}", "name=three"),
    ("output_dir=${task.name}", "output_dir=b"),
    ("checkpoint.architecture=null", "checkpoint.architecture={model_type: gpt2}"),
    ("task.predict.encode.open=true", "task.predict.encode.open=false"),
    ("decode.top_k=5", "decode.top_k=null", "decode.top_k=6"),
])  # fmt: skip
def test_the_next_values_of_the_same_keys_come_to_what_they_do_alone(values):
    beside = ["checkpoint.tokenizer=x", "seed=3"]
    with composer(None) as composing:
        for value in [*values, *values]:
            found = composing.config([*beside, value])
            assert found == freeze(compose([*beside, value])), value


def test_the_next_values_of_the_same_keys_are_checked_as_the_first_are():
    with composer(None) as composing:
        composing.config(["decode.top_p=0.5", "train.epochs=1"])
        for wrong in ("decode.top_p=2", "decode.top_p=x", "decode.top_p=hf_abcdefghijk"):
            with pytest.raises(ConfigError, match=r"decode\.top_p"):
                composing.config([wrong, "train.epochs=1"])
        assert composing.config(["decode.top_p=0.25", "train.epochs=1"]).decode.top_p == 0.25


def test_one_after_another_comes_to_what_each_comes_to_alone():
    """Only what differs from the point before is laid and checked."""
    points = [
        ["decode.temperature=0.5", "decode.top_k=5", "seed=1"],
        ["decode.temperature=0.5", "decode.top_k=7", "seed=1"],
        ["decode.temperature=0.9", "decode.top_k=7", "seed=2"],
        ["decode.temperature=0.9", "decode.top_k=${seed}", "seed=3"],
        ["decode.temperature=0.9", "decode.top_k=7", "seed=2"],
        ["decode.top_k=1", "decode.top_k=2", "seed=2"],
        ["decode.top_k=1", "decode.top_k=3", "seed=2"],
        ["decode=beam", "decode.num_beams=3", "seed=2"],
        ["decode=beam", "decode.num_beams=4", "seed=2"],
        ["data.columns={text: prompt}", "seed=4"],
        ["data.columns={text: line}", "seed=4"],
        ["data.columns={text: line}", "seed=5"],
        ["train=full", "data=poems_small", "train.learning_rate=1e-4", "train.metric=loss"],
        ["train=full", "data=poems_small", "train.learning_rate=1e-3", "train.metric=loss"],
    ]
    wrong = [
        ["decode.temperature=-1", "decode.top_k=7", "seed=2"],
        ["decode.temperature=0.9", "decode.top_k=x", "seed=2"],
        ["train=full", "data=poems_small", "train.learning_rate=1e-3", "train.metric=accuracyy"],
    ]
    with composer(None) as composing:
        found = [composing.config(point) for point in points]
        for point in wrong:
            with pytest.raises(ConfigError):
                composing.config(point)
        again = [composing.config(point) for point in points]
    assert found == again == [freeze(compose(point)) for point in points]
