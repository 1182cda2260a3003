"""HTTP responses as a typed core without I/O. See README.md and docs/."""

from heaven_core._build import compiled
from heaven_core.app.app import App
from heaven_core.app.around import AroundHook
from heaven_core.app.cors import cors
from heaven_core.app.hooks import Hook
from heaven_core.app.route_method import RouteDecorator, RouteHandler, RouteMethod, UntypedRouteDecorator
from heaven_core.app.routes import Handler, Route
from heaven_core.app.static_files import HEX_HASHED, VITE_HASHED
from heaven_core.errors import (
    Abort,
    BadRequest,
    ClientDisconnected,
    ClientError,
    Conflict,
    ContentTooLarge,
    Forbidden,
    HandlerTimeout,
    LocalProtocolError,
    MethodNotAllowed,
    MissingValue,
    NotFound,
    ResponseStarted,
    TooManyRequests,
    Unauthorized,
    UnprocessableContent,
    UnsupportedMediaType,
)
from heaven_core.http.dates import format_http_date
from heaven_core.http.event_stream import ServerSentEvent
from heaven_core.http.headers import Field, Headers
from heaven_core.http.http1 import LAST_CHUNK, write_chunk, write_head
from heaven_core.http.validators import AUTO
from heaven_core.machine.machine import Machine
from heaven_core.machine.trace import Note
from heaven_core.message.bodies import AnyIterable, InOneThread
from heaven_core.message.context import Context, Key
from heaven_core.message.replay import Replay
from heaven_core.message.request import Origin, Request
from heaven_core.message.request_body import BodyReader, Presence
from heaven_core.message.response import Response
from heaven_core.message.response_headers import ResponseHeaders
from heaven_core.protocol.events import (
    Chunk,
    Deferred,
    DeferredCall,
    DeferRunner,
    End,
    Event,
    FileRange,
    Reset,
    Start,
    When,
)
from heaven_core.protocol.needs import (
    BinaryFile,
    CloseFile,
    CloseStream,
    Deliver,
    Entry,
    FileInfo,
    Finished,
    ListDirectory,
    MakePage,
    Need,
    NextItem,
    OpenFile,
    PageMaker,
    UseFile,
)
from heaven_core.protocol.outcome import Outcome, OutcomeKind
from heaven_core.runtime import Runtime

__all__ = [
    "AUTO",
    "HEX_HASHED",
    "LAST_CHUNK",
    "VITE_HASHED",
    "Abort",
    "AnyIterable",
    "App",
    "AroundHook",
    "BadRequest",
    "BinaryFile",
    "BodyReader",
    "Chunk",
    "ClientDisconnected",
    "ClientError",
    "CloseFile",
    "CloseStream",
    "Conflict",
    "ContentTooLarge",
    "Context",
    "DeferRunner",
    "Deferred",
    "DeferredCall",
    "Deliver",
    "End",
    "Entry",
    "Event",
    "Field",
    "FileInfo",
    "FileRange",
    "Finished",
    "Forbidden",
    "Handler",
    "HandlerTimeout",
    "Headers",
    "Hook",
    "InOneThread",
    "Key",
    "ListDirectory",
    "LocalProtocolError",
    "Machine",
    "MakePage",
    "MethodNotAllowed",
    "MissingValue",
    "Need",
    "NextItem",
    "NotFound",
    "Note",
    "OpenFile",
    "Origin",
    "Outcome",
    "OutcomeKind",
    "PageMaker",
    "Presence",
    "Replay",
    "Request",
    "Reset",
    "Response",
    "ResponseHeaders",
    "ResponseStarted",
    "Route",
    "RouteDecorator",
    "RouteHandler",
    "RouteMethod",
    "Runtime",
    "ServerSentEvent",
    "Start",
    "TooManyRequests",
    "Unauthorized",
    "UnprocessableContent",
    "UnsupportedMediaType",
    "UntypedRouteDecorator",
    "UseFile",
    "When",
    "compiled",
    "cors",
    "format_http_date",
    "write_chunk",
    "write_head",
]
