"""Schemas: what comes in fits, and what is not declared never leaves."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Annotated, Any, Generic, Literal, NamedTuple, NotRequired, TypeVar
from uuid import UUID

import attrs
import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import TypedDict

from heaven_core.errors import BadRequest, UnprocessableContent, UnsupportedMediaType
from heaven_core.http.json_codec import encode_json
from heaven_core.schema.schema import Schema

SECRET = "hunter2"


@dataclass
class User:
    name: str
    age: int = 0


@dataclass
class FullUser(User):
    password: str = SECRET


class UserStruct(msgspec.Struct):
    name: str
    age: int = 0


class FullStruct(UserStruct):
    password: str = SECRET


class Tagged(msgspec.Struct, rename="camel", omit_defaults=True, tag="user"):
    user_name: str
    the_age: int = 0


class OtherTagged(msgspec.Struct, tag="other"):
    size: int


class Row(msgspec.Struct, array_like=True):
    name: str
    age: int


class FullRow(Row):
    password: str = SECRET


class UserDict(TypedDict):
    name: str
    age: NotRequired[int]


class UserTuple(NamedTuple):
    name: str
    age: int


@attrs.define
class UserAttrs:
    name: str
    age: int = 0


@attrs.define
class FullAttrs(UserAttrs):
    password: str = SECRET


class UserModel(pydantic.BaseModel):
    name: str
    age: int = 0


class FullModel(UserModel):
    password: str = SECRET


class OtherModel(pydantic.BaseModel):
    name: str = "o"
    age: int = 0
    password: str = SECRET


class Aliased(pydantic.BaseModel):
    user_name: str = pydantic.Field(alias="userName")
    token: str = pydantic.Field(default=SECRET, exclude=True)


class Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True)
    day: date


class Positive(pydantic.BaseModel):
    number: float

    @pydantic.field_validator("number")
    @classmethod
    def check(cls, value: float) -> float:
        if value < 0:
            raise ValueError("must be positive")
        return value


@pydantic.dataclasses.dataclass
class PydanticUser:
    name: str


class Holder(pydantic.BaseModel):
    one: UserModel
    many: list[UserModel] = []
    named: dict[str, UserModel] = {}
    choice: UserModel | int | None = None


class Chain(pydantic.BaseModel):
    next: Chain | None = None


class Colour(StrEnum):
    RED = "red"


class Level(Enum):
    HIGH = 1


class Text(str):
    __slots__ = ()


class Whole(int):
    pass


class Real(float):
    pass


@dataclass
class Team:
    members: list[User]
    by_name: dict[str, UserStruct]
    lead: User | None = None
    _note: str = "n"


@dataclass
class Mixed:
    """Read by msgspec, which asks pydantic for the model inside."""

    model: UserModel
    models: list[UserModel] = field(default_factory=list[UserModel])
    anything: object = None


@dataclass
class Node:
    value: int
    child: Node | None = None


V = TypeVar("V")


class Box(msgspec.Struct, Generic[V]):
    content: V


def sent(returns: object, value: object) -> object:
    """What a client reads."""
    return json.loads(Schema(returns=returns).encode(value))


# The way out: the filter

ANN = {"name": "Ann", "age": 3}


@pytest.mark.parametrize("returns", [User, UserStruct, UserAttrs, UserDict, UserModel, PydanticUser])
@pytest.mark.parametrize(
    "value",
    [
        {"name": "Ann", "age": 3, "password": SECRET},
        FullUser("Ann", 3),
        FullStruct("Ann", 3),
        FullAttrs("Ann", 3),
        FullModel(name="Ann", age=3),
        OtherModel(name="Ann", age=3),
    ],
    ids=["dict", "dataclass", "Struct", "attrs", "model", "other model"],
)
def test_a_field_that_is_not_in_the_schema_never_leaves(returns: object, value: object) -> None:
    """SPEC: `returns` filters, whichever way the body was set."""
    schema = Schema(returns=returns)
    try:
        body = schema.encode(value)
    except TypeError:
        assert returns is PydanticUser  # which takes nothing but a dict or an instance
        return
    assert json.loads(body) == ({"name": "Ann"} if returns is PydanticUser else ANN)
    assert SECRET.encode() not in body


@pytest.mark.parametrize(
    ("returns", "value", "expected"),
    [
        (list[User], [FullUser("a"), FullUser("b")], [{"name": "a", "age": 0}, {"name": "b", "age": 0}]),
        (list[User], (FullUser("a"),), [{"name": "a", "age": 0}]),
        (dict[str, User], {"x": FullUser("a")}, {"x": {"name": "a", "age": 0}}),
        (dict[UUID, User], {UUID(int=1): FullUser("a")}, {str(UUID(int=1)): {"name": "a", "age": 0}}),
        (dict[int, UserStruct], {1: FullStruct("a")}, {"1": {"name": "a", "age": 0}}),
        (tuple[User, ...], [FullUser("a")], [{"name": "a", "age": 0}]),
        (User | None, FullUser("a"), {"name": "a", "age": 0}),
        (User | int, FullUser("a"), {"name": "a", "age": 0}),
        (User | int, 5, 5),
        (User | list[int], [5], [5]),
        (Annotated[User, "a note"], FullUser("a"), {"name": "a", "age": 0}),
        (Box[User], {"content": FullUser("a")}, {"content": {"name": "a", "age": 0}}),
        (list[UserModel], [FullModel(name="a"), OtherModel()], [{"name": "a", "age": 0}, {"name": "o", "age": 0}]),
        (dict[str, UserModel], {"x": FullModel(name="a")}, {"x": {"name": "a", "age": 0}}),
        (UserModel | None, FullModel(name="a"), {"name": "a", "age": 0}),
        (UserModel | Aliased, FullModel(name="a"), {"name": "a", "age": 0}),
        (Annotated[UserModel, "a note"], FullModel(name="a"), {"name": "a", "age": 0}),
    ],
)
def test_containers_and_unions_are_filtered(returns: object, value: object, expected: object) -> None:
    assert sent(returns, value) == expected


def test_a_nested_value_is_filtered_too() -> None:
    """Every declared field goes out, a private one as well: the declaration decides, not its name."""
    team = Team([FullUser("a")], {"b": FullStruct("b")}, FullUser("c"))
    expected = {
        "members": [{"name": "a", "age": 0}],
        "by_name": {"b": {"name": "b", "age": 0}},
        "lead": {"name": "c", "age": 0},
        "_note": "n",
    }
    assert sent(Team, team) == expected
    as_dict = {"members": [{"name": "a", "x": 1}], "by_name": {"b": FullUser("b")}, "lead": FullAttrs("c"), "y": 1}
    assert sent(Team, as_dict) == expected
    assert sent(list[Node], [Node(1, Node(2))]) == [{"value": 1, "child": {"value": 2, "child": None}}]


@dataclass(frozen=True)
class Defaults:
    number: int
    plain: int = 1
    made: list[User] = field(default_factory=lambda: [User("d")])
    fixed: str = field(init=False, default="f")


@dataclass(slots=True)
class SlimDefaults:
    number: int
    plain: int = 1


@attrs.define
class AttrsBox:
    content: Defaults


class Outer(msgspec.Struct):
    box: AttrsBox
    slim: SlimDefaults
    pairs: dict[str, tuple[Defaults, int]]


def test_a_default_goes_out_where_the_body_says_nothing() -> None:
    """However deep the dataclass is; msgspec alone would leave it to the class, and out."""
    value = {"box": {"content": {"number": 1}}, "slim": {"number": 2}, "pairs": {"a": [{"number": 3, "plain": 4}, 5]}}
    made = {"made": [{"name": "d", "age": 0}], "fixed": "f"}
    assert sent(Outer, value) == {
        "box": {"content": {"number": 1, "plain": 1, **made}},
        "slim": {"number": 2, "plain": 1},
        "pairs": {"a": [{"number": 3, "plain": 4, **made}, 5]},
    }
    assert sent(User, {"name": "a"}) == {"name": "a", "age": 0} == sent(User, User("a"))


def test_a_struct_goes_out_as_it_is_declared() -> None:
    """Renamed, its defaults left out, tagged, or as an array."""
    assert sent(Tagged, Tagged("a")) == {"type": "user", "userName": "a"}
    assert sent(Tagged | OtherTagged, Tagged("a", 5)) == {"type": "user", "userName": "a", "theAge": 5}
    assert sent(Tagged | OtherTagged, OtherTagged(1)) == {"type": "other", "size": 1}
    assert sent(Tagged, {"userName": "a", "password": SECRET}) == {"type": "user", "userName": "a"}
    assert sent(Row, FullRow("a", 1)) == ["a", 1]


def test_a_named_tuple_goes_out_as_an_array() -> None:
    assert sent(UserTuple, UserTuple("a", 1)) == ["a", 1]


def test_a_model_goes_out_by_its_aliases_and_without_what_it_excludes() -> None:
    assert sent(Aliased, Aliased(userName="a")) == {"userName": "a"}
    assert sent(Aliased, {"userName": "a", "token": SECRET}) == {"userName": "a"}


def set_one(value: object) -> Holder:
    holder = Holder(one=UserModel(name="a"))
    vars(holder)["one"] = value
    return holder


def test_a_model_inside_a_model_is_filtered_though_pydantic_did_not_check_it() -> None:
    """An instance may be changed after its validation, and pydantic serializes what it finds."""
    held = Holder(one=FullModel(name="a"), many=[FullModel(name="b")], named={"c": FullModel(name="c")})
    held.choice = FullModel(name="d")
    expected = {"name": "a", "age": 0}
    assert sent(Holder, held) == {
        "one": expected,
        "many": [{"name": "b", "age": 0}],
        "named": {"c": {"name": "c", "age": 0}},
        "choice": {"name": "d", "age": 0},
    }
    for odd in ({"name": "a", "password": SECRET}, OtherModel(name="a"), FullUser("a"), SECRET, [SECRET]):
        try:
            body = Schema(returns=Holder).encode(set_one(odd))
        except TypeError:
            continue
        assert json.loads(body)["one"] == expected


def test_a_model_inside_a_dataclass_is_filtered() -> None:
    value = {"model": FullModel(name="a"), "models": [{"name": "b", "password": SECRET}], "extra": 1}
    assert sent(Mixed, value) == {
        "model": {"name": "a", "age": 0},
        "models": [{"name": "b", "age": 0}],
        "anything": None,
    }
    assert sent(Mixed, Mixed(UserModel(name="a"), anything=[1])) == {
        "model": {"name": "a", "age": 0},
        "models": [],
        "anything": [1],
    }


def test_a_model_and_a_struct_in_one_type_are_filtered() -> None:
    """Pydantic does not know Structs; msgspec asks it for the models."""
    both = tuple[UserModel, UserStruct]
    assert sent(both, (FullModel(name="a"), FullStruct("b"))) == [{"name": "a", "age": 0}, {"name": "b", "age": 0}]


def test_a_value_declared_as_anything_passes() -> None:
    assert sent(dict[str, Any], {"a": FullUser("a")}) == {"a": {"name": "a", "age": 0, "password": SECRET}}
    assert sent(Mixed, {"model": UserModel(name="a"), "anything": {"b": FullStruct("c")}}) == {
        "model": {"name": "a", "age": 0},
        "models": [],
        "anything": {"b": {"name": "c", "age": 0, "password": SECRET}},
    }


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcn"), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["name", "age", "password", "x"]), JSON_VALUES), st.booleans())
def test_no_dict_gets_an_undeclared_field_past_the_filter(value: dict[str, object], in_list: bool) -> None:
    for returns in (User, UserStruct, UserAttrs, UserDict, UserModel):
        schema = Schema(returns=list[returns] if in_list else returns)  # type: ignore[valid-type]
        try:
            found = json.loads(schema.encode([value] if in_list else value))
        except TypeError:
            continue
        assert set(found[0] if in_list else found) <= {"name", "age"}


# The way out, written as encode_json writes

AT = datetime(2024, 2, 29, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("returns", "value"),
    [
        (datetime, AT),
        (date, AT.date()),
        (UUID, UUID(int=7)),
        (Decimal, Decimal("1.50")),
        (Level, Level.HIGH),
        (Colour, Colour.RED),
        (list[float], [1e16, 0.1]),
        (set[int], {7}),
        (frozenset[str], frozenset(["é"])),
        (dict[date, str], {AT.date(): "日本"}),
        (int | None, None),
    ],
)
def test_the_bytes_are_those_of_a_body_without_a_schema(returns: object, value: object) -> None:
    schema = Schema(returns=returns)
    assert schema.encode(value) == encode_json(value)
    assert schema.content_type == "application/json"


def test_a_value_that_only_a_schema_can_write_is_written_as_msgspec_writes_it() -> None:
    assert sent(list[timedelta], [timedelta(days=1)]) == ["P1D"]
    assert sent(dict[str, bytes], {"a": b"\0\1"}) == {"a": "AAE="}


def test_subclasses_of_text_and_numbers_are_text_and_numbers() -> None:
    """Markup strings, quoted names, numbers of other libraries."""
    value = [Text("a"), Whole(1), Real(1.5)]
    assert Schema(returns=list[str | int | float]).encode(value) == b'["a",1,1.5]'
    assert Schema(returns=list[UserModel]).encode_any(value) == b'["a",1,1.5]'


def test_a_number_fits_where_it_loses_nothing() -> None:
    assert sent(list[float], [1, Decimal("1.5")]) == [1.0, 1.5]


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
@pytest.mark.parametrize("returns", [dict[str, float], dict[str, Positive | float], Mixed])
def test_nan_and_the_infinities_are_refused_with_their_path(returns: object, number: float) -> None:
    """RFC 8259 §6: JSON has no word for them."""
    value = {"model": {"name": "a"}, "anything": number} if returns is Mixed else {"anything": number}
    with pytest.raises(TypeError, match=r"\$\.anything is (nan|inf)"):
        Schema(returns=returns).encode(value)


def test_text_and_bytes_go_out_as_they_are_where_the_schema_is_text_or_bytes() -> None:
    text, binary = Schema(returns=str), Schema(returns=bytes)
    assert text.encode("é") == "é".encode()
    assert text.content_type == "text/plain; charset=utf-8"
    assert [binary.encode(value) for value in (b"a", bytearray(b"a"), memoryview(b"a"))] == [b"a"] * 3
    assert binary.content_type == "application/octet-stream"


# The way out is closed


@pytest.mark.parametrize("value", ["text", b"bytes", bytearray(b"bytes"), memoryview(b"bytes")])
@pytest.mark.parametrize("returns", [User, UserModel, str | None, Literal["text"], Any])
def test_text_and_bytes_cannot_be_filtered(returns: object, value: object) -> None:
    """SPEC: a 2xx body that can't be filtered is a `TypeError` unless the schema is `bytes` or `str`."""
    with pytest.raises(TypeError, match="can't be filtered by the schema"):
        Schema(returns=returns).encode(value)


@pytest.mark.parametrize(("returns", "value"), [(str, b"a"), (bytes, "a"), (str, {"a": 1}), (bytes, User("a"))])
def test_text_and_bytes_are_no_substitute_for_each_other(returns: object, value: object) -> None:
    with pytest.raises(TypeError, match="can't be filtered by the schema"):
        Schema(returns=returns).encode(value)


@pytest.mark.parametrize(
    ("returns", "value", "message"),
    [
        (User, {"age": 1}, r"dict does not fit .*User.*: \$: Object missing required field `name`"),
        (User, User("a", "b"), r"User does not fit .*: \$\.age: Expected `int`, got `str`"),  # type: ignore[arg-type]
        (list[User], [User("a"), {}], r"list does not fit .*: \$\[1\]: Object missing"),
        (dict[str, str], {"a": b"b"}, r"\$\[\.\.\.\]: Expected `str`, got `bytes`"),
        (dict[str, str], {"a": memoryview(b"b")}, "Expected `str`, got `bytes`"),
        (dict[str, int], {1: 1}, r"\$: Expected `str`, got `int`, as a key"),
        (UserTuple, ("a", 1, SECRET), "Expected `array` of length 2, got 3"),
        (User, object(), "type object is nothing that a schema can write"),
        (list[Any], [object()], "type object is nothing that a schema can write"),
        (UserModel, {"age": "x"}, r"dict does not fit .*: \$\.name: Field required; \$\.age: Input should be a valid"),
        (list[UserModel], [3], r"\$\[0\]: Input should be"),
        (UserModel, object(), r"object does not fit"),
        (Mixed, {"model": {"age": "x"}}, r"\$\.model\.name: Field required; \$\.model\.age: Input"),
        (Mixed, {"model": {"name": "a", "age": float("nan")}}, r"\$\.age is nan"),
        (Mixed, Mixed(set_one(SECRET)), "serializer warnings"),  # type: ignore[arg-type]
    ],
)
def test_a_body_that_does_not_fit_is_a_type_error_that_says_where(returns: object, value: object, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        Schema(returns=returns).encode(value)


def test_an_object_inside_itself_is_a_type_error() -> None:
    circle: list[object] = []
    circle.append(circle)
    model = Chain()
    model.next = model
    cases: list[tuple[object, object]] = [(Any, circle), (list[UserModel], circle), (Chain, model)]
    for returns, value in cases:
        with pytest.raises(TypeError):
            Schema(returns=returns).encode(value)
    with pytest.raises(TypeError, match="nested too deeply for JSON, or inside itself"):
        Schema(returns=list[Any]).encode(circle)


def test_an_object_that_only_looks_like_a_model_is_refused() -> None:
    class Lookalike:
        __pydantic_validator__ = None

    with pytest.raises(TypeError, match="type Lookalike is nothing that a schema can write"):
        Schema(returns=User).encode(Lookalike())

    @dataclass
    class Outer:
        inner: Lookalike

    Outer.__annotations__["inner"] = Lookalike
    with pytest.raises(UnprocessableContent):
        Schema(expects=Outer).decode(b'{"inner":{}}', "application/json")


# What may be assigned


@pytest.mark.parametrize("returns", [User, UserModel, list[User], Any])
def test_a_body_of_a_type_that_the_encoder_knows_is_taken(returns: object) -> None:
    schema = Schema(returns=returns)
    values: list[object] = [
        User("a"), UserStruct("a"), UserAttrs("a"), UserModel(name="a"), PydanticUser("a"), UserTuple("a", 1),
        {}, [], (), set[int](), frozenset[int](), 1, 1.5, True, None, "a", b"a", bytearray(), memoryview(b""),
        AT, AT.date(), AT.time(), timedelta(1), UUID(int=1), Decimal(1), Level.HIGH,
    ]  # fmt: skip
    assert [value for value in values if not schema.takes(value)] == []


@pytest.mark.parametrize("value", [object(), User, UserStruct, UserModel, iter([1]), range(3), open, ValueError("a")])
def test_any_other_body_is_not_taken(value: object) -> None:
    assert not Schema(returns=User).takes(value)


def test_without_returns_nothing_is_taken() -> None:
    assert not Schema(expects=User).takes(User("a"))


# The way out without a filter


@pytest.mark.parametrize("returns", [User, UserModel])
def test_a_body_of_another_status_is_encoded_whole(returns: object) -> None:
    """SPEC filters 2xx bodies: an error has a shape of its own."""
    schema = Schema(returns=returns)
    assert json.loads(schema.encode_any({"problem": FullUser("a")})) == {
        "problem": {"name": "a", "age": 0, "password": SECRET}
    }
    assert json.loads(schema.encode_any(FullModel(name="a"))) == {"name": "a", "age": 0, "password": SECRET}
    with pytest.raises(TypeError):
        schema.encode_any(object())


def test_a_body_of_another_status_needs_no_library_where_the_schema_is_text() -> None:
    assert Schema(returns=str).encode_any(User("a")) == b'{"name":"a","age":0}'


# The way in


@pytest.mark.parametrize(
    ("expects", "body", "value"),
    [
        (User, b'{"name": "a", "age": 1, "more": 2}', User("a", 1)),
        (UserStruct, b'{"name": "a"}', UserStruct("a")),
        (UserAttrs, b'{"name": "a"}', UserAttrs("a")),
        (UserDict, b'{"name": "a", "more": 2}', {"name": "a"}),
        (UserTuple, b'["a", 1]', UserTuple("a", 1)),
        (Tagged, b'{"userName": "a"}', Tagged("a")),
        (list[User] | None, b'[{"name": "a"}]', [User("a")]),
        (dict[str, int], b'{"a": 1}', {"a": 1}),
        (datetime, b'"2024-02-29T12:00:00Z"', AT),
        (Any, b"[1]", [1]),
        (object, b"[1]", [1]),
        (UserModel, b'{"name": "a", "age": "1"}', UserModel(name="a", age=1)),
        (list[UserModel], b'[{"name": "a"}]', [UserModel(name="a")]),
        (UserModel | int, b"5", 5),
        (PydanticUser, b'{"name": "a"}', PydanticUser("a")),
        (Aliased, b'{"userName": "NaN, Infinity"}', Aliased(userName="NaN, Infinity")),
        (Strict, b'{"day": "2024-02-29"}', Strict(day=AT.date())),
        (
            tuple[Strict, UserStruct],
            b'[{"day":"2024-02-29"},{"name":"a"}]',
            (Strict(day=AT.date()), UserStruct("a")),
        ),
        (Mixed, b'{"model": {"name": "a"}, "anything": 1}', Mixed(UserModel(name="a"), [], 1)),
    ],
)
def test_a_body_is_decoded_to_what_is_expected(expects: object, body: bytes, value: object) -> None:
    assert Schema(expects=expects).decode(body, "application/json") == value


@pytest.mark.parametrize(
    ("expects", "body", "problems"),
    [
        (User, b'{"name": "a", "age": "x"}', [("$.age", "Expected `int`, got `str`")]),
        (User, b"{}", [("$", "Object missing required field `name`")]),
        (User, b"[]", [("$", "Expected `object`, got `array`")]),
        (Team, b'{"members": [{"name": 1}], "by_name": {}}', [("$.members[0].name", "Expected `str`, got `int`")]),
        (dict[str, int], b'{"a": "b"}', [("$[...]", "Expected `int`, got `str`")]),
        (dict[int, int], b'{"a": 1}', [("$", "Expected `int`, got `str`, as a key")]),
        (UserModel, b'{"age": "x"}', [("$.name", "Field required"), ("$.age", "Input should be a valid integer, ")]),
        (dict[str, list[Positive]], b'{"two words": [{"number": -1}]}',
         [("$['two words'][0].number", "Value error, must be positive")]),
        (Mixed, b'{"model": {"age": "x"}}',
         [("$.model.name", "Field required"), ("$.model.age", "Input should be a valid integer, ")]),
    ],
)  # fmt: skip
def test_json_that_does_not_fit_is_422_with_paths_and_messages(
    expects: object, body: bytes, problems: list[tuple[str, str]]
) -> None:
    """RFC 9110 §15.5.21."""
    with pytest.raises(UnprocessableContent) as caught:
        Schema(expects=expects).decode(body, "application/json")
    assert caught.value.status == 422
    found = [(problem["path"], problem["message"]) for problem in caught.value.problems]
    assert [path for path, _ in found] == [path for path, _ in problems]
    for (_, message), (_, start) in zip(found, problems, strict=True):
        assert message.startswith(start)


@pytest.mark.parametrize("expects", [UserModel, Mixed, User])
def test_a_problem_does_not_repeat_what_the_client_sent(expects: object) -> None:
    body = encode_json({"name": [SECRET], "age": [SECRET], "model": {"name": [SECRET], "age": SECRET}})
    with pytest.raises(UnprocessableContent) as caught:
        Schema(expects=expects).decode(body, "application/json")
    assert SECRET not in f"{caught.value} {caught.value.problems}"


def shortened(body: bytes) -> str:
    return repr(body[:24])


@pytest.mark.parametrize("expects", [User, UserModel, list[Any], list[UserModel], Any])
@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"{", b"{]", b'{"name": 1', b'{"age": "x"} x', b"NaN", b"[Infinity]",
        b'{"name": -Infinity, "a": NaN}',
        b'"\xff"', b"\xef\xbb\xbf[]", b"\xff\xfe[\0]\0", b"'a'", b"[" * 100_000, b"[" * 100_000 + b"NaN",
        b'{"name": ' + b"[" * 100_000,
    ],
    ids=shortened,
)  # fmt: skip
def test_a_body_that_is_no_json_is_400(expects: object, body: bytes) -> None:
    """RFC 8259 §2, §8.1, §9; also where a value before the mistake would not have fitted."""
    with pytest.raises(BadRequest) as caught:
        Schema(expects=expects).decode(body, "application/json")
    assert caught.value.status == 400


def test_another_media_type_is_415() -> None:
    schema = Schema(expects=User)
    for body, content_type in ((b"{}", "text/plain"), (b"", "text/plain"), (b"{}", None)):
        with pytest.raises(UnsupportedMediaType):
            schema.decode(body, content_type)
    assert schema.decode(b'{"name": "a"}', "application/merge-patch+json; charset=UTF-8") == User("a")


def test_no_body_needs_no_content_type_to_be_400() -> None:
    with pytest.raises(BadRequest, match="the body is empty"):
        Schema(expects=User).decode(b"", None)


def test_no_body_is_decoded_without_expects() -> None:
    with pytest.raises(TypeError, match="no expects="):
        Schema(returns=User).decode(b"{}", "application/json")


# Registration


class Undefined(pydantic.BaseModel):
    other: Nowhere  # type: ignore[name-defined]  # noqa: F821  # pyright: ignore[reportUndefinedVariable]


@dataclass
class UndefinedField:
    other: Nowhere  # type: ignore[name-defined]  # noqa: F821  # pyright: ignore[reportUndefinedVariable]


@dataclass
class Odd:
    parts: list[complex]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (3, "Type '3' is not supported"),
        ("User", "is not supported"),
        (complex, "knows how to read <class 'complex'>"),
        (list[Odd], "knows how to read <class 'complex'>"),
        (Iterable[int], "knows how to read"),
        (User | UserStruct, "more than one dict-like type"),
        (UserModel | UserStruct, "is not supported"),
        (Undefined, "Nowhere"),
        (UndefinedField, "Nowhere"),
    ],
)
def test_a_type_that_cannot_be_a_schema_is_refused_when_it_is_registered(kind: object, message: str) -> None:
    with pytest.raises(TypeError, match=f"expects=.* can't be a schema: .*{message}"):
        Schema(expects=kind)
    with pytest.raises(TypeError, match=f"returns=.* can't be a schema: .*{message}"):
        Schema(returns=kind)


def test_a_schema_remembers_its_types() -> None:
    schema = Schema(User, UserStruct)
    assert (schema.expects, schema.returns) == (User, UserStruct)


def test_without_msgspec_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "msgspec", None)
    with pytest.raises(ImportError, match=r'needs msgspec: pip install "heaven-core\[schema\]"'):
        Schema(expects=User)


def test_without_msgspec_models_and_text_still_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "msgspec", None)
    schema = Schema(expects=UserModel, returns=list[UserModel])
    assert schema.decode(b'{"name": "a"}', "application/json") == UserModel(name="a")
    assert schema.encode([FullModel(name="a")]) == b'[{"name":"a","age":0}]'
    assert Schema(returns=str).encode("a") == b"a"


def test_without_pydantic_everything_else_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydantic", None)
    schema = Schema(expects=dict[str, object], returns=User)
    assert schema.decode(b'{"name": "a"}', "application/json") == {"name": "a"}
    assert schema.encode(FullUser("a")) == b'{"name":"a","age":0}'
