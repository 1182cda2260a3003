"""Why a value does not fit: paths and messages."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated

import pytest
from pydantic import BaseModel, StringConstraints

from heaven_core.errors import BadRequest, UnprocessableContent
from heaven_core.schema.codec import MismatchError
from heaven_core.schema.msgspec_codec import read_message
from heaven_core.schema.pydantic_codec import json_path
from heaven_core.schema.schema import Schema


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


def test_of_many_problems_the_first_are_told_and_how_many_more_there_are() -> None:
    problems = [{"path": f"$[{number}]", "message": "no"} for number in range(60)]
    told = MismatchError(problems).problems
    assert told[:50] == problems[:50]
    assert told[50:] == [{"path": "$", "message": "and 10 more"}]
    assert MismatchError(problems[:50], more=5).problems[50:] == [{"path": "$", "message": "and 5 more"}]
    assert MismatchError(problems[:50]).problems == problems[:50]


def test_of_a_long_text_the_beginning_is_told() -> None:
    [told] = MismatchError([{"path": "$." + "a" * 300, "message": "b" * 200}]).problems
    assert (told["path"], told["message"]) == ("$." + "a" * 195 + "...", "b" * 200)


class Many(BaseModel):
    values: dict[str, list[int]]


class Inside(BaseModel):
    many: Many


@dataclass
class Around:
    inside: Inside


def problems_of(kind: type[object], body: object) -> list[dict[str, str]]:
    with pytest.raises(UnprocessableContent) as refused:
        Schema(kind).decode(json.dumps(body).encode(), "application/json")
    return refused.value.problems


@pytest.mark.parametrize("name", ["k" * 5000, '"' * 5000, "\\" * 5000, "ü" * 5000])
def test_a_long_name_over_many_values_makes_no_large_answer(name: str) -> None:
    bad = {"values": {name: ["x"] * 2000}}
    for kind, body in ((Many, bad), (Inside, {"many": bad}), (Around, {"inside": {"many": bad}})):
        told = problems_of(kind, body)
        assert len(told) == 51
        assert told[-1]["message"] == "and 1950 more"
        assert len(json.dumps(told)) < 50 * 2 * 1500


def test_a_long_name_that_fits_is_kept_whole() -> None:
    name = "k" * 5000
    decoded = Schema(Many).decode(json.dumps({"values": {name: [1]}}).encode(), "application/json")
    assert isinstance(decoded, Many)
    assert decoded.values == {name: [1]}


def test_a_long_name_that_does_not_fit_itself_is_told_once() -> None:
    class Short(BaseModel):
        values: dict[Annotated[str, StringConstraints(max_length=300)], int]

    for name in ("k" * 5000, "k" * 250):
        body = json.dumps({"values": {name: "x"}}).encode()
        with pytest.raises(UnprocessableContent):
            Schema(Short).decode(body, "application/json")


@pytest.mark.parametrize(
    "body", [b'{"' + b"k" * 300 + b'": [1}', b'{"' + b"k" * 300 + b"\\", b'"' + b"\\" * 301 + b'":']
)
def test_what_is_no_json_is_told_so_whatever_its_names(body: bytes) -> None:
    with pytest.raises(BadRequest, match="the body is no JSON"):
        Schema(Many).decode(body, "application/json")
