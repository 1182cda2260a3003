"""What a handler says about its answer, besides the body: validators, caching, variants, the name to save it under."""

from __future__ import annotations

from datetime import UTC, datetime

from heaven_core._checks import check_int
from heaven_core.errors import Abort
from heaven_core.http.cache_control import cache_control
from heaven_core.http.conditional import PRECONDITION_FAILED, evaluate, precondition
from heaven_core.http.content_disposition import content_disposition
from heaven_core.http.dates import format_http_date, parse_http_date
from heaven_core.http.headers import check_name
from heaven_core.http.validators import Auto, Validators, make_etag, make_last_modified, validators_of
from heaven_core.message.draft import Answer

__all__ = ["Metadata"]

_WITHOUT_CONDITIONS = frozenset({"OPTIONS", "TRACE", "CONNECT"})  # RFC 9110 §13.2.1


class Metadata(Answer):
    """The part of `Response` that speaks of the representation. Raises `ResponseStarted` as all of it does."""

    __slots__ = ()

    @property
    def etag(self) -> str | Auto | None:
        """The entity tag (RFC 9110 §8.8.3). `"v1"` is put in quotes, `'"v1"'` and `'W/"v1"'` are taken as they are.

        `AUTO` makes a weak one of the body, once that is encoded; `None` takes it away. Raises `TypeError`,
        `ValueError`.
        """
        return Auto.AUTO if self.tagged else self.header_lines().get("ETag")

    @etag.setter
    def etag(self, value: str | Auto | None) -> None:
        self.check_open()
        if value is None or isinstance(value, Auto):
            self.header_lines().remove("ETag")
        else:
            self.header_lines().set("ETag", make_etag(value))
        self.tagged = isinstance(value, Auto)

    @property
    def last_modified(self) -> datetime | None:
        """When the representation last changed (RFC 9110 §8.8.2), in whole seconds.

        Takes an aware `datetime`, seconds since the epoch, or `None`. Raises `TypeError`, `ValueError`.
        """
        seconds = parse_http_date(self.header_lines().get("Last-Modified") or "", 0)
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)

    @last_modified.setter
    def last_modified(self, value: datetime | float | None) -> None:
        self.check_open()
        if value is None:
            self.header_lines().remove("Last-Modified")
        else:
            self.header_lines().set("Last-Modified", format_http_date(make_last_modified(value)))

    @property
    def fresh(self) -> bool:
        """Whether, by the validators set so far, the client has this representation: the answer will be a 304.

        Ask it before the costly work. False on other methods than GET and HEAD, and for `AUTO`.
        """
        if self.request is None or self.runtime is None:
            return False
        now = self.runtime.wall()
        current = validators_of(self.fields.copy(), now, self.runtime.date_lag)
        return precondition(self.request, self.code, current, now) == 304

    def check(
        self, *, etag: str | None = None, last_modified: datetime | float | None = None, exists: bool = True
    ) -> None:
        """Hold the request's preconditions against the current state, before the work that changes it.

        Give the validators of what is there now, or `exists=False` if there is nothing yet. Returns where the work may
        go on; else aborts with 412, or on GET and HEAD with 304 (RFC 9110 §13.2.2). OPTIONS has no conditions. Raises
        `TypeError` and `ValueError` as the setters of the two do.
        """
        self.check_open()
        tag = None if etag is None else make_etag(etag)
        date = None if last_modified is None else make_last_modified(last_modified)
        if not exists and (tag is not None or date is not None):
            raise ValueError("what does not exist has neither etag= nor last_modified=")
        if self.request is None or self.runtime is None:
            raise RuntimeError("there is no request to check: this response was made without an app")
        method = self.request.method
        if method in _WITHOUT_CONDITIONS:
            return
        current = Validators(tag, date) if exists else None
        status = evaluate(method, self.request.headers, current, self.runtime.wall())
        if status is None:
            return
        if status == 304:
            self.code = status
            self.etag = tag or self.etag
            if date is not None:
                self.last_modified = date
        else:
            self.become(status, PRECONDITION_FAILED)
        self.seal("res.check() has found a condition of the request that does not hold: the response goes out so")
        raise Abort

    @property
    def ranges(self) -> bool:
        """True lets clients ask for ranges of a buffered body (RFC 9110 §14); files have them anyway."""
        return self.sliceable

    @ranges.setter
    def ranges(self, value: bool) -> None:
        self.check_open()
        self.sliceable = bool(value)

    @property
    def max_ranges(self) -> int:
        """The most ranges that one request gets, 100 unless set; a request for more gets the whole. 0: no ranges."""
        return self.most_ranges

    @max_ranges.setter
    def max_ranges(self, value: int) -> None:
        self.check_open()
        most = check_int("res.max_ranges", value)
        if most < 0:
            raise ValueError(f"res.max_ranges must be 0 or more: {most}")
        self.most_ranges = most

    def cache(
        self,
        *,
        max_age: int | None = None,
        shared_max_age: int | None = None,
        public: bool = False,
        private: bool = False,
        immutable: bool = False,
        must_revalidate: bool = False,
        no_cache: bool = False,
        no_store: bool = False,
    ) -> None:
        """Set Cache-Control (RFC 9111 §5.2.2, RFC 8246). Ages are in seconds; `shared_max_age` is `s-maxage`.

        Raises `ValueError` for what contradicts itself or says nothing, `TypeError` for an age that is no `int`.
        """
        self.header_lines().set(
            "Cache-Control",
            cache_control(
                max_age, shared_max_age, public=public, private=private, immutable=immutable,
                must_revalidate=must_revalidate, no_cache=no_cache, no_store=no_store,
            ),
        )  # fmt: skip

    def vary(self, *names: str) -> None:
        """Add the names of request fields to Vary (RFC 9110 §12.5.5), each once. Raises `TypeError`, `ValueError`."""
        self.check_open()
        for name in names:
            check_name(name)
        for name in names:
            self.header_lines().add("Vary", name)

    def disposition(self, filename: str | None = None, *, inline: bool = False) -> None:
        """Say under which name a client may save the body (RFC 6266): as an attachment, or `inline`.

        Any name will do: what can't stand there is repaired, since such names come from users.
        """
        self.header_lines().set("Content-Disposition", content_disposition(filename, inline=inline))
