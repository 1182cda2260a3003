"""Which route answers: SPEC section 2, RFC 9110 §9 and §15.5.6."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaven_core.app.router import Match, Pattern, Router

SEGMENTS = st.sampled_from(["a", "b", "7", "", "*", ":x", ":x:int"])
PATHS = st.lists(st.sampled_from(["a", "b", "7", ""]), min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))


def router(*routes: str) -> Router[str]:
    """Routes written as "GET /a"; each endpoint is its route's text."""
    made: Router[str] = Router()
    for route in routes:
        method, _, pattern = route.partition(" ")
        made.add(method, Pattern.parse(pattern), route)
    return made


def endpoint(match: Match[str] | None) -> str | None:
    return None if match is None else match.endpoint


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/", "GET /"),
        ("/a", "GET /a"),
        ("/12", "GET /:n:int"),
        ("/b", "GET /:x"),
        ("/a/", "GET /a/"),
        ("/a/b", "GET /a/:x"),
        ("/b/c", "GET /*"),
        ("//", "GET /*"),
        ("/a/b/c", "GET /a/*"),
        ("/a//", "GET /a/*"),
        ("", None),
        ("a", None),
        ("*", None),
    ],
)
def test_the_narrowest_pattern_wins_segment_by_segment(path: str, found: str | None) -> None:
    routes = router("GET /*", "GET /:x", "GET /:n:int", "GET /a/*", "GET /a/:x", "GET /a/", "GET /a", "GET /")
    assert endpoint(routes.find("GET", path)) == found


def test_a_narrow_segment_that_leads_nowhere_is_given_up() -> None:
    """The literal `a`, then the int, then the name: each is tried, and the values of the failed ones are gone."""
    routes = router("GET /a/b", "GET /:n:int/:m:int/x", "GET /:x/:y/z", "GET /:x/*")
    match = routes.find("GET", "/1/2/z")
    assert match is not None
    assert match.endpoint == "GET /:x/:y/z"
    assert match.params == {"x": "1", "y": "2"}
    rest = routes.find("GET", "/a/c")
    assert rest is not None
    assert rest.params == {"x": "a", "*": "c"}
    nothing = routes.find("GET", "/a")
    assert nothing is not None
    assert nothing.params == {"x": "a", "*": ""}


def test_the_rest_may_be_nothing_but_a_route_of_its_own_comes_first() -> None:
    """SPEC 2: what guards `/files/*` guards `/files` and `/files/`, too, and so a route has them."""
    routes = router("GET /files/*", "GET /files", "GET /:x/*", "GET /:x")
    assert endpoint(routes.find("GET", "/files")) == "GET /files"
    assert endpoint(routes.find("GET", "/files/")) == "GET /files/*"
    assert endpoint(routes.find("GET", "/other")) == "GET /:x"
    assert endpoint(routes.find("GET", "/other/")) == "GET /:x/*"
    assert endpoint(router("GET /files/*").find("GET", "/files")) == "GET /files/*"


def test_a_match_has_pattern_and_parameters() -> None:
    match = router("GET /u/:id:int/:name/*").find("GET", "/u/7/x/y/z")
    assert match is not None
    assert match.pattern.text == "/u/:id:int/:name/*"
    assert match.params == {"id": 7, "name": "x", "*": "y/z"}


def test_a_route_without_parameters_has_an_empty_mapping_that_nobody_can_fill() -> None:
    match = router("GET /a").find("GET", "/a")
    assert match is not None
    assert match.params == {}
    assert not hasattr(match.params, "__setitem__")


def test_a_method_looks_past_the_routes_of_others() -> None:
    routes = router("POST /a/b", "GET /a/:x")
    assert endpoint(routes.find("GET", "/a/b")) == "GET /a/:x"
    assert endpoint(routes.find("POST", "/a/b")) == "POST /a/b"
    assert routes.find("PUT", "/a/b") is None


def test_head_is_answered_by_the_get_route() -> None:
    """RFC 9110 §9.3.2."""
    routes = router("GET /a", "GET /b/:x")
    assert endpoint(routes.find("HEAD", "/a")) == "GET /a"
    assert endpoint(routes.find("HEAD", "/b/c")) == "GET /b/:x"


@pytest.mark.parametrize("order", [("GET /a/:x", "HEAD /a/:y"), ("HEAD /a/:y", "GET /a/:x")])
def test_a_head_route_wins_over_the_get_route_of_its_pattern(order: tuple[str, str]) -> None:
    match = router(*order).find("HEAD", "/a/b")
    assert match is not None
    assert match.endpoint == "HEAD /a/:y"
    assert match.params == {"y": "b"}


def test_a_narrower_get_route_wins_over_a_broad_head_route() -> None:
    routes = router("HEAD /*", "GET /a")
    assert endpoint(routes.find("HEAD", "/a")) == "GET /a"
    assert endpoint(routes.find("HEAD", "/b")) == "HEAD /*"


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/a", ("GET", "HEAD", "OPTIONS")),
        ("/b", ("OPTIONS", "POST")),
        ("/c/d", ("DELETE", "OPTIONS", "PUT")),
        ("/none", ()),
        ("*", ("DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT")),
    ],
)
def test_a_path_allows_the_methods_of_its_routes(path: str, allowed: tuple[str, ...]) -> None:
    """RFC 9110 §10.2.1; for `OPTIONS *`, §9.3.7, all that the server has."""
    assert router("GET /a", "POST /b", "PUT /c/:x", "DELETE /c/*").allowed(path) == allowed


@pytest.mark.parametrize(
    ("first", "second", "complaint"),
    [
        ("GET /a", "GET /a", "GET /a is already registered"),
        ("GET /a/:x", "GET /a/:y", "GET /a/:y is already registered as /a/:x"),
        ("GET /:x:int/*", "GET /:y:int/*", "as /:x:int/*"),
    ],
)
def test_a_second_route_for_the_same_paths_is_refused(first: str, second: str, complaint: str) -> None:
    with pytest.raises(ValueError, match="already registered") as refusal:
        router(first, second)
    assert complaint in str(refusal.value)


def test_an_int_a_name_and_another_method_are_no_duplicates() -> None:
    routes = router("GET /:x", "GET /:x:int", "POST /:x")
    assert endpoint(routes.find("GET", "/7")) == "GET /:x:int"


def test_the_pattern_for_everything_is_no_route() -> None:
    with pytest.raises(ValueError, match="for hooks"):
        router("GET *")


def test_finding_is_bounded_by_the_patterns_and_not_by_the_path() -> None:
    """Two ways at each of twelve levels make 4096 ways for a search that would forget where it has been."""
    routes = router("GET " + "/:x".replace("x", "a") + "".join(f"/:p{level}" for level in range(12)) + "/end")
    assert routes.find("GET", "/7" * 100_000) is None


@given(
    st.lists(
        st.lists(SEGMENTS, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts)),
        max_size=12,
        unique=True,
    ),
    PATHS,
)
def test_a_route_is_found_if_some_pattern_matches_and_none_is_narrower(texts: list[str], path: str) -> None:
    """The tree against the patterns themselves: of those that match, the one with the narrowest segments."""
    routes: Router[Pattern] = Router()
    matching: list[Pattern] = []
    for text in texts:
        try:
            pattern = Pattern.parse(text)
        except ValueError:
            continue
        routes.add("GET", pattern, pattern)
        if pattern.match(path) is not None:
            matching.append(pattern)
    found = routes.find("GET", path)
    if not matching:
        assert found is None
    else:
        assert found is not None
        assert found.endpoint is max(matching, key=lambda pattern: pattern.breadth)
        assert dict(found.params) == found.endpoint.match(path)
