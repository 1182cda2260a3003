"""Schemas that are models of pydantic's, or mention one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import final

from heaven_core.http.json_codec import check_constants, no_json
from heaven_core.schema.codec import MismatchError, dumped

__all__ = ["PydanticCodec", "json_path", "validated"]


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
        check_constants(body)  # pydantic reads them
        return validated(lambda: self._adapter.validate_json(body))

    def filter(self, value: object) -> object:
        """See `Codec`."""
        fitted = validated(lambda: self._adapter.validate_python(value, from_attributes=True))
        return dumped(lambda: self._adapter.dump_python(fitted, mode="json", by_alias=True, warnings="error"))

    def plain(self, value: object) -> object:
        """See `Codec`."""
        return dumped(lambda: self._anything.dump_python(value, mode="json", by_alias=True, warnings="error"))


def validated(validate: Callable[[], object]) -> object:
    """What `validate` returns. Raises `MismatchError` for what does not fit, `BadRequest` for what is no JSON."""
    import pydantic

    try:
        return validate()
    except pydantic.ValidationError as error:
        # Without the input: it may be a password.
        details = error.errors(include_url=False, include_context=False, include_input=False)
    if details[0]["type"] == "json_invalid" and not details[0]["loc"]:
        raise no_json(details[0]["msg"])
    raise MismatchError([{"path": json_path(detail["loc"]), "message": detail["msg"]} for detail in details])


def json_path(location: Sequence[int | str]) -> str:
    """`("items", 3, "odd name")` as `$.items[3]['odd name']`."""
    steps = [f".{step}" if isinstance(step, str) and step.isidentifier() else f"[{step!r}]" for step in location]
    return "$" + "".join(steps)
