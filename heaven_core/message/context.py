"""What hooks and handlers keep for each other: `ctx` for one request, the app's store for the whole process."""

from __future__ import annotations

from typing import Final, Generic, NoReturn, TypeVar, final, overload

from heaven_core._typing import T, override

__all__ = ["Context", "Key", "Store"]

V = TypeVar("V")
D = TypeVar("D")


@final
class Key(Generic[T]):
    """A typed key: `USER = Key[User]("user")`, once, at the top of a module.

    `ctx.keep(USER, user)` takes nothing but a `User`, and `ctx.peek(USER)` is a `User` or `None`. The key itself is
    what counts, the name is for messages: neither a second key of that name nor the `str` finds what it keeps.
    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name: Final = name

    @override
    def __repr__(self) -> str:
        return f"Key({self.name!r})"


class Store:
    """Values by name or by typed key. Making one costs next to nothing: the dict comes with the first value."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: dict[object, object] | None = None

    @overload
    def keep(self, key: str, value: object) -> None: ...
    @overload
    def keep(self, key: Key[V], value: V) -> None: ...
    def keep(self, key: object, value: object) -> None:
        """Keep `value` under `key`, in the place of what was there. `TypeError` if `key` is neither str nor Key."""
        if not isinstance(key, (str, Key)):
            raise TypeError(f"a key is a str or a Key, not {type(key).__name__}: {key!r}")
        if self._kept is None:
            self._kept = {key: value}
        else:
            self._kept[key] = value

    @overload
    def peek(self, key: str, default: object = None) -> object: ...
    @overload
    def peek(self, key: Key[V]) -> V | None: ...
    @overload
    def peek(self, key: Key[V], default: D) -> V | D: ...
    def peek(self, key: str | Key[V], default: object = None) -> object:
        """What is kept under `key`, else `default`."""
        return default if self._kept is None else self._kept.get(key, default)

    @overload
    def need(self, key: str) -> object: ...
    @overload
    def need(self, key: Key[V]) -> V: ...
    def need(self, key: str | Key[V]) -> object:
        """What is kept under `key`. Raises `KeyError` if nothing is."""
        if self._kept is None or key not in self._kept:
            raise _nothing_under(key, self._kept)
        return self._kept[key]

    @overload
    def unkeep(self, key: str) -> object: ...
    @overload
    def unkeep(self, key: Key[V]) -> V: ...
    def unkeep(self, key: str | Key[V]) -> object:
        """Take away what is kept under `key`, and return it. Raises `KeyError` if nothing is."""
        if self._kept is None or key not in self._kept:
            raise _nothing_under(key, self._kept)
        return self._kept.pop(key)


@final
class Context(Store):
    """The `ctx` of one request. `ctx.user` is what was kept as `"user"`: an `object`; typed code uses a `Key`."""

    __slots__ = ()

    def __getattr__(self, name: str) -> object:
        # Reached only for what is neither a method nor a slot. Copying and pickling probe for dunders on an instance
        # whose slot is still empty, which would lead here again and again.
        if name.startswith("__") or name == "_kept":
            raise AttributeError(f"a Context has no attribute {name!r}")
        kept = self._kept
        if kept is None or name not in kept:
            _missing(name, kept)
        return kept[name]


def _missing(name: str, kept: dict[object, object] | None) -> NoReturn:
    hint = ""
    if any(isinstance(key, Key) and key.name == name for key in kept or ()):
        hint = ": what a Key keeps is read by ctx.peek(key)"
    raise AttributeError(f"nothing is kept as {name!r}, {_inventory(kept)}{hint}")


def _nothing_under(key: object, kept: dict[object, object] | None) -> KeyError:
    return KeyError(f"nothing is kept under {key!r}, {_inventory(kept)}")


def _inventory(kept: dict[object, object] | None) -> str:
    return "only " + ", ".join([repr(key) for key in kept]) if kept else "nor under any other key"
