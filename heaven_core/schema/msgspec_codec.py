"""Schemas whose types msgspec reads and writes: dataclass, TypedDict, Struct, attrs, and pydantic's models inside."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, is_dataclass
from typing import Final, TypeGuard, final

from heaven_core.http.json_codec import check_numbers, encode_json, no_json
from heaven_core.schema.codec import MODEL_MARK, NATIVE, MismatchError, dumped
from heaven_core.schema.pydantic_codec import validated_json

__all__ = ["MsgspecCodec", "fill_defaults", "read_message"]


@final
class MsgspecCodec:
    """One type, by msgspec; see `Codec`."""

    __slots__ = ("_builtins", "_convert", "_decode", "_has_dataclass")

    def __init__(self, kind: object) -> None:
        import msgspec

        self._has_dataclass: Final = _inspect(kind)
        self._decode: Callable[[bytes], object] = msgspec.json.Decoder(kind, dec_hook=_read_model).decode
        self._convert: Callable[[object], object] = lambda value: msgspec.convert(value, kind, dec_hook=_read_model)
        self._builtins: Callable[[object], object] = lambda value: msgspec.to_builtins(
            value, builtin_types=NATIVE, enc_hook=_write_other
        )

    def read(self, body: bytes) -> object:
        """See `Codec`."""
        import msgspec

        check_numbers(body)
        try:
            return self._decode(body)
        except msgspec.ValidationError as error:
            mismatch = read_message(error)
        except (ValueError, RecursionError) as error:
            raise no_json(error) from None
        # It stopped at the first value that does not fit; what follows may still be no JSON.
        try:
            msgspec.json.decode(body)
        except (ValueError, RecursionError) as error:
            raise no_json(error) from None
        raise mismatch

    def filter(self, value: object) -> object:
        """See `Codec`."""
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
        """See `Codec`."""
        import msgspec

        return dumped(lambda: msgspec.to_builtins(value, enc_hook=_write_other))


def _inspect(kind: object) -> bool:
    """Whether a dataclass is in the type. Raises `TypeError` for what msgspec leaves to hooks that don't know it."""
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
            if node.cls is not object and not hasattr(node.cls, MODEL_MARK):
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
            return validated_json(kind.model_validate_json, text)
    return value


def _write_other(value: object) -> object:
    """A hook of msgspec, for objects that it does not know: models, and subclasses of text and numbers."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if hasattr(type(value), MODEL_MARK):
        import pydantic

        if isinstance(value, pydantic.BaseModel):
            return value.model_dump(mode="json", by_alias=True, warnings="error")
    raise TypeError(f"an object of type {type(value).__name__} is nothing that a schema can write")


def read_message(error: Exception) -> MismatchError:
    """The problems of an error of msgspec, whose text may end in a path: "Expected `int`, got `str` - at `$.age`".

    One raised by a `MismatchError`, of a model inside, has the problems of that one, below its own path.
    """
    text, _, place = str(error).rpartition(" - at `")
    path = place.removesuffix("`") if text else "$"
    message = text or place
    if path.startswith("key` in `"):
        path, message = path.removeprefix("key` in `"), f"{message}, as a key"
    if isinstance(error.__cause__, MismatchError):
        inside = error.__cause__
        return MismatchError([{**each, "path": path + each["path"][1:]} for each in inside.first], inside.more)
    return MismatchError([{"path": path, "message": message}])


def _is_parts(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, tuple)


_MISSING = object()


def fill_defaults(value: object) -> None:
    """Give each dataclass in `value`, which msgspec has just made, the defaults that it did not get, as attributes.

    Msgspec leaves them to the class, where they can be read, but it does not write what an instance has not. `value`
    is a tree of builtins, dataclasses, Structs and attrs objects, and is changed in place.
    """
    if is_dataclass(value):
        for name in [field.name for field in fields(value)]:
            content: object = getattr(value, name, _MISSING)
            if content is not _MISSING:
                object.__setattr__(value, name, content)  # frozen ones, too
                fill_defaults(content)
    elif _is_dict(value):
        for content in value.values():
            fill_defaults(content)
    elif _is_collection(value):
        for content in value:
            fill_defaults(content)
    else:
        for name in _names(value):
            fill_defaults(getattr(value, name, None))


def _is_dict(value: object) -> TypeGuard[dict[object, object]]:
    return isinstance(value, dict)


def _is_collection(value: object) -> TypeGuard[Iterable[object]]:
    return isinstance(value, (list, tuple, set, frozenset))


def _names(value: object) -> list[str]:
    """The fields of a Struct or attrs object."""
    struct: Iterable[str] = getattr(type(value), "__struct_fields__", ())
    return [*struct, *(str(field.name) for field in getattr(type(value), "__attrs_attrs__", ()))]
