"""What a route takes and gives, as types: JSON checked on its way in, filtered on its way out.

The types are msgspec's (dataclass, TypedDict, Struct, attrs, and containers and unions of them) and pydantic's models;
a type that mentions a model is read and written by pydantic, with its aliases and validators. Neither library is
needed before a schema asks for it, so both are imported inside functions, in the modules of their codecs alone.

The filter rebuilds what a handler gave as the declared type, and that is what goes out: every declared field, one
called `_x` too, and no other, whether it came with a subclass, a `dict` or an object of another class. A rebuilt
object runs its `__post_init__` and validators. What is declared as `Any` or `object` is not filtered.
"""

from __future__ import annotations

from enum import Enum
from types import NoneType
from typing import Final, TypeGuard, final, get_args

from heaven_core._checks import exact
from heaven_core.errors import BadRequest, UnprocessableContent
from heaven_core.http.json_codec import check_json_type, encode_json
from heaven_core.http.text_codec import encode_text
from heaven_core.schema.codec import MODEL_MARK, NATIVE, Codec, MismatchError
from heaven_core.schema.msgspec_codec import MsgspecCodec
from heaven_core.schema.pydantic_codec import PydanticCodec

__all__ = ["Schema"]

# These two are not JSON, and need no library.
_AS_IT_IS: Final[dict[object, str]] = {str: "text/plain; charset=utf-8", bytes: "application/octet-stream"}
_TAKEN: Final = (str, int, float, NoneType, dict, list, tuple, set, frozenset, Enum, *NATIVE)
_CLASS_MARKS: Final = ("__struct_fields__", "__dataclass_fields__", "__attrs_attrs__", MODEL_MARK)


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
        as_it_is = _AS_IT_IS.get(returns) if isinstance(returns, type) else None
        self.content_type: Final = as_it_is or "application/json"
        self._codec: Final = None if returns is None or as_it_is else _make_codec("returns", returns)

    def takes(self, value: object) -> bool:
        """Whether `encode` knows the type of `value`; what is inside, and whether it fits, shows only there."""
        if self.returns is None or isinstance(value, type):
            return False
        return isinstance(value, _TAKEN) or any(hasattr(type(value), mark) for mark in _CLASS_MARKS)

    def decode(self, body: bytes, content_type: str | None) -> object:
        """`body` as what the route expects.

        Raises `UnsupportedMediaType` unless `content_type` is JSON in UTF-8 (`check_json_type`), `BadRequest` for an
        empty body and for what is no JSON, and `UnprocessableContent` with the problems: all that pydantic found, or
        the first that msgspec found, which writes `$[...]` for any value of a `dict`.
        """
        if self._decoder is None:
            raise TypeError("this schema has no expects=, so there is nothing to decode to")
        if content_type is not None or body:
            check_json_type(content_type)
        if not body:
            raise BadRequest("the body is empty, and JSON was expected")
        try:
            return self._decoder.read(body)
        except MismatchError as error:
            raise UnprocessableContent("the body does not fit what is expected", error.problems) from None

    def encode(self, value: object) -> bytes:
        """`value` filtered and encoded: JSON, or as it is where `returns` is `str` or `bytes`.

        Raises `TypeError` for what does not fit, for `str` and bytes where the schema is neither, and for what
        `encode_json` refuses.
        """
        if self.returns is str and isinstance(value, str):
            return encode_text(exact(value))
        if self.returns is bytes and _is_bytes(value):
            return bytes(value)
        if self._codec is None or _is_text(value):
            raise self._unfiltered(value)
        return self._filtered(self._codec, value)

    def _filtered(self, codec: Codec, value: object) -> bytes:
        try:
            return encode_json(codec.filter(value))
        except MismatchError as error:
            raise TypeError(f"{type(value).__name__} does not fit {self.returns!r}: {error}") from error

    def _unfiltered(self, value: object) -> TypeError:
        return TypeError(f"{type(value).__name__} can't be filtered by the schema: it returns {self.returns!r}")

    def encode_json(self, value: object) -> bytes:
        """`value` filtered and encoded as JSON, a lone text and `None`, too. Raises `TypeError` as `encode` does."""
        if self._codec is None:
            if self.returns is str and isinstance(value, str):
                return encode_json(value)
            raise self._unfiltered(value)
        return self._filtered(self._codec, value)

    def encode_any(self, value: object) -> bytes:
        """`value` as JSON and not filtered: the body of a response that is not 2xx. Raises `TypeError`."""
        return encode_json(value if self._codec is None else self._codec.plain(value))


def _is_bytes(value: object) -> TypeGuard[bytes | bytearray | memoryview]:
    return isinstance(value, (bytes, bytearray, memoryview))


def _is_text(value: object) -> bool:
    return _is_bytes(value) or (isinstance(value, str) and not isinstance(value, Enum))


def _make_codec(what: str, kind: object) -> Codec:
    if _mentions_model(kind):
        try:
            return PydanticCodec(kind)
        except RuntimeError:
            pass  # a Struct beside it, say: msgspec reads that, and asks pydantic for each model inside
        except NameError as error:
            raise TypeError(f"{what}={kind!r} can't be a schema: {error}") from error
    try:
        return MsgspecCodec(kind)
    except ModuleNotFoundError as error:
        raise ImportError(f'{what}={kind!r} needs msgspec: pip install "heaven-core[schema]"') from error
    except (TypeError, ValueError, NameError, AttributeError) as error:
        raise TypeError(f"{what}={kind!r} can't be a schema: {error}") from error


# True for a union of models, too, which is no `type`, but a form that pydantic takes like one.
def _mentions_model(kind: object) -> TypeGuard[type[object]]:
    if isinstance(kind, type) and hasattr(kind, MODEL_MARK):
        return True
    return any(_mentions_model(part) for part in get_args(kind))
