"""HTTP responses as a typed core without I/O. See README.md and docs/."""

from heaven_core.app import App
from heaven_core.binaryfile import BinaryFile
from heaven_core.context import Context, Key
from heaven_core.cors import cors
from heaven_core.deferring import DeferRunner
from heaven_core.errors import (
    BadRequest,
    ClientDisconnected,
    ClientError,
    ContentTooLarge,
    LocalProtocolError,
    MethodNotAllowed,
    MissingValue,
    NotFound,
    ResponseStarted,
    UnprocessableContent,
    UnsupportedMediaType,
)
from heaven_core.events import Chunk, Deferred, DeferredCall, End, Event, FileRange, Reset, Start
from heaven_core.explain import Note
from heaven_core.headers import Headers, ResponseHeaders
from heaven_core.listing import Entry
from heaven_core.machine import Machine
from heaven_core.needs import (
    CloseFile,
    CloseStream,
    Deliver,
    FileInfo,
    Finished,
    ListDirectory,
    Need,
    NextItem,
    OpenFile,
    UseFile,
)
from heaven_core.outcome import Outcome
from heaven_core.replay import Replay
from heaven_core.request import BodyReader, Request
from heaven_core.response import Response
from heaven_core.runtime import Runtime
from heaven_core.sse import ServerSentEvent
from heaven_core.validators import AUTO

__all__ = [
    "AUTO",
    "App",
    "BadRequest",
    "BinaryFile",
    "BodyReader",
    "Chunk",
    "ClientDisconnected",
    "ClientError",
    "CloseFile",
    "CloseStream",
    "ContentTooLarge",
    "Context",
    "DeferRunner",
    "Deferred",
    "DeferredCall",
    "Deliver",
    "End",
    "Entry",
    "Event",
    "FileInfo",
    "FileRange",
    "Finished",
    "Headers",
    "Key",
    "ListDirectory",
    "LocalProtocolError",
    "Machine",
    "MethodNotAllowed",
    "MissingValue",
    "Need",
    "NextItem",
    "NotFound",
    "Note",
    "OpenFile",
    "Outcome",
    "Replay",
    "Request",
    "Reset",
    "Response",
    "ResponseHeaders",
    "ResponseStarted",
    "Runtime",
    "ServerSentEvent",
    "Start",
    "UnprocessableContent",
    "UnsupportedMediaType",
    "UseFile",
    "cors",
]
