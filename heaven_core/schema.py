"""What a route takes and gives, as types: JSON checked on its way in, filtered on its way out.

The types are msgspec's (dataclass, TypedDict, Struct, attrs, and containers and unions of them) and pydantic's models;
a type that mentions a model is read and written by pydantic, with its aliases and validators. Neither library is
needed before a schema asks for it, so both are imported inside functions, in this module alone.

The filter rebuilds what a handler gave as the declared type, and that is what goes out: every declared field, one
called `_x` too, and no other, whether it came with a subclass, a `dict` or an object of another class. A rebuilt
object runs its `__post_init__` and validators. What is declared as `Any` or `object` is not filtered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from types import NoneType
from typing import Final, Protocol, TypeGuard, final, get_args
from uuid import UUID

from heaven_core.defaults import fill_defaults
from heaven_core.encoding import encode_json, encode_text
from heaven_core.errors import BadRequest, UnprocessableContent
from heaven_core.jsonbody import check_constants, check_json_type, no_json
from heaven_core.mismatch import MismatchError, json_path, read_message

__all__ = ["Schema"]

# These two are not JSON, and need no library.
_AS_IT_IS: Final[dict[object, str]] = {str: "text/plain; charset=utf-8", bytes: "application/octet-stream"}
# What msgspec hands over as it is when asked to: a float field takes a Decimal, and a str field refuses bytes.
_NATIVE: Final = (bytes, bytearray, memoryview, datetime, date, time, timedelta, UUID, Decimal)
_TAKEN: Final = (str, int, float, NoneType, dict, list, tuple, set, frozenset, Enum, *_NATIVE)
_MODEL_MARK: Final = "__pydantic_validator__"
_CLASS_MARKS: Final = ("__struct_fields__", "__dataclass_fields__", "__attrs_attrs__", _MODEL_MARK)


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

        Raises `UnsupportedMediaType` unless `content_type` is JSON in UTF-8 (see `jsonbody`), `BadRequest` for an
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
            return encode_text(value)
        if self.returns is bytes and _is_bytes(value):
            return bytes(value)
        if self._codec is None or _is_text(value):
            raise TypeError(f"{type(value).__name__} can't be filtered by the schema: it returns {self.returns!r}")
        try:
            return encode_json(self._codec.filter(value))
        except MismatchError as error:
            raise TypeError(f"{type(value).__name__} does not fit {self.returns!r}: {error}") from error

    def encode_any(self, value: object) -> bytes:
        """`value` as JSON and not filtered: the body of a response that is not 2xx. Raises `TypeError`."""
        return encode_json(value if self._codec is None else self._codec.plain(value))


class _Codec(Protocol):
    def read(self, body: bytes) -> object: ...  # BadRequest, MismatchError

    def filter(self, value: object) -> object: ...  # MismatchError, TypeError; what encode_json takes

    def plain(self, value: object) -> object: ...  # TypeError; the same, not filtered


def _is_bytes(value: object) -> TypeGuard[bytes | bytearray | memoryview]:
    return isinstance(value, (bytes, bytearray, memoryview))


def _is_text(value: object) -> bool:
    return _is_bytes(value) or (isinstance(value, str) and not isinstance(value, Enum))


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


# True for a union of models, too, which is no `type`, but a form that pydantic takes like one.
def _mentions_model(kind: object) -> TypeGuard[type[object]]:
    if isinstance(kind, type) and hasattr(kind, _MODEL_MARK):
        return True
    return any(_mentions_model(part) for part in get_args(kind))


def _is_parts(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, tuple)


@final
class _MsgspecCodec:
    __slots__ = ("_builtins", "_convert", "_decode", "_has_dataclass")

    def __init__(self, kind: object) -> None:
        import msgspec

        self._has_dataclass: Final = _inspect(kind)
        self._decode: Callable[[bytes], object] = msgspec.json.Decoder(kind, dec_hook=_read_model).decode
        self._convert: Callable[[object], object] = lambda value: msgspec.convert(value, kind, dec_hook=_read_model)
        self._builtins: Callable[[object], object] = lambda value: msgspec.to_builtins(
            value, builtin_types=_NATIVE, enc_hook=_write_other
        )

    def read(self, body: bytes) -> object:
        import msgspec

        try:
            return self._decode(body)
        except msgspec.ValidationError as error:
            mismatch = read_message(error)
        except (ValueError, RecursionError) as error:
            raise no_json(error) from None
        # It stopped at the first value that does not fit; what follows may still be no JSON.
        try:
            msgspec.json.decode(body)
        except msgspec.ValidationError:  # a number out of range
            pass
        except (ValueError, RecursionError) as error:
            raise no_json(error) from None
        raise mismatch

    def filter(self, value: object) -> object:
        try:
            fitted = self._convert(self._builtins(value))
            if self._has_dataclass:
                fill_defaults(fitted)
            return self.plain(fitted)
        except ValueError as error:
            raise read_message(error) from error
        except RecursionError:
            raise TypeError(f"{type(value).__name__} is nested too deeply for JSON, or inside itself") from None

    def plain(self, value: object) -> object:
        import msgspec

        return _dumped(lambda: msgspec.to_builtins(value, enc_hook=_write_other))


def _inspect(kind: object) -> bool:
    """Whether a dataclass is in it. Raises `TypeError` for what msgspec would leave to hooks that don't know it."""
    from msgspec import inspect

    pending: list[object] = [inspect.type_info(kind)]
    seen: set[int] = set()
    has_dataclass = False
    while pending:
        node = pending.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, inspect.CustomType):
            if node.cls is not object and not hasattr(node.cls, _MODEL_MARK):
                raise TypeError(f"neither msgspec nor pydantic knows how to read {node.cls!r}")
        elif isinstance(node, (inspect.Type, inspect.Field)):
            has_dataclass = has_dataclass or isinstance(node, inspect.DataclassType)
            pending.extend(getattr(node, name) for name in node.__struct_fields__)
        elif _is_parts(node):
            pending.extend(node)
    return has_dataclass


def _read_model(kind: type, value: object) -> object:
    """A hook of msgspec, for types that it does not know: models, and `object`, which anything is."""
    if kind is not object:
        import pydantic

        if issubclass(kind, pydantic.BaseModel):
            text = encode_json(value)  # so that a strict model takes a date of JSON, which is a string
            return _validated(lambda: kind.model_validate_json(text))
    return value


def _write_other(value: object) -> object:
    """A hook of msgspec, for objects that it does not know: models, and subclasses of text and numbers."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if hasattr(type(value), _MODEL_MARK):
        import pydantic

        if isinstance(value, pydantic.BaseModel):
            return value.model_dump(mode="json", by_alias=True, warnings="error")
    raise TypeError(f"an object of type {type(value).__name__} is nothing that a schema can write")


@final
class _PydanticCodec:
    __slots__ = ("_adapter", "_anything")

    def __init__(self, kind: type[object]) -> None:
        import pydantic

        adapter: pydantic.TypeAdapter[object] = pydantic.TypeAdapter(kind)
        adapter.rebuild(raise_errors=True)
        self._adapter = adapter
        self._anything: pydantic.TypeAdapter[object] = pydantic.TypeAdapter(object)

    def read(self, body: bytes) -> object:
        check_constants(body)  # pydantic reads them
        return _validated(lambda: self._adapter.validate_json(body))

    def filter(self, value: object) -> object:
        fitted = _validated(lambda: self._adapter.validate_python(value, from_attributes=True))
        return _dumped(lambda: self._adapter.dump_python(fitted, mode="json", by_alias=True, warnings="error"))

    def plain(self, value: object) -> object:
        return _dumped(lambda: self._anything.dump_python(value, mode="json", by_alias=True, warnings="error"))


def _dumped(dump: Callable[[], object]) -> object:
    # A model's field may hold an object that its type does not allow: with a mere warning, all of it would go out.
    try:
        return dump()
    except (ValueError, RecursionError) as error:
        raise TypeError(f"the body can't be filtered or written as JSON: {error}") from error


def _validated(validate: Callable[[], object]) -> object:
    import pydantic

    try:
        return validate()
    except pydantic.ValidationError as error:
        # Without the input: it may be a password.
        details = error.errors(include_url=False, include_context=False, include_input=False)
    if details[0]["type"] == "json_invalid" and not details[0]["loc"]:
        raise no_json(details[0]["msg"])
    raise MismatchError([{"path": json_path(detail["loc"]), "message": detail["msg"]} for detail in details])
