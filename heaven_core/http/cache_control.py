"""The value of Cache-Control (RFC 9111 §5.2.2), written so that it does not contradict itself."""

from __future__ import annotations

from heaven_core._checks import check_int

__all__ = ["cache_control"]


def cache_control(
    max_age: int | None,
    shared_max_age: int | None,
    *,
    public: bool,
    private: bool,
    immutable: bool,
    must_revalidate: bool,
    no_cache: bool,
    no_store: bool,
) -> str:
    """The directives, in this order. Ages are in seconds.

    Raises `ValueError` where two of them exclude each other and where there is none, `TypeError` for an age that is
    no `int`.
    """
    directives = [
        name
        for name, given in (
            ("no-store", no_store), ("no-cache", no_cache), ("public", public), ("private", private),
        )
        if given
    ]  # fmt: skip
    for name, age in (("max-age", max_age), ("s-maxage", shared_max_age)):
        if age is not None:
            if check_int(name, age) < 0:
                raise ValueError(f"{name} must be 0 or more seconds: {age}")
            directives.append(f"{name}={int(age)}")
    directives += [name for name, given in (("must-revalidate", must_revalidate), ("immutable", immutable)) if given]
    if not directives:
        raise ValueError("res.cache() has been told nothing: give max_age=, no_store=True or another directive")
    if no_store and len(directives) > 1:
        raise ValueError(f"no_store=True stores nothing, so that the others have no meaning: {', '.join(directives)}")
    if private and (public or shared_max_age is not None):
        raise ValueError("private=True excludes public=True and shared_max_age=, which are for shared caches")
    if immutable and max_age is None:
        raise ValueError("immutable=True holds as long as the response is fresh (RFC 8246 §2): give max_age=, too")
    return ", ".join(directives)
