"""Schemas that are models of pydantic's, or mention one."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TypeGuard, final

from heaven_core.http.json_codec import check_numbers, no_json
from heaven_core.schema.codec import LONGEST_TEXT, MOST_PROBLEMS, MismatchError, dumped

__all__ = ["PydanticCodec", "json_path", "validated_json"]


@final
class PydanticCodec:
    """One type, by pydantic; see `Codec`."""

    __slots__ = ("_adapter", "_anything")

    def __init__(self, kind: type[object]) -> None:
        import pydantic

        adapter: pydantic.TypeAdapter[object] = pydantic.TypeAdapter(kind)
        adapter.rebuild(raise_errors=True)
        self._adapter = adapter
        self._anything: pydantic.TypeAdapter[object] = pydantic.TypeAdapter(object)

    def read(self, body: bytes) -> object:
        """See `Codec`."""
        check_numbers(body)  # pydantic reads others, too
        return validated_json(self._adapter.validate_json, body)

    def filter(self, value: object) -> object:
        """See `Codec`."""
        fitted = _validated(lambda: self._adapter.validate_python(value, from_attributes=True))
        return dumped(lambda: self._adapter.dump_python(fitted, mode="json", by_alias=True, warnings="error"))

    def plain(self, value: object) -> object:
        """See `Codec`."""
        return dumped(lambda: self._anything.dump_python(value, mode="json", by_alias=True, warnings="error"))


def validated_json(validate: Callable[[bytes], object], text: bytes) -> object:
    """What `validate` makes of a JSON text.

    Raises `MismatchError` for what does not fit, `BadRequest` for what is no JSON. pydantic keeps the whole path of
    each problem, so that one long name over many values would make of a small body work without end: where there is
    such a name, what does not fit is looked for with shorter ones before.
    """
    if _has_long_name(text):
        _validated(lambda: validate(_with_short_names(text)))
    return _validated(lambda: validate(text))


def _validated(validate: Callable[[], object]) -> object:
    import pydantic

    try:
        return validate()
    except pydantic.ValidationError as error:
        # Without the input: it may be a password.
        details = error.errors(include_url=False, include_context=False, include_input=False)
    if details[0]["type"] == "json_invalid" and not details[0]["loc"]:
        raise no_json(details[0]["msg"])
    first = [{"path": json_path(detail["loc"]), "message": detail["msg"]} for detail in details[:MOST_PROBLEMS]]
    raise MismatchError(first, len(details) - len(first))


def _has_long_name(text: bytes) -> bool:
    if len(text) <= LONGEST_TEXT:
        return False
    # What is left of quotes begins and ends a string: of these every second part is one.
    parts = text.replace(rb"\\", b"..").replace(rb"\"", b"..").split(b'"')
    strings = zip(parts[1::2], parts[2::2], strict=False)
    return any(len(string) > LONGEST_TEXT and after.lstrip().startswith(b":") for string, after in strings)


def _with_short_names(text: bytes) -> bytes:
    try:
        return json.dumps(_shorten(json.loads(text))).encode()
    except (ValueError, RecursionError):
        return text  # it is no JSON: pydantic will say so


def _shorten(value: object) -> object:
    if _is_list(value):
        return [_shorten(item) for item in value]
    if not _is_dict(value):
        return value
    return {
        name if len(name) <= LONGEST_TEXT else f"{name[:LONGEST_TEXT]}...{number}": _shorten(item)
        for number, (name, item) in enumerate(value.items())
    }


def _is_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)


def _is_dict(value: object) -> TypeGuard[dict[str, object]]:
    return isinstance(value, dict)


def json_path(location: Sequence[int | str]) -> str:
    """`("items", 3, "odd name")` as `$.items[3]['odd name']`."""
    steps = [f".{step}" if isinstance(step, str) and step.isidentifier() else f"[{step!r}]" for step in location]
    return "$" + "".join(steps)
