"""What hooks and handlers keep for each other."""

from __future__ import annotations

import copy
import pickle
from typing import cast

import pytest

from heaven_core import App
from heaven_core.message.context import Context, Key, Store

USER = Key[str]("user")
COUNT = Key[int]("count")


@pytest.mark.parametrize("kind", [Store, Context])
def test_a_value_that_is_kept_can_be_peeked_at(kind: type[Store]) -> None:
    store = kind()
    store.keep("name", "Ann")
    store.keep("age", 7)
    assert store.peek("name") == "Ann"
    assert store.peek("age") == 7
    assert store.peek("name") == "Ann"


def test_keeping_again_replaces() -> None:
    ctx = Context()
    ctx.keep("a", 1)
    ctx.keep("a", 2)
    assert ctx.peek("a") == 2


def test_peeking_at_nothing_gives_the_default() -> None:
    ctx = Context()
    assert ctx.peek("a") is None
    assert ctx.peek("a", 1) == 1
    ctx.keep("b", None)
    assert ctx.peek("a", 1) == 1
    assert ctx.peek("b", 1) is None


def test_a_typed_key_gives_its_type_back() -> None:
    """These lines also have to pass mypy and pyright."""
    ctx = Context()
    ctx.keep(USER, "Ann")
    ctx.keep(COUNT, 7)
    user: str | None = ctx.peek(USER)
    count: int = ctx.peek(COUNT, 0)
    either: int | None = ctx.peek(Key[int]("other"), None)
    taken: str = ctx.unkeep(USER)
    assert (user, count, either, taken) == ("Ann", 7, None, "Ann")


def test_a_typed_key_is_itself_and_not_its_name() -> None:
    """Otherwise `keep("user", 3)` would make `peek(USER)` something else than its type says."""
    ctx = Context()
    ctx.keep("user", 3)
    ctx.keep(Key[int]("user"), 4)
    assert ctx.peek(USER) is None


def test_unkeep_takes_away_and_gives_back() -> None:
    ctx = Context()
    ctx.keep("a", 1)
    assert ctx.unkeep("a") == 1
    assert ctx.peek("a") is None


def test_unkeep_of_nothing_says_what_is_kept() -> None:
    ctx = Context()
    with pytest.raises(KeyError, match="nothing is kept under 'a', nor under any other key"):
        ctx.unkeep("a")
    ctx.keep("b", 1)
    ctx.keep(USER, "Ann")
    with pytest.raises(KeyError, match=r"nothing is kept under Key\('count'\), only 'b', Key\('user'\)"):
        ctx.unkeep(COUNT)


def test_a_value_that_is_kept_is_an_attribute() -> None:
    ctx = Context()
    ctx.keep("user", "Ann")
    assert ctx.user == "Ann"


def test_a_missing_attribute_says_what_is_kept() -> None:
    ctx = Context()
    with pytest.raises(AttributeError, match="nothing is kept as 'user', nor under any other key"):
        _ = ctx.user
    ctx.keep("name", "Ann")
    with pytest.raises(AttributeError, match=r"nothing is kept as 'user', only 'name'$"):
        _ = ctx.user
    ctx.keep(USER, "Ann")
    with pytest.raises(AttributeError, match=r"what a Key keeps is read by ctx.peek\(key\)"):
        _ = ctx.user


def test_having_an_attribute_can_be_asked() -> None:
    ctx = Context()
    ctx.keep("user", None)
    assert hasattr(ctx, "user")
    assert not hasattr(ctx, "other")


def test_a_context_can_be_copied() -> None:
    """Copying asks an empty instance for attributes, which must not look for them where there is nothing yet."""
    ctx = Context()
    ctx.keep("user", "Ann")
    assert copy.copy(ctx).user == "Ann"
    assert cast(Context, pickle.loads(pickle.dumps(ctx))).user == "Ann"
    empty = Context.__new__(Context)
    with pytest.raises(AttributeError, match="_kept"):
        empty.peek("user")


def test_no_attribute_can_be_set() -> None:
    """`ctx.user = ...` is refused: `keep` is the one way in."""
    ctx = Context()
    name = "user"
    with pytest.raises(AttributeError):
        setattr(ctx, name, "Ann")


def test_any_other_key_is_refused() -> None:
    with pytest.raises(TypeError, match="a key is a str or a Key, not int: 7"):
        Context().keep(cast(str, 7), 1)


def test_a_key_shows_its_name() -> None:
    assert repr(USER) == "Key('user')"
    assert USER.name == "user"


@pytest.mark.parametrize("kind", [Context, App])
def test_what_is_needed_is_there_or_an_error_names_what_is(kind: type[Store]) -> None:
    store = kind()
    key = Key[int]("count")
    with pytest.raises(KeyError, match=r"nothing is kept under Key\('count'\), nor under any other key"):
        store.need(key)
    store.keep(key, 3)
    store.keep("nothing", None)
    assert (store.need(key), store.need("nothing")) == (3, None)
    with pytest.raises(KeyError, match="nothing is kept under 'count', only "):
        store.need("count")
    assert store.peek(key) == 3
