"""Text and JSON as bytes: RFC 8259, RFC 3629, and msgspec for the types that JSON has no word for."""

from __future__ import annotations

import dataclasses
import enum
import json
import sys
from collections import Counter, OrderedDict
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from types import MappingProxyType
from typing import NamedTuple
from uuid import UUID

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from heaven_core._typing import override
from heaven_core.http.cookies import parse_cookies
from heaven_core.http.json_codec import _make_encoder, encode_json  # pyright: ignore[reportPrivateUsage]
from heaven_core.http.text_codec import encode_text


class Colour(enum.Enum):
    RED = "red"
    NUMBER = 7
    PAIR = (1, 2)
    DAY = date(2024, 2, 29)


class Size(enum.IntEnum):
    LARGE = 3


class Word(enum.StrEnum):
    YES = "yes"


class Bits(enum.Flag):
    ONE = 1
    TWO = 2


@dataclasses.dataclass
class Point:
    x: object
    y: object = None
    _hidden: int = 5


@dataclasses.dataclass(slots=True)
class Slim:
    name: object


class Pair(NamedTuple):
    first: object
    second: object


# Offsets up to the last that an RFC 3339 time can carry, rounded: see the test of that rounding.
OFFSETS = st.integers(-86370, 86370).map(lambda seconds: timezone(timedelta(seconds=seconds)))
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.datetimes()
    | st.datetimes(timezones=st.just(UTC) | OFFSETS)
    | st.dates()
    | st.uuids()
    | st.decimals()
    | st.sampled_from([*Colour, *Size, *Word, *Bits])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), inner, max_size=4)
        | st.builds(Point, inner, inner)
        | st.builds(Slim, inner)
        | st.tuples(inner, inner).map(lambda items: Pair(*items))
        | st.sets(st.integers(0, 99), max_size=4)
        | st.frozensets(st.text("abc", max_size=3), max_size=4)
    ),
    max_leaves=12,
)
KEYS = (
    st.text('abc\u00e9"', max_size=3)
    | st.integers(-99, 99)
    | st.dates()
    | st.datetimes()
    | st.uuids()
    | st.decimals(allow_nan=False)
    | st.sampled_from([Colour.RED, Colour.NUMBER, Colour.DAY, *Size, *Word])
)


# The same as msgspec


@given(VALUES)
def test_everything_but_floats_is_written_as_msgspec_writes_it(value: object) -> None:
    """SPEC: `datetime`, `date`, `UUID`, `Decimal`, `Enum`, dataclasses, tuples and sets, as msgspec writes them."""
    assert encode_json(value) == msgspec.json.encode(value)


@given(st.dictionaries(KEYS, st.integers(0, 9), max_size=5))
def test_keys_are_written_as_msgspec_writes_them(value: dict[object, int]) -> None:
    # Two keys that are written alike, such as 7 and an Enum of it, are one key here, and two in msgspec's text.
    assume(len(json.loads(msgspec.json.encode(value))) == len(value))
    assert encode_json(value) == msgspec.json.encode(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_is_the_same_number_again(value: float) -> None:
    """Its spelling is the standard library's: 1e+16, where msgspec writes 1e16."""
    assert json.loads(encode_json([value])) == [value]
    assert msgspec.json.decode(encode_json(value), type=float) == value


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(30, "Z"), (31, "+00:01"), (-30, "Z"), (-31, "-00:01"), (1172, "+00:20"), (19800, "+05:30"), (-18000, "-05:00")],
)
def test_an_offset_with_seconds_is_rounded_to_minutes(seconds: int, written: str) -> None:
    """RFC 3339 §5.6: time-numoffset has hours and minutes."""
    value = datetime(1900, 1, 1, tzinfo=timezone(timedelta(seconds=seconds)))
    assert encode_json(value) == f'"1900-01-01T00:00:00{written}"'.encode() == msgspec.json.encode(value)


@pytest.mark.parametrize(("seconds", "written"), [(86399, "+23:59"), (-86399, "-23:59")])
def test_an_offset_is_never_rounded_to_a_whole_day(seconds: int, written: str) -> None:
    """Msgspec writes Z here, which is a day away."""
    value = datetime(1900, 1, 2, tzinfo=timezone(timedelta(seconds=seconds)))
    assert encode_json(value) == f'"1900-01-02T00:00:00{written}"'.encode()


def test_a_dataclass_is_its_declared_fields_that_are_set() -> None:
    """An attribute that nobody declared stays inside."""
    value = Point(1)
    vars(value)["extra"] = "inside"
    assert encode_json(value) == b'{"x":1,"y":null,"_hidden":5}' == msgspec.json.encode(value)
    del value.x
    assert encode_json(value) == b'{"y":null,"_hidden":5}' == msgspec.json.encode(value)
    assert encode_json(Slim.__new__(Slim)) == b"{}"


# The same as the standard library


def test_json_is_compact_and_in_utf_8() -> None:
    assert (
        encode_json({"a": [1, "é", "日本", "\u2028"], "b": None}) == '{"a":[1,"é","日本","\u2028"],"b":null}'.encode()
    )


def test_keys_and_subclasses_are_what_the_standard_library_makes_of_them() -> None:
    value = {7: "a", 1.5: "b", True: "c", None: "d"}
    assert encode_json(value) == json.dumps(value, separators=(",", ":")).encode()
    assert encode_json({False: 1, None: OrderedDict({"a": Counter("b")})}) == b'{"false":1,"null":{"a":{"b":1}}}'


def test_keys_next_to_one_that_the_standard_library_refuses_are_written_the_same() -> None:
    value = {UUID(int=1): [1.5, (True, None)], "é": {Size.LARGE: {7}}, 2.5: Point("x"), None: 0, True: 1}
    assert (
        encode_json(value)
        == (
            '{"00000000-0000-0000-0000-000000000001":[1.5,[true,null]],"é":{"3":[7]},'
            '"2.5":{"x":"x","y":null,"_hidden":5},"null":0,"true":1}'
        ).encode()
    )


def test_the_portable_encoder_writes_the_same() -> None:
    """Where the standard library has no C encoder."""
    portable = _make_encoder(None)
    value = {"a": [1, Slim("é"), {"b": (Colour.DAY, 1.0)}], "c": ""}
    assert "".join(portable(value, 0)).encode() == encode_json(value)
    with pytest.raises(ValueError, match="Out of range float"):
        portable(float("nan"), 0)


# Refused, with the path


def circular_dict() -> object:
    value: dict[str, object] = {}
    value["a"] = [value]
    return value


def circular_dataclass() -> object:
    value = Slim(None)
    value.name = {"self": value}
    return value


class Unreadable(tzinfo):
    @override
    def utcoffset(self, when: datetime | None) -> timedelta | None:
        raise ValueError("no offset today")

    @override
    def dst(self, when: datetime | None) -> timedelta | None:
        return None

    @override
    def tzname(self, when: datetime | None) -> str | None:
        return None


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (object(), r"\$ is of type object"),
        ({"user": {"avatar": object()}}, r"\$\.user\.avatar is of type object, .*app\.schema"),
        ({"user": {"avatar": b"\x89PNG"}}, r"\$\.user\.avatar is of type bytes, .*base64"),
        ({"items": [0, 1, (2, {3: memoryview(b"")})]}, r"\$\.items\[2\]\[1\]\[3\] is of type memoryview"),
        ({"two words": {"\n": object()}}, r"\$\['two words'\]\['\\n'\] is of type object"),
        ([Point(Slim({Colour}))], r"\$\[0\]\.x\.name\[0\] is of type EnumType"),
        (Slim, r"\$ is of type type"),
        ([time(12)], r"\$\[0\] is of type time"),
        ([timedelta(1)], r"\$\[0\] is of type timedelta"),
        (iter([]), r"\$ is of type list_iterator"),
        ({"a": [float("nan")]}, r"\$\.a\[0\] is nan"),
        ({"a": float("inf")}, r"\$\.a is inf"),
        (Slim(float("-inf")), r"\$\.name is -inf"),
        ({float("nan"): 1}, r"a key of \$ is nan"),
        ({"a": {(1, 2): 1}}, r"a key of \$\.a is of type tuple"),
        ({"a": {b"b": 1}}, r"a key of \$\.a is of type bytes"),
        ({Colour.PAIR: 1}, r"a key of \$ is of type Colour"),
        ({"a": ["b\ud800"]}, r"\$\.a\[0\] has the lone surrogate U\+D800 at index 1"),
        ({"a": {"\udfff": 1}}, r"a key of \$\.a has the lone surrogate U\+DFFF at index 0"),
        ([[1, 10 ** (sys.get_int_max_str_digits() + 1)]], r"\$\[0\]\[1\] is an int with more digits"),
        (circular_dict(), r"\$\.a\[0\] is an object that it is itself a part of"),
        (circular_dataclass(), r"\$\.name\.self is an object that it is itself a part of"),
        (
            {"at": datetime(2024, 1, 1, tzinfo=Unreadable())},
            r"\$\.at, of type datetime, can't be read: no offset today",
        ),
    ],
)
def test_a_value_that_json_cannot_carry_is_refused_with_its_path(value: object, message: str) -> None:
    """RFC 8259 §6 for NaN and the infinities, §8.1 for what is no UTF-8."""
    with pytest.raises(TypeError, match=message):
        encode_json(value)


def nested(levels: int, inside: Callable[[object], object]) -> object:
    value: object = 1
    for _ in range(levels):
        value = inside(value)
    return value


def in_list(value: object) -> object:
    return [value]


@pytest.mark.parametrize("inside", [in_list, Slim])
def test_an_object_nested_too_deeply_is_a_type_error(inside: Callable[[object], object]) -> None:
    with pytest.raises(TypeError, match=r"\$ is nested too deeply"):
        encode_json(nested(100_000, inside))


def test_the_same_object_twice_is_no_circle() -> None:
    shared = {UUID(int=0): 1}
    text = b'{"00000000-0000-0000-0000-000000000000":1}'
    assert encode_json([shared, shared, {"a": shared}]) == b"[%b,%b," % (text, text) + b'{"a":%b}]' % text


# Text


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_text_is_utf_8(text: str) -> None:
    assert encode_text(text).decode("utf-8") == text


def test_a_lone_surrogate_in_text_is_refused() -> None:
    """RFC 3629 §3."""
    with pytest.raises(TypeError, match=r"the text has the lone surrogate U\+D83D at index 2"):
        encode_text("ab\ud83d")


def test_a_mapping_that_is_no_dict_is_an_object() -> None:
    """Such as `req.params` and `req.cookies`."""
    assert encode_json({"a": MappingProxyType({"b": (1,)}), "c": parse_cookies(["d=1"])}) == (
        b'{"a":{"b":[1]},"c":{"d":"1"}}'
    )
    with pytest.raises(TypeError, match=r"\$\.a\.b is nan"):
        encode_json({"a": MappingProxyType({"b": float("nan")})})
