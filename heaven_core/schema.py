"""What a route takes and gives, as types: JSON checked on its way in, filtered on its way out.

The types are msgspec's (dataclass, TypedDict, Struct, attrs, and containers and unions of them) and pydantic's models;
a type that mentions a model is read and written by pydantic, with its aliases and validators. Neither library is
needed before a schema asks for it, so both are imported inside functions, in this module alone.

The filter rebuilds what a handler gave as the declared type, and that is what goes out: every declared field, one
called `_x` too, and no other, whether it came with a subclass, a `dict` or an object of another class. A rebuilt
object runs its `__post_init__` and validators. What is declared as `Any` or `object` is not filtered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from types import NoneType
from typing import Final, Protocol, TypeGuard, final, get_args
from uuid import UUID

from heaven_core.encoding import encode_json, encode_text
from heaven_core.errors import BadRequest, UnprocessableContent, UnsupportedMediaType
from heaven_core.pattern import Pattern

__all__ = ["Schema", "Schemas"]

_JSON: Final = "application/json"
_TEXT: Final = (str, bytes, bytearray, memoryview)
# What msgspec hands over as it is when asked to: a float field takes a Decimal, and a str field refuses bytes.
_NATIVE: Final = (bytes, bytearray, memoryview, datetime, date, time, timedelta, UUID, Decimal)
_TAKEN: Final = (str, int, float, NoneType, dict, list, tuple, set, frozenset, Enum, *_NATIVE)
_MODEL_MARK: Final = "__pydantic_validator__"
_CLASS_MARKS: Final = ("__struct_fields__", "__dataclass_fields__", "__attrs_attrs__", _MODEL_MARK)

_PARAMETER: Final = r"([!#$%&'*+.^_`|~\w-]+)=([!#$%&'*+.^_`|~\w-]+|\"(?:[^\"\\]|\\.)*\")"
_MEDIA_TYPE: Final = re.compile(
    r"(?:application/json|[!#$%&'*+.^_`|~\w-]+/[!#$%&'*+.^_`|~\w-]+\+json)"
    rf"[ \t]*((?:;[ \t]*(?:{_PARAMETER}[ \t]*)?)*)",
    re.ASCII | re.IGNORECASE | re.DOTALL,
)
_PARAMETERS: Final = re.compile(_PARAMETER, re.ASCII | re.DOTALL)


@final
class Schema:
    """The types of one route: `expects` for what comes in, `returns` for what goes out; `None`: not given.

    Raises `TypeError` for a type that can't be read or written, `ImportError` where its library is missing.
    `content_type` is that of what `encode` gives.
    """

    __slots__ = ("_codec", "_decoder", "content_type", "expects", "returns")

    def __init__(self, expects: object = None, returns: object = None) -> None:
        self.expects: Final = expects
        self.returns: Final = returns
        self._decoder: Final = None if expects is None else _make_codec("expects", expects)
        self._codec: Final = None if returns in (None, str, bytes) else _make_codec("returns", returns)
        self.content_type: Final = (
            "text/plain; charset=utf-8" if returns is str else "application/octet-stream" if returns is bytes else _JSON
        )

    def takes(self, value: object) -> bool:
        """Whether `encode` knows the type of `value`; what is inside, and whether it fits, shows only there."""
        if self.returns is None:
            return False
        return isinstance(value, _TAKEN) or (
            not isinstance(value, type) and any(hasattr(type(value), mark) for mark in _CLASS_MARKS)
        )

    def decode(self, body: bytes, content_type: str | None) -> object:
        """`body` as what the route expects.

        Taken are `application/json` and types that end in `+json` (RFC 6839 §3.1), their parameters ignored but for a
        charset other than UTF-8 (RFC 8259 §8.1). A body without Content-Type counts as `application/octet-stream`, as
        RFC 9110 §8.3 allows: a browser sends one to another origin without asking first.

        Raises `UnsupportedMediaType`, `BadRequest` for an empty body or what is no JSON, `UnprocessableContent` with
        the problems found; msgspec stops at the first, and writes `$[...]` for any value of a `dict`.
        """
        if self._decoder is None:
            raise TypeError("this schema has no expects=, so there is nothing to decode to")
        if content_type is not None or body:
            _check_media_type(content_type)
        if not body:
            raise BadRequest("the body is empty, and JSON was expected")
        try:
            return self._decoder.read(body)
        except _MismatchError as error:
            raise UnprocessableContent("the body does not fit what is expected", error.problems) from None

    def encode(self, value: object) -> bytes:
        """`value` filtered and encoded: JSON, or as it is where `returns` is `str` or `bytes`.

        Raises `TypeError` for what does not fit, for `str` and bytes where the schema is neither, and for what
        `encode_json` refuses.
        """
        if self.returns is str and isinstance(value, str):
            return encode_text(value)
        if self.returns is bytes and isinstance(value, (bytes, bytearray, memoryview)):
            return bytes(value)
        if self._codec is None or (isinstance(value, _TEXT) and not isinstance(value, Enum)):
            raise TypeError(f"{type(value).__name__} can't be filtered by the schema: it returns {self.returns!r}")
        try:
            return encode_json(self._codec.filter(value))
        except _MismatchError as error:
            found = "; ".join(f"{problem['path']}: {problem['message']}" for problem in error.problems)
            raise TypeError(f"{type(value).__name__} does not fit {self.returns!r}: {found}") from error

    def encode_any(self, value: object) -> bytes:
        """`value` as JSON and not filtered: the body of a response that is not 2xx. Raises `TypeError`."""
        return encode_json(value if self._codec is None else self._codec.plain(value))


@final
class Schemas:
    """The schemas of an app: `app.schema.POST("/users", expects=NewUser, returns=User)`, one for a route.

    Raises `ValueError` for a malformed pattern and for a second schema of the same route; else as `Schema` does.
    """

    __slots__ = ("_schemas",)

    def __init__(self) -> None:
        self._schemas: Final[dict[tuple[str, str], Schema]] = {}

    def GET(self, path: str, *, expects: object = None, returns: object = None) -> None:
        """The schema of the GET route, which answers HEAD too."""
        self._add("GET", path, expects, returns)

    def POST(self, path: str, *, expects: object = None, returns: object = None) -> None:
        """The schema of the POST route."""
        self._add("POST", path, expects, returns)

    def PUT(self, path: str, *, expects: object = None, returns: object = None) -> None:
        """The schema of the PUT route."""
        self._add("PUT", path, expects, returns)

    def PATCH(self, path: str, *, expects: object = None, returns: object = None) -> None:
        """The schema of the PATCH route."""
        self._add("PATCH", path, expects, returns)

    def DELETE(self, path: str, *, expects: object = None, returns: object = None) -> None:
        """The schema of the DELETE route."""
        self._add("DELETE", path, expects, returns)

    def OPTIONS(self, path: str, *, expects: object = None, returns: object = None) -> None:
        """The schema of the OPTIONS route."""
        self._add("OPTIONS", path, expects, returns)

    def find(self, method: str, path: str) -> Schema | None:
        """The schema of the route with this method and pattern, whatever its parameters are called."""
        return self._schemas.get((method, Pattern.parse(path).shape)) if self._schemas else None

    def _add(self, method: str, path: str, expects: object, returns: object) -> None:
        key = (method, Pattern.parse(path).shape)
        if path == "*":
            raise ValueError("the pattern '*' is for hooks: a schema belongs to one route")
        if key in self._schemas:
            raise ValueError(f"{method} {path} has a schema already: give expects= and returns= in one call")
        if expects is None and returns is None:
            raise ValueError(f"the schema of {method} {path} says nothing: give expects=, returns= or both")
        self._schemas[key] = Schema(expects, returns)


class _Codec(Protocol):
    def read(self, body: bytes) -> object: ...  # BadRequest, _MismatchError

    def filter(self, value: object) -> object: ...  # _MismatchError, TypeError; what encode_json takes

    def plain(self, value: object) -> object: ...  # TypeError; the same, not filtered


class _MismatchError(ValueError):
    def __init__(self, problems: list[dict[str, str]]) -> None:
        super().__init__(problems)
        self.problems = problems


def _check_media_type(content_type: str | None) -> None:
    if content_type is None:
        raise UnsupportedMediaType("the body has no Content-Type; application/json was expected")
    found = _MEDIA_TYPE.fullmatch(content_type.strip(" \t"))
    if found is None:
        raise UnsupportedMediaType(f"the Content-Type is {content_type!r}; application/json was expected")
    for name, value in _PARAMETERS.findall(found[1]):
        if name.lower() == "charset" and value.strip('"').lower() not in ("utf-8", "utf8"):
            raise UnsupportedMediaType(f"the charset is {value!r}; JSON is read as UTF-8")


def _make_codec(what: str, kind: object) -> _Codec:
    if _mentions_model(kind):
        try:
            return _PydanticCodec(kind)
        except RuntimeError:
            pass  # a Struct beside it, say: msgspec reads that, and asks pydantic for each model inside
        except NameError as error:
            raise TypeError(f"{what}={kind!r} can't be a schema: {error}") from error
    try:
        return _MsgspecCodec(kind)
    except ModuleNotFoundError as error:
        raise ImportError(f'{what}={kind!r} needs msgspec: pip install "heaven-core[schema]"') from error
    except (TypeError, ValueError, NameError, AttributeError) as error:
        raise TypeError(f"{what}={kind!r} can't be a schema: {error}") from error


def _mentions_model(kind: object) -> bool:
    if isinstance(kind, type) and hasattr(kind, _MODEL_MARK):
        return True
    return any(_mentions_model(part) for part in get_args(kind))


def _is_parts(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, tuple)


@final
class _MsgspecCodec:
    __slots__ = ("_builtins", "_convert", "_decode")

    def __init__(self, kind: object) -> None:
        import msgspec

        _check_custom_types(kind)
        self._decode: Callable[[bytes], object] = msgspec.json.Decoder(kind, dec_hook=_read_model).decode
        self._builtins: Callable[[object], object] = lambda value: msgspec.to_builtins(
            value, builtin_types=_NATIVE, enc_hook=_write_other
        )
        self._convert: Callable[[object], object] = lambda value: msgspec.convert(value, kind, dec_hook=_read_model)

    def read(self, body: bytes) -> object:
        import msgspec

        try:
            return self._decode(body)
        except RecursionError:
            raise BadRequest("the JSON is nested too deeply") from None
        except msgspec.ValidationError as error:
            mismatch = error
        except ValueError as error:
            raise BadRequest(f"the body is no JSON: {error}") from None
