"""The schema against the library, and conf/ against the schema."""

import dataclasses
import warnings
from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf

from runner.compose import compose
from runner.config import CHOICES, LAWS, Config, freeze
from runner.decode import LAWS as DECODE_LAWS
from runner.decode import LEFT_OUT, OURS, DecodeConfig
from runner.errors import ConfigError
from runner.types import Rule
from runner.usage import config_dir

FILES = sorted(config_dir().rglob("*.yaml"))
NEEDS = {  # what a file leaves to the user
    "data=files": ["data.path=here.txt"],
    "checkpoint=pretrained": ["checkpoint.name_or_path=here"],
    "checkpoint=random": ["checkpoint.tokenizer=here"],
    "decode=assisted": ["decode.assistant=poem_gpt2"],
    "task=zero_shot_classification": ["checkpoint.name_or_path=here"],
}


def choice(path: Path) -> str:
    group = path.parent.relative_to(config_dir())
    return f"{group}={path.stem}"


def refused(*overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as told:
        freeze(compose(overrides))
    return told.value.problems


def test_decode_has_every_option_of_the_installed_library():
    from transformers import GenerationConfig

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        library = {name for name in vars(GenerationConfig()) if not name.startswith("_")}
    ours = {field.name for field in dataclasses.fields(DecodeConfig)} - set(OURS)
    assert ours | set(LEFT_OUT) == library
    assert not ours & set(LEFT_OUT)


def test_every_strategy_that_the_library_ships_has_a_decode_group():
    from transformers.generation.utils import GENERATION_MODES_MAPPING

    shipped = {str(mode.value) for mode, name in GENERATION_MODES_MAPPING.items() if "/" not in name}
    groups = {"greedy_search": "greedy", "sample": "sample", "beam_search": "beam", "beam_sample": "beam_sample",
              "assisted_generation": "prompt_lookup"}  # fmt: skip
    assert shipped == set(groups)
    assert {f"decode={name}" for name in groups.values()} <= {choice(path) for path in FILES}


@pytest.mark.parametrize(("group", "mode"), [("greedy", "greedy_search"), ("sample", "sample"),
                         ("beam", "beam_search"), ("beam_sample", "beam_sample"),
                         ("prompt_lookup", "assisted_generation")])  # fmt: skip
def test_a_decode_group_asks_the_library_for_its_strategy(group, mode):
    from transformers import GenerationConfig

    given = freeze(compose([f"decode={group}"])).decode.given()
    assert GenerationConfig(**given).get_generation_mode().value == mode


@pytest.mark.parametrize("path", [path for path in FILES if path.parent != config_dir()], ids=choice)
def test_every_file_of_a_group_composes_and_freezes(path):
    assert isinstance(freeze(compose([choice(path), *NEEDS.get(choice(path), [])])), Config)


@pytest.mark.parametrize("name", NEEDS)
def test_a_file_tells_what_it_leaves_to_the_user(name):
    (key, _) = NEEDS[name][0].split("=")
    assert any(key in problem for problem in refused(name))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(config_dir())))
def test_a_configuration_file_has_at_most_25_lines(path):
    assert len(path.read_text().splitlines()) <= 25


GROUPS = ("data", "decode", "train", "checkpoint", "task")


@pytest.mark.parametrize("path", [path for path in FILES if path.parent.name in GROUPS], ids=choice)
def test_a_group_file_has_no_key_that_the_schema_lacks(path):
    values = yaml.safe_load(path.read_text())
    values.pop("defaults", None)  # what a task starts from
    packaged = "@package _global_" in path.read_text()
    schema = OmegaConf.structured(Config if packaged else _section(path.parent.name))
    OmegaConf.merge(schema, values)


def _section(name):
    from runner import config

    return getattr(config, f"{name.title()}Config")


@pytest.mark.parametrize("key", LAWS)
def test_a_broken_law_is_told_with_its_value(key):
    value = {"task.name": "../up", "output_dir": "x" * 300}.get(key, "-1")
    (problem,) = [line for line in refused(f"{key}={value}") if line.startswith(key)]
    assert problem.startswith(f"{key}  {LAWS[key][0]} must hold, but got {value}")


BROKEN = {  # decode options whose law -1 does not break
    "early_stopping": "sometimes",
    "exponential_decay_length_penalty": "[1.0]",
    "loop": "circle",
    "eos_token_id": "end",
    "forced_eos_token_id": "[a]",
    "decoder_start_token_id": "true",
}


@pytest.mark.parametrize("key", DECODE_LAWS)
def test_a_broken_law_of_decoding_is_told_with_its_value(key):
    problems = refused(f"decode.{key}={BROKEN.get(key, -1)}")
    assert any(line.startswith(f"decode.{key}  {DECODE_LAWS[key][0]} must hold, but got ") for line in problems)


@pytest.mark.parametrize("key", CHOICES)
def test_an_unknown_choice_is_told_with_the_known_ones(key):
    known = ", ".join("null" if one is None else one for one in CHOICES[key])
    assert f"{key}  must be one of {known}, but got nonsense" in refused(f"{key}=nonsense")


ACROSS = [
    (["data=files", "data.path=a.txt", "data.prompts=[x]"], "data.prompts  stands beside data.path=a.txt"),
    (["data.prompts=[x]", "train=full"], "data.prompts  cannot be trained on"),
    (["data.path=null"], "data  is empty: give data.prompts=[...] or data.path="),
    (["data.prompts=[]"], "data.prompts  holds no rows"),
    (["checkpoint.name_or_path=null"], "checkpoint.name_or_path  is empty"),
    (["checkpoint.architecture={n_layer: 2}"], "checkpoint.architecture.model_type  is missing"),
    (["checkpoint.name_or_path=null", "checkpoint.architecture={model_type: bert}"],
     "checkpoint.tokenizer  is missing"),
    (["train=full", "train.save_every=5", "train.evaluate_every=2"], "train.save_every  must be a multiple"),
    (["train=full", "train.optimizer=muon", "train.arguments.optim=sgd"], "train.arguments.optim  stands beside"),
    (["train=full", "task.teach=null"], "train.method  task causal_lm has no training format"),
    (["decode.do_sample=false", "decode.top_p=0.5"], "decode.top_p  has no effect with do_sample=false"),
    (["decode.length_penalty=2"], "decode.length_penalty  has no effect with num_beams=1"),
    (["decode.max_length=5", "decode.max_new_tokens=5"], "decode.max_length  5 stands beside max_new_tokens=5"),
    (["decode.max_length=5", "decode.min_length=6"], "min_length <= max_length must hold, but got 6 > 5"),
    (["decode.max_new_tokens=5", "decode.min_new_tokens=6"], "min_new_tokens <= max_new_tokens must hold"),
    (["decode.num_return_sequences=3"], "decode.num_return_sequences  3 equal answers"),
    (["decode.trace=3"], "decode.trace  needs the loop in the open"),
    (["decode=step", "decode.num_beams=3"], "decode.num_beams  is not part of the loop in the open"),
    (["decode=step", "decode.use_cache=false"], "decode.use_cache  is not part of the loop in the open"),
    (["decode=beam_sample", "decode.num_return_sequences=5"], "decode.num_return_sequences  5 <= num_beams must hold"),
    (["decode=assisted"], "decode.assistant  is null, but num_assistant_tokens is given"),
    (["decode=prompt_lookup", "decode.use_mtp=true"], "decode.prompt_lookup_num_tokens  stands beside use_mtp"),
    (["decode.assistant=poem_gpt2", "decode.num_beams=2"], "decode.assistant  drafts for one text at a time"),
]  # fmt: skip


@pytest.mark.parametrize(("overrides", "told"), ACROSS, ids=lambda value: value if isinstance(value, str) else None)
def test_a_rule_between_options_is_told(overrides, told):
    assert any(told in problem for problem in refused(*overrides))


def test_an_option_of_sampling_alone_asks_for_sampling():
    assert freeze(compose(["decode.temperature=0.5"])).decode.given()["do_sample"] is True


def test_types_of_a_tasks_options_are_checked():
    (problem,) = refused("task.predict.encode.open=perhaps")
    assert problem == "task.predict.encode.open  must be bool, but got 'perhaps'"


def test_the_contract_of_a_rule_is_what_the_engine_calls():
    assert list(Rule.__call__.__annotations__) == ["tokens", "logits", "generator", "return"]
