"""Which file goes out: the one asked for, a precompressed sibling of it, or what takes its place where there is none.

What is known of a file comes from its open descriptor, and what is sent is that descriptor: so a file stays open while
its siblings are tried, and a sibling that is no good is closed again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, final

from heaven_core.http.negotiation import Coding, wanted_codings
from heaven_core.machine import states
from heaven_core.machine.file_metadata import file_fields, is_older, status_of_open_error
from heaven_core.machine.plan import Ask, Exchange, Step, plan_buffered, plan_file, plan_text
from heaven_core.machine.trace import explain_coding
from heaven_core.message.bodies import DirectorySource, FileSource
from heaven_core.protocol.needs import CloseFile, FileInfo, ListDirectory, OpenFile, UseFile

__all__ = ["MOVED", "FileLookup"]

MOVED: Final = "308 Permanent Redirect\n"
_TEXTS: Final = {308: MOVED, 403: "403 Forbidden\n", 404: "404 Not Found\n"}
_ENCODED_ALREADY: Final = "precompressed=True finds out Content-Encoding, but the handler has set it: leave out one"


@final
class FileLookup:
    """The search for the file that answers one request. The machine hands it each answer and takes the next step.

    Its methods raise `ValueError` for a head that the handler has made impossible.
    """

    __slots__ = ("_codings", "_exchange", "_found", "_source")

    def __init__(self, exchange: Exchange, source: FileSource) -> None:
        self._exchange: Final = exchange
        self._source: FileSource | DirectorySource = source
        self._found: FileInfo | None = None  # the file itself, while its siblings are tried
        self._codings: Sequence[Coding] = ()  # of the siblings still to be tried; the first is under way

    def begin(self) -> Ask:
        """Ask for what is looked for now."""
        source = self._source
        if type(source) is DirectorySource:
            return Ask(states.LISTING, ListDirectory(source.path, source.within, source.page))
        assert type(source) is FileSource  # there are only the two
        if source.held is not None:
            return Ask(states.OPENING, UseFile(source.held.file))
        return Ask(states.OPENING, OpenFile(source.path, source.within))

    def opened(self, info: FileInfo) -> Step:
        """The file is open, or the sibling that was asked for."""
        source = self._source
        assert type(source) is FileSource  # a directory is listed
        if self._found is not None:
            if is_older(info, self._found):
                return Ask(states.PASSING_OVER, CloseFile())
            return self._send(source, info, self._codings[0])
        self._found = info
        if source.precompressed:
            draft = self._exchange.draft
            if any(name == b"content-encoding" for name, _ in draft.fields):
                raise ValueError(_ENCODED_ALREADY)
            draft.vary_on(b"Accept-Encoding")
            self._codings = wanted_codings(self._exchange.request.headers.get_all("Accept-Encoding"))
        return self._try_sibling(source, info)

    def failed(self, error: BaseException) -> Step:
        """There is no such file, or we may not read it: something else takes its place, or a 404 or 403 (SPEC 3)."""
        if self._found is not None:
            return self.passed_over()
        source = self._source
        location = source.directory_location if type(source) is FileSource else None
        if location is not None and isinstance(error, IsADirectoryError):
            return plan_text(self._exchange, 308, MOVED, (b"location", location))
        status = status_of_open_error(error)
        if status == 404 and source.otherwise is not None:
            self._source = source.otherwise
            return self.begin()
        return plan_text(self._exchange, status, _TEXTS[status])

    def passed_over(self) -> Step:
        """The sibling that was tried last is missing, or was too old and is closed again."""
        source, found = self._source, self._found
        assert type(source) is FileSource  # only a file has siblings
        assert found is not None  # and it is open
        self._codings = self._codings[1:]
        return self._try_sibling(source, found)

    def listed(self, page: str) -> Step:
        """The directory has been read, and this page made of it."""
        draft = self._exchange.draft
        draft.show(page)
        return plan_buffered(self._exchange, draft.encode())

    def _try_sibling(self, source: FileSource, found: FileInfo) -> Step:
        """Ask for the next sibling that the client would take; where there is none, send the file itself."""
        if not self._codings:
            return self._send(source, found, None)
        return Ask(states.OPENING_SIBLING, OpenFile(source.path + self._codings[0].suffix, source.within))

    def _send(self, source: FileSource, info: FileInfo, coding: Coding | None) -> Step:
        exchange = self._exchange
        if coding is not None and exchange.record is not None:
            explain_coding(coding.name, exchange.record)
        fields, replaced = file_fields(source, info, exchange.draft.fields, exchange.runtime, coding)
        # A compressor keeps the date of what it compresses: such a date does not say which of the two a client has.
        return plan_file(exchange, fields, info.size, source.content_type, replaced or source.precompressed)
