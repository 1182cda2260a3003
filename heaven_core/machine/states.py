"""The states of the machine, and what may follow what: the one place to check the machine against.

Read this before you change it.

A state says one thing: which answer the machine is waiting for. It does not say how the response is doing (that is
the ledger's and the outcome's), nor which of several streams is to be closed next (that is a list). If you find
yourself adding a boolean beside the state, you are missing a state.

Two rules shape the table. First, whatever a driver has been asked for, it may be in the middle of doing when the
client leaves, and the world does not stand still: an open that is under way in a thread will come back with a
descriptor, an `anext` with an item. So a disconnect does not move on to "closed", it moves to a state that knows that
one answer is still owed, and absorbs it. These are the states whose names end in LEFT. Second, nothing is final before
it is performed: `ENDING` stands between handing out `End` and believing in it.

The inputs are the machine's methods. A pair that is not in the table is a mistake of the driver: it raises
`LocalProtocolError`, and the machine goes to BROKEN for good, where only closing is still asked for.

`TRANSITIONS` says for each (state, input) which states may follow, each with its guard in words. Where several guards
hold, the first wins. The tests take each pair of the whole square and see that it does one of these, that each of these
is reached, and that all other pairs raise. docs/states.md is drawn from it.
"""

from __future__ import annotations

from typing import Final

__all__ = ["INPUTS", "NAMES", "STATES", "TRANSITIONS"]

IDLE: Final = 0  # nothing has been asked
IDLE_LEFT: Final = 1  # ... and the client has gone
OPENING: Final = 2  # OpenFile or UseFile
OPENING_SIBLING: Final = 3  # OpenFile, for what may go out in place of the file that is open
PASSING_OVER: Final = 4  # CloseFile, for a sibling that is no good; the file that it stands for stays open
LISTING: Final = 5  # ListDirectory
OPENING_LEFT: Final = 6  # OpenFile, UseFile or ListDirectory is under way, and the client has gone
PAGING: Final = 7  # MakePage
PAGING_LEFT: Final = 8  # MakePage is under way, and the client has gone
HEADING: Final = 9  # NextItem; the head waits for the first item
STREAMING: Final = 10  # NextItem; the head is out
FULFILLING: Final = 11  # Deliver, for the chunk that is the last of a promised length
FULFILLED: Final = 12  # NextItem; the client has all that was promised
STREAMING_LEFT: Final = 13  # CloseStream; the answer to a NextItem is still owed
SENDING: Final = 14  # Deliver, for a FileRange
ENDING: Final = 15  # Deliver, for End or Reset
CLOSING: Final = 16  # CloseStream or CloseFile
CLOSING_LEFT: Final = 17  # ... and the answer to a Deliver is still owed
FINISHED: Final = 18  # Finished
FINISHED_LEFT: Final = 19  # Finished; the answer to a Deliver is still owed
BROKEN: Final = 20  # the driver called out of turn: CloseStream or CloseFile, then Finished

NAMES: Final = (
    "IDLE", "IDLE_LEFT", "OPENING", "OPENING_SIBLING", "PASSING_OVER", "LISTING", "OPENING_LEFT", "PAGING",
    "PAGING_LEFT", "HEADING", "STREAMING", "FULFILLING", "FULFILLED", "STREAMING_LEFT", "SENDING", "ENDING",
    "CLOSING", "CLOSING_LEFT", "FINISHED", "FINISHED_LEFT", "BROKEN",
)  # fmt: skip
STATES: Final = tuple(range(len(NAMES)))

INPUTS: Final = (
    "start", "page_made", "opened", "open_failed", "listed", "produced", "exhausted", "stream_failed", "interrupted",
    "elapsed", "delivered", "closed", "disconnected",
)  # fmt: skip

_Guards = dict[int, str]

_AFTERWARDS: Final[_Guards] = {
    CLOSING: "something is open or was replaced unclosed",
    FINISHED: "nothing is left to close",
}
_ABSORBED: Final[_Guards] = {CLOSING: "the late answer is dropped"}
_STAYS_BROKEN: Final[_Guards] = {BROKEN: "always"}

TRANSITIONS: Final[dict[tuple[int, str], _Guards]] = {
    (IDLE, "start"): {
        OPENING: "a file is the body, and the status has content",
        HEADING: "a stream is the body, and the method and status have content",
        ENDING: "the whole response is known: buffered, or without content",
        PAGING: "412, 416 or a failure, for which the application has a page",
    },
    (IDLE, "disconnected"): {IDLE_LEFT: "always"},
    (IDLE_LEFT, "start"): _AFTERWARDS,
    (IDLE_LEFT, "disconnected"): {IDLE_LEFT: "always"},
    # Opening
    (OPENING, "opened"): {
        OPENING_SIBLING: "the client takes a coding, and precompressed siblings were asked for",
        SENDING: "there are bytes to send",
        ENDING: "none: HEAD, an empty file, 304, 412, 416, or a failure that became a 500",
        PAGING: "412, 416 or a failure, for which the application has a page",
    },
    (OPENING, "open_failed"): {
        OPENING: "another file takes its place",
        LISTING: "a listing takes its place",
        ENDING: "404, 403, 308 to the directory, or 500, whole",
        PAGING: "the application has a page for it",
    },
    (OPENING, "disconnected"): {OPENING_LEFT: "always"},
    (OPENING_SIBLING, "opened"): {
        PASSING_OVER: "the sibling is older than its file",
        SENDING: "there are bytes to send",
        ENDING: "none, as with any file",
        PAGING: "412, 416 or a failure, for which the application has a page",
    },
    (OPENING_SIBLING, "open_failed"): {
        OPENING_SIBLING: "there is none, but the client takes another coding, too",
        SENDING: "there is none: the file itself has bytes to send",
        ENDING: "the file itself has none to send, or the failure became a 500",
        PAGING: "412, 416 or a failure, for which the application has a page",
    },
    (OPENING_SIBLING, "disconnected"): {OPENING_LEFT: "always"},
    (PASSING_OVER, "closed"): {
        OPENING_SIBLING: "the client takes another coding, too",
        SENDING: "the file itself has bytes to send",
        ENDING: "it has none to send",
        PAGING: "412, 416 or a failure, for which the application has a page",
    },
    (PASSING_OVER, "disconnected"): {CLOSING: "always"},
    (LISTING, "listed"): {ENDING: "always, whole"},
    (LISTING, "open_failed"): {
        OPENING: "another file takes its place",
        ENDING: "404, 403 or 500, whole",
        PAGING: "the application has a page for it",
    },
    (LISTING, "disconnected"): {OPENING_LEFT: "always"},
    (OPENING_LEFT, "opened"): {CLOSING: "the late descriptor is closed"},
    (OPENING_LEFT, "open_failed"): _AFTERWARDS,
    (OPENING_LEFT, "listed"): _AFTERWARDS,
    (OPENING_LEFT, "disconnected"): {OPENING_LEFT: "always"},
    # A page of the application's own
    (PAGING, "page_made"): {
        OPENING: "a file is the page",
        HEADING: "a stream is",
        ENDING: "the whole page is known",
    },
    (PAGING, "disconnected"): {PAGING_LEFT: "always"},
    (PAGING_LEFT, "page_made"): _AFTERWARDS,
    (PAGING_LEFT, "disconnected"): {PAGING_LEFT: "always"},
    # A stream before its head
    (HEADING, "produced"): {
        FULFILLING: "the item can be sent, and is all that was promised",
        STREAMING: "the item can be sent",
        ENDING: "it can't: 500",
        PAGING: "it can't, and the application has a page for that",
    },
    (HEADING, "exhausted"): {
        ENDING: "an empty body, or a 500 where another length was promised",
        PAGING: "another length was promised, and the application has a page for that",
    },
    (HEADING, "stream_failed"): {
        ENDING: "500, or what a ClientError says",
        PAGING: "the application has a page for it",
        CLOSING: "the stream says that the client has left",
    },
    (HEADING, "interrupted"): {
        ENDING: "an event stream: the head, its last event, End; any other: 500",
        PAGING: "the application has a page for the 500",
    },
    (HEADING, "elapsed"): {
        STREAMING: "the head goes out without the item",
        ENDING: "the head is impossible: 500",
    },
    (HEADING, "disconnected"): {STREAMING_LEFT: "always"},
    # A stream after its head
    (STREAMING, "produced"): {
        FULFILLING: "the item can be sent, and is the last of what was promised",
        STREAMING: "the item can be sent",
        ENDING: "it can't, or is more than was promised: Reset",
    },
    (STREAMING, "exhausted"): {ENDING: "End, or Reset where less came than was promised"},
    (STREAMING, "stream_failed"): {ENDING: "Reset", CLOSING: "the stream says that the client has left"},
    (STREAMING, "interrupted"): {ENDING: "an event stream: its last event, End; any other: Reset"},
    (STREAMING, "elapsed"): {STREAMING: "a heartbeat, where there is one"},
    (STREAMING, "disconnected"): {STREAMING_LEFT: "always"},
    (FULFILLING, "delivered"): {
        FULFILLED: "always: the stream has still to say that it has ended",
        ENDING: "it could not be sent: Reset",
    },
    (FULFILLING, "disconnected"): {CLOSING_LEFT: "always: the stream is open"},
    (FULFILLED, "produced"): {
        FULFILLED: "the item is empty",
        ENDING: "it is not: Reset",
    },
    (FULFILLED, "exhausted"): {ENDING: "End"},
    (FULFILLED, "stream_failed"): {ENDING: "Reset", CLOSING: "the stream says that the client has left"},
    (FULFILLED, "interrupted"): {ENDING: "an event stream: End; any other: Reset"},
    (FULFILLED, "elapsed"): {FULFILLED: "nothing more may be sent"},
    (FULFILLED, "disconnected"): {STREAMING_LEFT: "always, and the response is complete"},
    (STREAMING_LEFT, "produced"): _ABSORBED,
    (STREAMING_LEFT, "exhausted"): _ABSORBED,
    (STREAMING_LEFT, "stream_failed"): _ABSORBED,
    (STREAMING_LEFT, "interrupted"): _ABSORBED,
    (STREAMING_LEFT, "elapsed"): {STREAMING_LEFT: "the step is still under way"},
    (STREAMING_LEFT, "closed"): _AFTERWARDS,
    (STREAMING_LEFT, "disconnected"): {STREAMING_LEFT: "always"},
    # Handed out, not yet performed
    (SENDING, "delivered"): {
        SENDING: "another part follows",
        ENDING: "End, or Reset where fewer bytes left than were announced",
    },
    (SENDING, "disconnected"): {CLOSING_LEFT: "always: the file is open"},
    (ENDING, "delivered"): _AFTERWARDS,
    (ENDING, "disconnected"): {
        CLOSING_LEFT: "something is open or was replaced unclosed",
        FINISHED_LEFT: "nothing is left to close",
    },
    # Cleaning up
    (CLOSING, "closed"): _AFTERWARDS,
    (CLOSING, "disconnected"): {CLOSING: "always"},
    (CLOSING_LEFT, "delivered"): _ABSORBED,
    (CLOSING_LEFT, "closed"): _AFTERWARDS,
    (CLOSING_LEFT, "disconnected"): {CLOSING_LEFT: "always"},
    (FINISHED, "disconnected"): {FINISHED: "always"},
    (FINISHED_LEFT, "delivered"): {FINISHED: "the late answer is dropped"},
    (FINISHED_LEFT, "disconnected"): {FINISHED_LEFT: "always"},
    (BROKEN, "closed"): _STAYS_BROKEN,
    (BROKEN, "disconnected"): _STAYS_BROKEN,
}
