"""Content codings (RFC 9110 §8.4.1): those of which a file may have a sibling, and which of them a client wants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, final

from heaven_core.negotiation import weights_of
from heaven_core.record import Record

__all__ = ["CODINGS", "Coding", "wanted_codings"]


@final
class Coding(Record):
    """`name` is what Content-Encoding says, `suffix` what a file so encoded has after its name."""

    __slots__ = ("name", "suffix")

    def __init__(self, name: str, suffix: str) -> None:
        self.name: Final = name
        self.suffix: Final = suffix


# In the order in which they are offered to a client that likes them equally: the smallest first, as a rule.
CODINGS: Final = (Coding("br", ".br"), Coding("zstd", ".zst"), Coding("gzip", ".gz"))


def wanted_codings(header_lines: Sequence[str]) -> list[Coding]:
    """Those that a client takes rather than a file as it is, best first, by all lines of its Accept-Encoding.

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
