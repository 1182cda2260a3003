"""Path patterns: what they match, what is refused, and what can be proved about two of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaven_core.app.patterns import Pattern

SEGMENTS = st.sampled_from(["a", "b", "7", "", "*", ":x", ":y", ":x:int", ":y:int"])
PATHS = st.lists(st.sampled_from(["a", "b", "7", "", "é", "٣", "\n"]), min_size=1, max_size=4).map(
    lambda parts: "/" + "/".join(parts)
)


def _is_pattern(text: str) -> bool:
    try:
        Pattern.parse(text)
    except ValueError:
        return False
    return True


PATTERNS = (
    st.lists(SEGMENTS, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts)).filter(_is_pattern)
    | st.just("*")
).map(Pattern.parse)


@pytest.mark.parametrize(
    ("pattern", "path", "params"),
    [
        ("/", "/", {}),
        ("/a", "/a", {}),
        ("/a/", "/a/", {}),
        ("/a//b", "/a//b", {}),
        ("/a.b+c", "/a.b+c", {}),
        ("/v1/things:batch", "/v1/things:batch", {}),
        ("/café", "/café", {}),
        ("/%41", "/%41", {}),
        ("/:name", "/x", {"name": "x"}),
        ("/:name", "/a b\n:*", {"name": "a b\n:*"}),
        ("/:name/b", "/x/b", {"name": "x"}),
        ("/:a/:b", "/1/2", {"a": "1", "b": "2"}),
        ("/:n:int", "/0", {"n": 0}),
        ("/:n:int", "/007", {"n": 7}),
        ("/:n:int/x", "/12/x", {"n": 12}),
        ("/*", "/a", {"*": "a"}),
        ("/*", "/", {"*": ""}),
        ("/a/*", "/a/", {"*": ""}),
        ("/a/*", "/a", {"*": ""}),
        ("/:x:int/*", "/7", {"x": 7, "*": ""}),
        ("/*", "/a/b/", {"*": "a/b/"}),
        ("/*", "//", {"*": "/"}),
        ("/a/*", "/a/\n", {"*": "\n"}),
        ("/:a/*", "/x/y/z", {"a": "x", "*": "y/z"}),
        ("*", "/", {}),
        ("*", "/a/\nb", {}),
        ("*", "*", {}),
    ],
)
def test_a_path_that_matches_gives_its_parameters(pattern: str, path: str, params: dict[str, str | int]) -> None:
    assert Pattern.parse(pattern).match(path) == params


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("/a", "/a/"),
        ("/a/", "/a"),
        ("/a/b", "/a//b"),
        ("/a", "/A"),
        ("/a", "/a\n"),
        ("/a.b", "/axb"),
        ("/:name", "/"),
        ("/:name", "/a/b"),
        ("/:name/b", "//b"),
        ("/:n:int", "/"),
        ("/:n:int", "/-1"),
        ("/:n:int", "/+1"),
        ("/:n:int", "/1.0"),
        ("/:n:int", "/1_0"),
        ("/:n:int", "/ 1"),
        ("/:n:int", "/٣"),
        ("/:n:int", "/²"),
        ("/:n:int", "/1\n"),
        ("/a/*", "/ab"),
        ("/a/*", "/"),
        ("/*", "*"),
        ("/", ""),
    ],
)
def test_a_path_that_differs_anywhere_does_not_match(pattern: str, path: str) -> None:
    assert Pattern.parse(pattern).match(path) is None


def test_an_int_has_640_digits_at_most() -> None:
    """As many as `int()` takes in every configuration of Python: no path makes it raise."""
    pattern = Pattern.parse("/:n:int")
    assert pattern.match("/" + "9" * 640) == {"n": int("9" * 640)}
    assert pattern.match("/" + "9" * 641) is None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "begin with a slash"),
        ("a", "write '/a'"),
        ("**", "begin with a slash"),
        ("/:", "has no name"),
        ("/::int", "has no name"),
        ("/:a/:a", "two parameters called 'a'"),
        ("/:a:int/:a", "two parameters called 'a'"),
        ("/*/a", "whole last segment"),
        ("/*/*", "whole last segment"),
        ("/a*", "whole last segment"),
        ("/**", "whole last segment"),
        ("/:a*", "whole last segment"),
        ("/:a:uuid", "the converter 'uuid' is unknown"),
        ("/:a:", "the converter '' is unknown"),
        ("/:a:int:int", "the converter 'int:int' is unknown"),
        ("/:a.json", "'a.json' is no identifier"),
        ("/:1", "'1' is no identifier"),
    ],
)
def test_a_malformed_pattern_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match="the pattern") as refusal:
        Pattern.parse(text)
    assert complaint in str(refusal.value)


@pytest.mark.parametrize(
    ("broad", "narrow"),
    [
        ("*", "/"),
        ("*", "/*"),
        ("*", "*"),
        ("/*", "/"),
        ("/*", "/a"),
        ("/a/*", "/a"),
        ("/a/*", "/a/"),
        ("/*", "/:x"),
        ("/*", "/a/*"),
        ("/*", "//"),
        ("/a/*", "/a/:n:int/b"),
        ("/:x", "/a"),
        ("/:x", "/:n:int"),
        ("/:x", "/:y"),
        ("/:n:int", "/12"),
        ("/a/:x/*", "/a/b/*"),
    ],
)
def test_a_pattern_covers_those_that_match_less(broad: str, narrow: str) -> None:
    assert Pattern.parse(broad).covers(Pattern.parse(narrow))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/*", "*"),
        ("/a/*", "/"),
        ("/a/*", "/ab"),
        ("/a", "/*"),
        ("/:x", "/*"),
        ("/:x", "/"),
        ("/:n:int", "/:x"),
        ("/:n:int", "/a"),
        ("/:n:int", "/" + "9" * 641),
        ("/a", "/b"),
        ("/a", "/:x"),
        ("/a", "/a/b"),
        ("/a/b", "/a"),
    ],
)
def test_a_pattern_does_not_cover_what_matches_more_or_else(one: str, other: str) -> None:
    assert not Pattern.parse(one).covers(Pattern.parse(other))


@pytest.mark.parametrize(
    ("one", "other", "excluded"),
    [
        ("/a", "/b", True),
        ("/a", "/a/b", True),
        ("/a", "/:n:int", True),
        ("/", "/:x", True),
        ("/", "/*", False),
        ("/a/*", "/a", False),
        ("/a/*", "/a/", False),
        ("/a/*", "/ab", True),
        ("/a/b/*", "/a", True),
        ("/a/*", "/b/*", True),
        ("/a", "/:x", False),
        ("/7", "/:n:int", False),
        ("/:x", "/:n:int", False),
        ("/a/:x", "/:x/b", False),
        ("/*", "/a/b", False),
        ("/*", "//", False),
        ("/a/*", "/:x/*", False),
        ("*", "/a", False),
        ("*", "*", False),
    ],
)
def test_patterns_exclude_each_other_if_no_path_matches_both(one: str, other: str, excluded: bool) -> None:
    assert Pattern.parse(one).excludes(Pattern.parse(other)) is excluded
    assert Pattern.parse(other).excludes(Pattern.parse(one)) is excluded


@given(PATTERNS, PATTERNS, PATHS)
def test_a_proof_about_two_patterns_holds_for_every_path(one: Pattern, other: Pattern, path: str) -> None:
    matches_one, matches_other = one.match(path) is not None, other.match(path) is not None
    if one.covers(other) and matches_other:
        assert matches_one
    if one.excludes(other):
        assert not (matches_one and matches_other)


@given(PATTERNS, PATTERNS)
def test_the_broader_of_two_sorts_first(one: Pattern, other: Pattern) -> None:
    if one.covers(other):
        assert one.breadth <= other.breadth
        if one.breadth == other.breadth:
            assert other.covers(one)


@given(PATTERNS, PATTERNS)
def test_patterns_have_one_shape_if_they_cover_each_other(one: Pattern, other: Pattern) -> None:
    assert (one.shape == other.shape) is (one.covers(other) and other.covers(one))


def test_from_the_broadest_to_the_narrowest() -> None:
    texts = ["*", "/*", "/:x", "/:n:int", "/a/*", "/a/:x", "/a/:n:int", "/a/b"]
    patterns = sorted(map(Pattern.parse, reversed(texts)), key=lambda pattern: pattern.breadth)
    assert [pattern.text for pattern in patterns] == texts


def test_matching_takes_time_linear_in_the_path() -> None:
    """A pattern with many parameters has one way to match: 100,000 segments are no work."""
    pattern = Pattern.parse("/:a/:b/:c/:d/end")
    assert pattern.match("/x" * 100_000) is None


def test_a_pattern_shows_its_text() -> None:
    assert repr(Pattern.parse("/a/:b")) == "Pattern('/a/:b')"
