"""Why a value does not fit: paths and messages."""

from __future__ import annotations

import pytest

from heaven_core.schema.codec import MismatchError
from heaven_core.schema.msgspec_codec import read_message
from heaven_core.schema.pydantic_codec import json_path


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        ("Expected `int`, got `str`", "$", "Expected `int`, got `str`"),
        ("Expected `int`, got `str` - at `$.age`", "$.age", "Expected `int`, got `str`"),
        ("Expected `int`, got `str` - at `$.a[0][...].b`", "$.a[0][...].b", "Expected `int`, got `str`"),
        ("Expected `int`, got `str` - at `key` in `$.a`", "$.a", "Expected `int`, got `str`, as a key"),
        ("not - at `home` - at `$.a`", "$.a", "not - at `home`"),
    ],
)
def test_a_message_of_msgspec_is_read_to_path_and_message(text: str, path: str, message: str) -> None:
    assert read_message(ValueError(text)).problems == [{"path": path, "message": message}]


def test_problems_of_a_model_inside_have_its_path_before_theirs() -> None:
    error = ValueError("something of pydantic - at `$.users[0]`")
    error.__cause__ = MismatchError([{"path": "$", "message": "a"}, {"path": "$.age", "message": "b"}])
    assert read_message(error).problems == [
        {"path": "$.users[0]", "message": "a"},
        {"path": "$.users[0].age", "message": "b"},
    ]


def test_a_mismatch_says_all_of_its_problems() -> None:
    problems = [{"path": "$.a", "message": "too long"}, {"path": "$.b", "message": "missing"}]
    assert str(MismatchError(problems)) == "$.a: too long; $.b: missing"


def test_a_path_has_dots_for_names_and_brackets_for_the_rest() -> None:
    assert json_path(()) == "$"
    assert json_path(("items", 3, "odd name")) == "$.items[3]['odd name']"
