import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from runner.grammar import prepared


@pytest.mark.parametrize(
    ("typed", "key", "value"),
    [
        ("data.prompts=[明月几时有, 梅山如积翠，]", "data.prompts", ["明月几时有", "梅山如积翠，"]),
        ("name=明月", "name", "明月"),
        ('data.prompts=["[CLS]梅 山 如 积 翠 ，",明月几时有, plain]', "data.prompts",
         ["[CLS]梅 山 如 积 翠 ，", "明月几时有", "plain"]),
        ("data.prompts=[café au lait, 3, true]", "data.prompts", ["café au lait", 3, True]),
        ("data.columns={text: 诗}", "data.columns", {"text": "诗"}),
        ("data.columns.text=prompt", "data.columns.text", "prompt"),
        ("decode.top_p=0.5", "decode.top_p", 0.5),
        ("checkpoint.name_or_path=out/tiny-seed=3-9fc3/checkpoint", "checkpoint.name_or_path",
         "out/tiny-seed=3-9fc3/checkpoint"),
        ('data.path="a=b"', "data.path", "a=b"),
        ("data.path=~/poems/x.txt", "data.path", "~/poems/x.txt"),
        ("data.prompts=[1 + 1 = 2, b]", "data.prompts", ["1 + 1 = 2", "b"]),
    ],
)  # fmt: skip
def test_overrides_mean_what_people_type(typed, key, value):
    (text,) = prepared([typed])
    override = OverridesParser.create().parse_override(text)
    assert override.key_or_group == key
    assert override.value() == value
