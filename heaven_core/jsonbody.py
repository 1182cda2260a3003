"""Whether a request body is JSON."""

from __future__ import annotations

import json
import re
from typing import Final, NoReturn

from heaven_core.errors import BadRequest, UnsupportedMediaType

__all__ = ["check_constants", "check_json_type", "no_json"]

_WORD: Final = r"[!#$%&'*+.^_`|~\w-]+"
_PARAMETER: Final = rf"({_WORD})=({_WORD}|\"(?:[^\"\\]|\\.)*\")"
_JSON_TYPE: Final = re.compile(
    rf"(?:application/json|{_WORD}/{_WORD}\+json)[ \t]*((?:;[ \t]*(?:{_PARAMETER}[ \t]*)?)*)",
    re.ASCII | re.IGNORECASE | re.DOTALL,
)
_PARAMETERS: Final = re.compile(_PARAMETER, re.ASCII | re.DOTALL)


def check_json_type(content_type: str | None) -> None:
    """Raise `UnsupportedMediaType` unless a body of this Content-Type is JSON in UTF-8.

    That is `application/json` and what ends in `+json` (RFC 6839 §3.1). Parameters are ignored (RFC 8259 §11) but for
    a charset other than UTF-8. No Content-Type counts as `application/octet-stream`, as RFC 9110 §8.3 allows: a page
    of another origin can make a browser send such a body without a preflight.
    """
    if content_type is None:
        raise UnsupportedMediaType("the body has no Content-Type; application/json was expected")
    found = _JSON_TYPE.fullmatch(content_type.strip(" \t"))
    if found is None:
        raise UnsupportedMediaType(f"the Content-Type is {content_type!r}; application/json was expected")
    for name, value in _PARAMETERS.findall(found[1]):
        if name.lower() == "charset" and value.strip('"').lower() not in ("utf-8", "utf8"):
            raise UnsupportedMediaType(f"the charset is {value!r}; JSON is read as UTF-8")


def no_json(reason: object) -> BadRequest:
    """The 400 of a body that is no JSON (RFC 9110 §15.5.1), or nested too deeply to be read."""
    return BadRequest(f"the body is no JSON that can be read: {reason}")


def check_constants(body: bytes) -> None:
    """Raise `BadRequest` for NaN and the infinities outside of strings: some parsers take them, RFC 8259 §6 not."""
    if b"NaN" not in body and b"Infinity" not in body:
        return
    try:
        json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise no_json(error) from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no value of JSON")
