"""RFC 9110 §12.5.3: which codings a client takes rather than a file as it is."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaven_core.http.negotiation import CODINGS, wanted_codings

# Accept-Encoding, and the codings wanted, best first.
CASES: Final[dict[str, list[str]]] = {
    # No field asks for nothing; an empty one takes no coding at all.
    "": [],
    ",": [],
    # A name alone weighs 1; those wanted equally come in the order in which we offer them.
    "gzip": ["gzip"],
    "gzip, br": ["br", "gzip"],
    "gzip, deflate, br, zstd": ["br", "zstd", "gzip"],
    # §12.4.2: weights decide first.
    "br;q=0.5, gzip;q=0.8": ["gzip", "br"],
    "br;q=0.001, zstd;q=0.002": ["zstd", "br"],
    "gzip;q=1.000, br;q=0.999": ["gzip", "br"],
    "br ; q=0.5\t,\tgzip": ["gzip", "br"],
    # 0 excludes.
    "br;q=0, gzip": ["gzip"],
    "br;q=0.000": [],
    "*;q=0": [],
    # `*` stands for all that are not named.
    "*": ["br", "zstd", "gzip"],
    "*, br;q=0": ["zstd", "gzip"],
    "br;q=0.1, *;q=0.5": ["zstd", "gzip", "br"],
    # §8.4.1.3: x-gzip is gzip.
    "x-gzip": ["gzip"],
    "x-gzip;q=0, *": ["br", "zstd"],
    # Names know no case.
    "GZip, BR;Q=0.5": ["gzip", "br"],
    # The file as it is, where that is liked better.
    "identity, gzip;q=0.5": [],
    "identity;q=0.5, gzip": ["gzip"],
    "identity;q=0.5, gzip;q=0.5": ["gzip"],
    "identity": [],
    "identity;q=0": [],
    "identity;q=0, gzip": ["gzip"],
    # Of equal names the first counts.
    "gzip, gzip;q=0": ["gzip"],
    # What is malformed is passed over.
    "gzip;q=2, br": ["br"],
    "gzip;q=, br": ["br"],
    "gzip;q=0.1234, br": ["br"],
    "gzip;level=9, br": ["br"],
    "g zip, br": ["br"],
    ";q=1, br": ["br"],
    # Others than those we know are nobody's business.
    "deflate, compress": [],
}


@pytest.mark.parametrize(("line", "names"), CASES.items())
def test_the_codings_wanted(line: str, names: list[str]) -> None:
    assert [coding.name for coding in wanted_codings([line])] == names


def test_no_field_asks_for_no_coding() -> None:
    assert wanted_codings([]) == []


def test_several_lines_are_one_list() -> None:
    """RFC 9110 §5.3."""
    assert [coding.name for coding in wanted_codings(["gzip;q=0.5", "br;q=0.1"])] == ["gzip", "br"]


@given(st.lists(st.text(alphabet=' \t,;=q01.*brgzipdstx-"\\', max_size=40), max_size=3))
def test_any_field_gives_each_coding_once_at_most(lines: list[str]) -> None:
    wanted = wanted_codings(lines)
    assert len({coding.name for coding in wanted}) == len(wanted)
    assert all(coding in CODINGS for coding in wanted)
