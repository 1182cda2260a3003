"""The value of Cache-Control (RFC 9111 §5.2.2), as `res.cache` sets it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import pytest

from heaven_core import Response

Act: TypeAlias = Callable[[Response], None]

DIRECTIVES: Final[list[tuple[Act, str]]] = [
    (lambda res: res.cache(max_age=60), "max-age=60"),
    (lambda res: res.cache(max_age=0, must_revalidate=True), "max-age=0, must-revalidate"),
    (lambda res: res.cache(max_age=9, public=True, immutable=True), "public, max-age=9, immutable"),
    (lambda res: res.cache(shared_max_age=5, max_age=1), "max-age=1, s-maxage=5"),
    (lambda res: res.cache(private=True, no_cache=True), "no-cache, private"),
    (lambda res: res.cache(no_store=True), "no-store"),
]


@pytest.mark.parametrize(("act", "value"), DIRECTIVES)
def test_directives(act: Act, value: str) -> None:
    response = Response()
    response.headers = "Cache-Control", "public"
    act(response)
    assert response.headers.get_all("Cache-Control") == [value]


CONTRADICTIONS: Final[list[tuple[Act, type[Exception], str]]] = [
    (lambda res: res.cache(), ValueError, "told nothing"),
    (lambda res: res.cache(max_age=-1), ValueError, "0 or more"),
    (lambda res: res.cache(shared_max_age=-1), ValueError, "0 or more"),
    (lambda res: res.cache(max_age=True), TypeError, "must be int"),
    (lambda res: res.cache(no_store=True, max_age=1), ValueError, "no_store"),
    (lambda res: res.cache(public=True, private=True), ValueError, "private"),
    (lambda res: res.cache(shared_max_age=1, private=True), ValueError, "private"),
    (lambda res: res.cache(immutable=True), ValueError, "max_age"),
]


@pytest.mark.parametrize(("act", "kind", "message"), CONTRADICTIONS)
def test_contradictions_are_refused(act: Act, kind: type[Exception], message: str) -> None:
    response = Response()
    with pytest.raises(kind, match=message):
        act(response)
    assert "Cache-Control" not in response.headers
