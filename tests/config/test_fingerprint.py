"""What determines the result names the run; nothing else does."""

import dataclasses
import types
import typing

import pytest

from runner import config as schema
from runner.compose import compose
from runner.config import Config, freeze
from runner.fingerprint import FREE, HELD, SUMS, fingerprint
from runner.secret import redacted


def leaves(kind, path=()):
    hints = typing.get_type_hints(kind, vars(schema))
    for one in dataclasses.fields(kind):
        if dataclasses.is_dataclass(hints[one.name]):
            yield from leaves(hints[one.name], (*path, one.name))
        else:
            yield (*path, one.name), hints[one.name]


def altered(value, hint):
    """Another value of the option's type."""
    options = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    kind = next(one for one in options if one is not type(None))
    kind = typing.get_origin(kind) or kind
    if kind is bool:
        return not value
    if kind in (int, float):
        return kind((value or 0) + 1)
    if kind is dict:
        return {**(value or {}), "x": 1}
    return [*(value or []), "x"] if kind is list else f"{value}x"


def replaced(config, path, value):
    first, *rest = path
    inner = value if not rest else replaced(getattr(config, first), rest, value)
    return dataclasses.replace(config, **{first: inner})


def free(path):
    names = FREE.get(path[0], set())
    return names is None or (len(path) > 1 and path[1] in names)


def asked(*overrides):
    return freeze(compose(overrides))


def same(*overrides, base=()):
    return fingerprint(asked(*base, *overrides)) == fingerprint(asked(*base))


@pytest.fixture(scope="module")
def config():
    return asked()


@pytest.fixture(scope="module")
def both():
    """Trained, and then decoded in a short dtype: nothing is without effect."""
    return asked("train=lora", "data=poems_small", "mode=predict", "engine.dtype=bfloat16")


@pytest.mark.parametrize(("path", "hint"), [leaf for leaf in leaves(Config) if leaf[0] != ("mode",)],
                         ids=lambda value: ".".join(value) if isinstance(value, tuple) else "")  # fmt: skip
def test_every_option_but_the_free_ones_changes_the_fingerprint(both, path, hint):
    value = both
    for name in path:
        value = getattr(value, name)
    other = replaced(both, path, altered(value, hint))
    assert (fingerprint(other) == fingerprint(both)) == free(path)


HOW = [f"{section}.{name}=7" for section, name in (*SUMS, *HELD)]
SUMMED = [f"{section}.{name}=7" for section, name in SUMS]


@pytest.mark.parametrize("option", HOW)
def test_how_a_text_is_generated_in_float32_does_not_enter(option):
    assert same(option)


@pytest.mark.parametrize("option", HOW)
def test_how_the_work_is_done_enters_in_a_short_dtype(option):
    assert not same(option, base=["engine.dtype=bfloat16"])


@pytest.mark.parametrize("base", [["mode=evaluate"], ["train=full", "data=poems_small"]], ids=lambda base: base[0])
@pytest.mark.parametrize("option", SUMMED)
def test_the_order_of_sums_enters_where_likelihoods_or_weights_come_of_them(option, base):
    assert not same(option, base=base)


def test_options_of_a_part_that_has_no_part_do_not_enter():
    assert same("train.batch_size=7")
    assert same("decode.top_k=7", base=["mode=evaluate"])


def test_a_mode_that_is_null_is_the_one_it_comes_to():
    assert same("mode=predict")
    assert not same("mode=evaluate")
    assert same("mode=evaluate", base=["train=full", "data=poems_small"])
    assert not same("mode=predict", base=["train=full", "data=poems_small"])


@pytest.mark.parametrize("option", ["data.on_long_row=skip", "data.on_long_row=truncate", "data.on_bad_row=skip"])
def test_what_is_done_with_bad_or_long_rows_does_not_enter(option):
    assert same(option)


def test_every_free_option_exists():
    names = {path[0] if len(path) == 1 else path for path, _ in leaves(Config)}
    told = {(key, name) for key, inner in FREE.items() if inner for name in inner} | {
        k for k, v in FREE.items() if not v
    }
    assert told <= names


def test_the_same_configuration_has_the_same_fingerprint_in_any_order():
    one = freeze(compose(["seed=3", "decode.top_k=4", "checkpoint.options={num_labels: 2, id2label: {}}"]))
    two = freeze(compose(["checkpoint.options={id2label: {}, num_labels: 2}", "decode.top_k=4", "seed=3"]))
    assert fingerprint(one) == fingerprint(two)


def test_saying_a_default_changes_nothing(config):
    assert fingerprint(freeze(compose(["seed=0", "train=none", "decode.top_k=null"]))) == fingerprint(config)


def test_an_option_without_a_value_does_not_enter_the_fingerprint(config):
    wider = dataclasses.make_dataclass("Wider", [("later", str | None, None)], bases=(Config,))
    values = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    assert fingerprint(wider(**values)) == fingerprint(config)


def test_secrets_are_redacted_by_key_and_by_value():
    given = {"hf_token": "x", "a": {"api_key": "y", "b": ["sk-0123456789abcdefghij", "fine"]}, "token_count": 3}
    assert redacted(given) == {"hf_token": "***", "a": {"api_key": "***", "b": ["***", "fine"]}, "token_count": 3}


@pytest.mark.parametrize(
    "text", ["hf_abcdefghijkl", "see hf_abcdefghijkl!", "ghp_0123456789abcdefgh", "AKIA0123456789ABCD"]
)
def test_a_secret_inside_a_text_is_redacted(text):
    assert "***" in redacted(text) and "abcdefgh" not in redacted(text).replace("***", "")
