"""Text and JSON (RFC 8259) as bytes, in UTF-8.

JSON takes what the standard library takes but NaN and the infinities, which JSON has no word for (RFC 8259
§6). It takes `datetime`, `date`, `UUID`, `Decimal`, `Enum`, dataclasses, sets and frozensets, too, and writes
them as msgspec does; and mappings that are no `dict`, such as a request's parameters and cookies.
"""

from __future__ import annotations

import json
import json.encoder
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Final, NoReturn, Protocol, TypeGuard
from uuid import UUID

from heaven_core.errors import BadRequest, UnsupportedMediaType, UnwritableError
from heaven_core.http.text_codec import describe_surrogate

__all__ = ["check_json_type", "check_numbers", "encode_json", "no_json", "read_json"]


_REFUSALS: Final = (TypeError, ValueError, RecursionError)

_LAST_OFFSET: Final = 23 * 60 + 59

_MISSING: Final = object()


_WORD: Final = r"[!#$%&'*+.^_`|~\w-]+"

_PARAMETER: Final = rf"({_WORD})=({_WORD}|\"(?:[^\"\\]|\\.)*\")"

_JSON_TYPE: Final = re.compile(
    rf"(?:application/json|{_WORD}/{_WORD}\+json)[ \t]*((?:;[ \t]*(?:{_PARAMETER}[ \t]*)?)*)",
    re.ASCII | re.IGNORECASE | re.DOTALL,
)

# Numbers that a float has no room for: a large exponent, or very many digits. To ask each would take twice as long.
_MAY_BE_HUGE: Final = re.compile(r"(?:^|[\s:,\[])-?[0-9]++(?:\.[0-9]++)?[eE]\+?[0-9]{3}|(?<![0-9])[0-9]{309}")

_PARAMETERS: Final = re.compile(_PARAMETER, re.ASCII | re.DOTALL)


def encode_json(value: object) -> bytes:
    """`value` as JSON without blanks, in UTF-8, characters beyond ASCII as they are.

    Keys of a `dict` are what the standard library takes (`str`, `int`, `float`, `bool`, `None`), `datetime`,
    `date`, `UUID`, `Decimal` and `Enum`. A `Decimal` is a string, so that no digit is lost. An attribute that
    a dataclass declares and an instance lacks is left out. An offset from UTC that has seconds is rounded to
    minutes (RFC 3339 §5.6 has no more).

    Raises `TypeError` with the path (`$.user.avatar`) of what can't be written: another type or type of key,
    NaN, an infinity, a lone surrogate, an `int` with more digits than `sys.get_int_max_str_digits`, an object
    inside itself or too deep.
    """
    try:
        return "".join(_encode(value, 0)).encode()
    except _REFUSALS:
        pass
    # Once more and slowly: to find the path, and for keys, which the standard library asks no hook about.
    try:
        return "".join(_encode(_plain(value, "$", set()), 0)).encode()
    except RecursionError:
        raise TypeError("$ is nested too deeply for JSON") from None


def _is_dict(value: object) -> TypeGuard[dict[object, object]]:
    return isinstance(value, dict)


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, (list, tuple))


def _is_set(value: object) -> TypeGuard[Iterable[object]]:
    return isinstance(value, (set, frozenset))


def _is_mapping(value: object) -> TypeGuard[Mapping[object, object]]:
    return isinstance(value, Mapping)


def _builtin(value: object) -> object:
    """`value` as something that the standard library writes, one level deep: the hook of its encoder."""
    if isinstance(value, datetime):
        return _timestamp(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (UUID, Decimal)):
        return str(value)
    if isinstance(value, Enum):
        member: object = value.value
        return member
    if _is_set(value):
        return list(value)
    if _is_mapping(value):
        return dict(value)
    if is_dataclass(value) and not isinstance(value, type):
        found = ((field.name, _attribute(value, field.name)) for field in fields(value))
        return {name: content for name, content in found if content is not _MISSING}
    raise UnwritableError


def _attribute(value: object, name: str) -> object:
    return getattr(value, name, _MISSING)


def _timestamp(value: datetime) -> str:
    offset = value.utcoffset()
    if offset is None:
        return value.isoformat()
    seconds = offset.days * 86400 + offset.seconds
    minutes, rest = divmod(abs(seconds), 60)
    # Half a minute is rounded towards zero, as msgspec does; 24:00 is no offset, and Z would be a day away.
    minutes = min(minutes + (rest > 30), _LAST_OFFSET)
    local = value.replace(tzinfo=None).isoformat()
    if minutes == 0:
        return local + "Z"
    return f"{local}{'-' if seconds < 0 else '+'}{minutes // 60:02}:{minutes % 60:02}"


class _Encode(Protocol):
    def __call__(self, value: object, level: int, /) -> Sequence[str]: ...


class _MakeEncoder(Protocol):
    def __call__(  # noqa: PLR0917  # the standard library's
        self,
        markers: None,
        default: Callable[[object], object],
        encoder: Callable[[str], str],
        indent: None,
        key_separator: str,
        item_separator: str,
        sort_keys: bool,
        skipkeys: bool,
        allow_nan: bool,
        /,
    ) -> _Encode: ...


def _make_encoder(make: _MakeEncoder | None) -> _Encode:
    # PERF: JSONEncoder.encode makes a new C encoder for every call: 0.9 µs for a small dict against 0.35.
    # Circles are not looked for; they end as a RecursionError, and then `_plain` finds them.
    if make is not None:
        return make(None, _builtin, json.encoder.encode_basestring, None, ":", ",", False, False, False)
    portable = json.JSONEncoder(
        ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":"), default=_builtin
    )
    return lambda value, level, /: (portable.encode(value),)


_made: _MakeEncoder | None = getattr(json.encoder, "c_make_encoder", None)

_encode: Final = _make_encoder(_made)


def _plain(value: object, path: str, parents: set[int]) -> object:
    """`value` rebuilt of `dict`, `list` and scalars. Raises `TypeError` that names the path."""
    if value is None or isinstance(value, (str, int, float)):
        _check_scalar(value, path)
        return value
    if id(value) in parents:
        raise TypeError(f"{path} is an object that it is itself a part of, which JSON can't express")
    parents.add(id(value))
    plain: object
    if _is_dict(value):
        plain = _plain_dict(value, path, parents)
    elif _is_list(value):
        plain = _plain_list(value, path, parents)
    else:
        try:
            inner = _builtin(value)
        except UnwritableError:
            raise TypeError(_refusal(path, value)) from None
        except (TypeError, ValueError) as error:  # of a property in place of a field, or of a tzinfo
            raise TypeError(f"{path}, of type {type(value).__name__}, can't be read: {error}") from error
        plain = _plain(inner, path, parents)
    parents.discard(id(value))
    return plain


def _plain_dict(value: dict[object, object], path: str, parents: set[int]) -> dict[object, object]:
    plain: dict[object, object] = {}
    for key, item in value.items():
        name = _plain_key(key, path)
        if isinstance(name, str) and name.isidentifier():
            plain[name] = _plain(item, f"{path}.{name}", parents)
        else:
            plain[name] = _plain(item, f"{path}[{name!r}]", parents)
    return plain


def _plain_list(value: Sequence[object], path: str, parents: set[int]) -> list[object]:
    return [_plain(item, f"{path}[{index}]", parents) for index, item in enumerate(value)]


def _plain_key(key: object, path: str) -> object:
    plain = key
    while isinstance(plain, (date, UUID, Decimal, Enum)) and not isinstance(plain, (str, int, float)):
        plain = _builtin(plain)
    if plain is None or isinstance(plain, (str, int, float)):
        _check_scalar(plain, f"a key of {path}")
        return plain
    raise TypeError(f"a key of {path} is of type {type(key).__name__}; JSON has none but strings: use str")


def _check_scalar(value: object, path: str) -> None:
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise TypeError(describe_surrogate(path, value, error.start)) from None
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise TypeError(f"{path} is {float(value)!r}, which JSON has no word for; use None")
    elif isinstance(value, int):
        try:
            int.__repr__(value)
        except ValueError:
            raise TypeError(f"{path} is an int with more digits than Python writes out; use str") from None


def _refusal(path: str, value: object) -> str:
    kind = type(value).__name__
    if isinstance(value, (bytes, bytearray, memoryview)):
        hint = "base64 in a str is"
    else:
        hint = "a dict, a dataclass, or what the route's schema (app.schema) can read is"
    return f"{path} is of type {kind}, which is not written as JSON; {hint}"


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


def read_json(text: str) -> object:
    """What a JSON text says (RFC 8259).

    Raises `ValueError` for what is none, for NaN and the infinities, which some parsers take and §6 does not, and for a
    number that is too large to be one here; `RecursionError` where it is nested too deeply.
    """
    value: object = (
        json.loads(text, parse_constant=_refuse_constant)
        if _MAY_BE_HUGE.search(text) is None
        else json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    )
    return value


def check_numbers(body: bytes) -> None:
    """Raise `BadRequest` for what other parsers make a number of, and `read_json` does not."""
    if b"NaN" in body or b"Infinity" in body or _MAY_BE_HUGE.search(body.decode("latin-1")) is not None:
        try:
            read_json(body.decode())
        except (ValueError, RecursionError) as error:
            raise no_json(error) from None


def _finite(number: str) -> float:
    value = float(number)
    if math.isinf(value):
        raise ValueError(f"{number[:20]}{'...' if len(number) > 20 else ''} is too large for a number")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
