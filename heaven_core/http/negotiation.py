"""What a client prefers (RFC 9110 §12): the weights of Accept and Accept-Encoding, the parameters of media types."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, final

from heaven_core._record import Record
from heaven_core.http.grammar import LIST_ELEMENT, PARAMETER, QUOTED_STRING, TOKEN

__all__ = ["CODINGS", "Coding", "accepts", "parse_media_type", "wanted_codings", "weights_of"]


# RFC 9110 §12.4.2, but Java's HttpURLConnection writes q=.2: a missing 0 before the point is forgiven.
_WEIGHT: Final = re.compile(r"0?\.[0-9]{1,3}|0\.?|1(?:\.0{0,3})?")

# A media range: type, subtype, parameters, weight in thousandths.
_Range = tuple[str, str, dict[str, str], int]


def parse_media_type(text: str) -> tuple[str, dict[str, str]] | None:
    """`Text/HTML; Charset="utf-8"` as `("text/html", {"charset": "utf-8"})` (RFC 9110 §8.3.1); `None` if malformed.

    Names are lower-case, values as they were sent without quotes; of equal names the first counts.
    """
    head, *rest = PARAMETER.findall(text) or [""]
    kind, slash, subtype = head.strip(" \t").partition("/")
    if not slash or TOKEN.fullmatch(kind) is None or TOKEN.fullmatch(subtype) is None:
        return None
    params: dict[str, str] = {}
    for piece in rest:
        parameter = piece.strip(" \t")
        if not parameter:
            continue
        name, equals, value = parameter.partition("=")
        quoted = QUOTED_STRING.fullmatch(value)
        if not equals or TOKEN.fullmatch(name) is None or (quoted is None and TOKEN.fullmatch(value) is None):
            return None
        if quoted is not None:
            value = re.sub(r"\\(.)", r"\1", quoted[1], flags=re.DOTALL)
        params.setdefault(name.lower(), value)
    return f"{kind}/{subtype}".lower(), params


def accepts(header_lines: Sequence[str], offers: Sequence[str]) -> str | None:
    """Which of `offers` a client likes best, by all lines of its Accept field (RFC 9110 §12.5.1).

    For each offer the most specific range that matches says how much it is wanted; 0 excludes it. Between offers
    wanted equally, their order decides. Malformed ranges are skipped; where there is no other, and without the field,
    everything is acceptable. `None` if nothing is. Raises `ValueError` for no offers, and for an offer that is no
    media type.
    """
    if not offers:
        raise ValueError("accepts() needs at least one media type to offer")
    offered = [(offer, *_parse_offer(offer)) for offer in offers]
    ranges = [found for line in header_lines for found in map(_parse_range, LIST_ELEMENT.findall(line)) if found]
    if not ranges:
        return offers[0]
    best: str | None = None
    highest = 0
    for offer, kind, subtype, params in offered:
        weight = _weight(kind, subtype, params, ranges)
        if weight > highest:
            best, highest = offer, weight
    return best


def weights_of(header_lines: Sequence[str]) -> dict[str, int]:
    """The weights of a field whose members are names, such as Accept-Encoding (RFC 9110 §12.4.2), in thousandths.

    Names are in lower case, and of equal ones the first counts. Malformed members are skipped.
    """
    found: dict[str, int] = {}
    for line in header_lines:
        for element in LIST_ELEMENT.findall(line):
            name, semicolon, parameter = element.strip(" \t").partition(";")
            name = name.rstrip(" \t").lower()
            weight = _weight_of(parameter.strip(" \t")) if semicolon else 1000
            if weight is not None and TOKEN.fullmatch(name) is not None:
                found.setdefault(name, weight)
    return found


def _weight_of(parameter: str) -> int | None:
    name, equals, value = parameter.partition("=")
    if not equals or name.lower() != "q" or _WEIGHT.fullmatch(value) is None:
        return None
    return _thousandths(value)


def _thousandths(weight: str) -> int:
    whole, _, fraction = weight.partition(".")
    return int(whole + fraction.ljust(3, "0"))


def _weight(kind: str, subtype: str, params: dict[str, str], ranges: list[_Range]) -> int:
    """The weight, in thousandths, of the most specific range that matches, the first of several alike; else 0."""
    weight = 0
    most_specific = (False, False, -1)
    for range_kind, range_subtype, range_params, range_weight in ranges:
        if range_kind not in ("*", kind) or range_subtype not in ("*", subtype):
            continue
        if any(params.get(name) != value for name, value in range_params.items()):
            continue
        specificity = (range_kind != "*", range_subtype != "*", len(range_params))
        if specificity > most_specific:
            most_specific, weight = specificity, range_weight
    return weight


def _parse_offer(offer: str) -> tuple[str, str, dict[str, str]]:
    parsed = parse_media_type(offer)
    if parsed is None or "*" in parsed[0]:
        raise ValueError(f'{offer!r} is no media type to offer; write one such as "application/json"')
    kind, _, subtype = parsed[0].partition("/")
    return kind, subtype, _comparable(parsed[1])


def _parse_range(element: str) -> _Range | None:
    text = element.strip(" \t")
    # Not in the grammar, but Java's HttpURLConnection sends it.
    parsed = parse_media_type("*/" + text if text == "*" or text.startswith(("*;", "* ;")) else text)
    if parsed is None:
        return None
    kind, _, subtype = parsed[0].partition("/")
    if kind == "*" and subtype != "*":
        return None
    params: dict[str, str] = {}
    for name, value in parsed[1].items():
        if name == "q":  # what followed the weight were extensions, which RFC 9110 has given up
            if _WEIGHT.fullmatch(value) is None:
                return None
            return kind, subtype, params, _thousandths(value)
        params[name] = value.lower()
    return kind, subtype, params, 1000


def _comparable(params: dict[str, str]) -> dict[str, str]:
    """The parameters in lower case: whether case matters depends on the name (RFC 9110 §8.3.1); a charset's doesn't."""
    return {name: value.lower() for name, value in params.items()}


@final
class Coding(Record):
    """`name` is what Content-Encoding says, `suffix` what a file so encoded has after its name."""

    __slots__ = ("name", "suffix")
    __match_args__ = ("name", "suffix")

    def __init__(self, name: str, suffix: str) -> None:
        self.name: Final = name
        self.suffix: Final = suffix


# In the order in which they are offered to a client that likes them equally: the smallest first, as a rule.
CODINGS: Final = (Coding("br", ".br"), Coding("zstd", ".zst"), Coding("gzip", ".gz"))


def wanted_codings(header_lines: Sequence[str]) -> list[Coding]:
    """The codings that a client prefers to a file as it is, best first, by all lines of its Accept-Encoding.

    Without the field, and with an empty one, none (RFC 9110 §12.5.3 leaves the first to us: what asks for nothing may
    not know what to do with it). A `*` stands for each coding that the field does not name.
    """
    weights = weights_of(header_lines)
    others = weights.get("*", 0)
    as_it_is = weights.get("identity", 0)
    wanted: list[tuple[int, Coding]] = []
    for coding in CODINGS:
        names = ("gzip", "x-gzip") if coding.name == "gzip" else (coding.name,)  # §8.4.1.3
        weight = next((weights[name] for name in names if name in weights), others)
        if weight > 0 and weight >= as_it_is:
            wanted.append((weight, coding))
    wanted.sort(key=lambda choice: -choice[0])
    return [coding for _, coding in wanted]
