"""Arguments of the wrong type are refused by name."""

from __future__ import annotations

from enum import IntEnum

import pytest

from heaven_core._checks import check_int, check_str


def test_a_str_passes() -> None:
    assert check_str("a name", "x") == "x"


def test_a_str_of_another_type_is_refused_by_what_it_was_for() -> None:
    with pytest.raises(TypeError, match="a name must be str, not bytes: b'x'"):
        check_str("a name", b"x")


class Level(IntEnum):
    HIGH = 3


@pytest.mark.parametrize("value", [0, -5, Level.HIGH])
def test_an_int_passes(value: int) -> None:
    assert check_int("a number", value) == value


@pytest.mark.parametrize("value", [True, 1.0, "1", None])
def test_no_int_is_refused_and_a_bool_is_none(value: object) -> None:
    with pytest.raises(TypeError, match=f"a number must be int, not {type(value).__name__}"):
        check_int("a number", value)
