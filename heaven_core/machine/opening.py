"""The part of the machine that finds out which file is sent.

That is the one asked for, a precompressed sibling of it, or what takes its place where there is none. What is known of
a file comes from its open descriptor, and what is sent is that descriptor: so a file stays open while its siblings are
tried, and a sibling that is no good is closed again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

from heaven_core._typing import override
from heaven_core.http.headers import Field
from heaven_core.http.negotiation import Coding, wanted_codings
from heaven_core.machine import states
from heaven_core.machine.ending import Events, RequestHead
from heaven_core.machine.file_metadata import file_fields, is_older, status_of_open_error
from heaven_core.machine.sized import Sized
from heaven_core.machine.trace import Recorder, explain_coding
from heaven_core.message.bodies import DirectorySource, FileSource
from heaven_core.message.draft import Answer
from heaven_core.message.html import listing_page
from heaven_core.protocol.needs import CloseFile, Entry, FileInfo, ListDirectory, OpenFile, UseFile
from heaven_core.runtime import Runtime

__all__ = ["MOVED", "NOT_FOUND", "Opening"]

S = TypeVar("S")

MOVED: Final = "308 Permanent Redirect\n"
NOT_FOUND: Final = "404 Not Found\n"
_TEXTS: Final = {308: MOVED, 403: "403 Forbidden\n", 404: NOT_FOUND}
_ENCODED_ALREADY: Final = "precompressed=True finds out Content-Encoding, but the handler has set it: leave out one"


class Opening(Sized[S]):
    """The answers to `OpenFile`, `UseFile` and `ListDirectory`."""

    __slots__ = ("_asked_for", "_codings", "_found")

    def __init__(self, response: Answer, request: RequestHead, runtime: Runtime, record: Recorder | None) -> None:
        super().__init__(response, request, runtime, record)
        self._asked_for: FileSource | DirectorySource | None = None
        self._found: FileInfo | None = None  # the file itself, while its siblings are tried
        self._codings: Sequence[Coding] = ()  # of the siblings still to be tried; the first is under way

    def opened(self, info: FileInfo) -> Events:
        """The file is open, and this is what `fstat` says of it."""
        state = self._state
        source = self._asked_for
        if state == states.OPENING_LEFT:
            self._open_files += 1
            return self._wind_up()
        if (state != states.OPENING and state != states.OPENING_SIBLING) or type(source) is not FileSource:
            self._out_of_turn("opened")
        self._open_files += 1
        if state == states.OPENING_SIBLING and self._found is not None:
            if is_older(info, self._found):
                self._state = states.PASSING_OVER
                self.need = CloseFile()
                return ()
            return self._file_of(source, info, self._codings[0])
        self._found = info
        if source.precompressed:
            if any(name == b"content-encoding" for name, _ in self._response.fields):
                return self._fail(ValueError(_ENCODED_ALREADY), "headers")
            self._response.vary_on(b"Accept-Encoding")
            self._codings = wanted_codings(self._request.headers.get_all("Accept-Encoding"))
        return self._next_sibling(source, info)

    def open_failed(self, error: BaseException) -> Events:
        """It could not be opened: something else, 404 or 403 where the error says so (SPEC 3), else a 500."""
        state = self._state
        source = self._asked_for
        if state == states.OPENING_LEFT:
            return self._wind_up()
        if state not in (states.OPENING, states.OPENING_SIBLING, states.LISTING) or source is None:
            self._out_of_turn("open_failed")
        status = status_of_open_error(error)
        if status == 500:
            return self._fail(error, "file")
        if state == states.OPENING_SIBLING:
            return self._pass_over()
        location = source.directory_location if type(source) is FileSource else None
        if location is not None and isinstance(error, IsADirectoryError):
            return self._instead_of_file(308, (b"location", location))
        if status == 404 and source.otherwise is not None:
            return self._ask_for(source.otherwise)
        return self._instead_of_file(status)

    def listed(self, entries: Iterable[Entry]) -> Events:
        """These are in the directory."""
        source = self._asked_for
        if self._state == states.OPENING_LEFT:
            return self._wind_up()
        if self._state != states.LISTING or type(source) is not DirectorySource:
            self._out_of_turn("listed")
        response = self._response
        response.show(listing_page(source.title, entries, source.hidden))
        return self._whole(response.encode())

    def _ask_for(self, source: FileSource | DirectorySource) -> Events:
        self._asked_for = source
        if type(source) is DirectorySource:
            self._state = states.LISTING
            self.need = ListDirectory(source.path, source.within)
            return ()
        self._state = states.OPENING
        self.need = OpenFile(source.path, source.within) if source.held is None else UseFile(source.held.file)
        return ()

    def _next_sibling(self, source: FileSource, found: FileInfo) -> Events:
        """Ask for the next sibling that the client would take; where there is none, send the file itself."""
        if not self._codings:
            return self._file_of(source, found, None)
        self._state = states.OPENING_SIBLING
        self.need = OpenFile(source.path + self._codings[0].suffix, source.within)
        return ()

    @override
    def _pass_over(self) -> Events:
        """The sibling that was tried last is missing, or was too old and is closed again."""
        source, found = self._asked_for, self._found
        assert type(source) is FileSource  # only a file has siblings
        assert found is not None  # and it is open
        self._codings = self._codings[1:]
        return self._next_sibling(source, found)

    def _file_of(self, source: FileSource, info: FileInfo, coding: Coding | None) -> Events:
        if coding is not None and self._record is not None:
            explain_coding(coding.name, self._record)
        fields, replaced = file_fields(source, info, self._response.fields, self._runtime, coding)
        # A compressor keeps the date of what it compresses: such a date does not say which of the two a client has.
        return self._file(fields, info.size, source.content_type, replaced or source.precompressed)

    def _instead_of_file(self, status: int, *lines: Field) -> Events:
        response = self._response
        response.become(status, _TEXTS[status])
        for line in lines:
            response.append(line)
        return self._whole(response.encode())
