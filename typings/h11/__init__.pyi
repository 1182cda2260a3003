# The part of h11 that this project uses, for strict checkers.
#
# h11's sentinels (CLIENT, NEED_DATA, ...) are classes that are their own metaclass, which neither mypy nor
# pyright narrows. Declared here as the members of enums, `event is h11.NEED_DATA` narrows in both, and a forgotten
# state is a type error. At run time they are no enum members: don't use `.name`, `.value` or iteration.

from abc import ABC
from collections.abc import Sequence
from enum import Enum
from typing import ClassVar, Final, Literal, TypeAlias, final, overload

from typing_extensions import override

__version__: Final[str]
PRODUCT_ID: Final[str]

__all__ = (
    "Connection",
    "NEED_DATA",
    "PAUSED",
    "ConnectionClosed",
    "Data",
    "EndOfMessage",
    "Event",
    "InformationalResponse",
    "Request",
    "Response",
    "CLIENT",
    "CLOSED",
    "DONE",
    "ERROR",
    "IDLE",
    "MUST_CLOSE",
    "SEND_BODY",
    "SEND_RESPONSE",
    "SERVER",
    "SWITCHED_PROTOCOL",
    "ProtocolError",
    "LocalProtocolError",
    "RemoteProtocolError",
)

@final
class _Role(Enum):
    CLIENT = "CLIENT"
    SERVER = "SERVER"

@final
class _State(Enum):
    CLOSED = "CLOSED"
    DONE = "DONE"
    ERROR = "ERROR"
    IDLE = "IDLE"
    MIGHT_SWITCH_PROTOCOL = "MIGHT_SWITCH_PROTOCOL"
    MUST_CLOSE = "MUST_CLOSE"
    SEND_BODY = "SEND_BODY"
    SEND_RESPONSE = "SEND_RESPONSE"
    SWITCHED_PROTOCOL = "SWITCHED_PROTOCOL"

@final
class _NotNow(Enum):
    NEED_DATA = "NEED_DATA"
    PAUSED = "PAUSED"

CLIENT: Final = _Role.CLIENT
SERVER: Final = _Role.SERVER

CLOSED: Final = _State.CLOSED
DONE: Final = _State.DONE
ERROR: Final = _State.ERROR
IDLE: Final = _State.IDLE
MIGHT_SWITCH_PROTOCOL: Final = _State.MIGHT_SWITCH_PROTOCOL
MUST_CLOSE: Final = _State.MUST_CLOSE
SEND_BODY: Final = _State.SEND_BODY
SEND_RESPONSE: Final = _State.SEND_RESPONSE
SWITCHED_PROTOCOL: Final = _State.SWITCHED_PROTOCOL

NEED_DATA: Final = _NotNow.NEED_DATA
PAUSED: Final = _NotNow.PAUSED

# What `headers=` takes. Narrower than the runtime: pairs of one kind in one list.
_FieldsIn: TypeAlias = _Headers | list[tuple[bytes, bytes]] | list[tuple[str, str]]

class ProtocolError(Exception):
    error_status_hint: int
    def __init__(self, msg: str, error_status_hint: int = 400) -> None: ...

@final
class LocalProtocolError(ProtocolError): ...

@final
class RemoteProtocolError(ProtocolError): ...

# `h11._headers.Headers` at run time, which h11 does not export.
@final
class _Headers(Sequence[tuple[bytes, bytes]]):
    @override
    def __len__(self) -> int: ...
    @overload
    @override
    def __getitem__(self, index: int) -> tuple[bytes, bytes]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[tuple[bytes, bytes]]: ...
    def raw_items(self) -> list[tuple[bytes, bytes]]: ...

class Event(ABC): ...

@final
class Request(Event):
    __hash__: ClassVar[None]  # type: ignore[assignment]
    @property
    def method(self) -> bytes: ...
    @property
    def headers(self) -> _Headers: ...
    @property
    def target(self) -> bytes: ...
    @property
    def http_version(self) -> bytes: ...
    def __init__(
        self,
        *,
        method: bytes | str,
        headers: _FieldsIn,
        target: bytes | str,
        http_version: bytes | str = b"1.1",
    ) -> None: ...

@final
class InformationalResponse(Event):
    __hash__: ClassVar[None]  # type: ignore[assignment]
    @property
    def headers(self) -> _Headers: ...
    @property
    def http_version(self) -> bytes: ...
    @property
    def reason(self) -> bytes: ...
    @property
    def status_code(self) -> int: ...
    def __init__(
        self,
        *,
        headers: _FieldsIn,
        status_code: int,
        http_version: bytes | str = b"1.1",
        reason: bytes | str = b"",
    ) -> None: ...

@final
class Response(Event):
    __hash__: ClassVar[None]  # type: ignore[assignment]
    @property
    def headers(self) -> _Headers: ...
    @property
    def http_version(self) -> bytes: ...
    @property
    def reason(self) -> bytes: ...
    @property
    def status_code(self) -> int: ...
    def __init__(
        self,
        *,
        headers: _FieldsIn,
        status_code: int,
        http_version: bytes | str = b"1.1",
        reason: bytes | str = b"",
    ) -> None: ...

@final
class Data(Event):
    __hash__: ClassVar[None]  # type: ignore[assignment]
    @property
    def data(self) -> bytes: ...
    @property
    def chunk_start(self) -> bool: ...
    @property
    def chunk_end(self) -> bool: ...
    def __init__(self, data: bytes, chunk_start: bool = False, chunk_end: bool = False) -> None: ...

@final
class EndOfMessage(Event):
    __hash__: ClassVar[None]  # type: ignore[assignment]
    @property
    def headers(self) -> _Headers: ...
    def __init__(self, *, headers: _FieldsIn | None = None) -> None: ...

@final
class ConnectionClosed(Event): ...

_Received: TypeAlias = Request | InformationalResponse | Response | Data | EndOfMessage | ConnectionClosed

@final
class Connection:
    our_role: Literal[_Role.CLIENT, _Role.SERVER]
    their_role: Literal[_Role.CLIENT, _Role.SERVER]
    their_http_version: bytes | None
    client_is_waiting_for_100_continue: bool
    def __init__(self, our_role: _Role, max_incomplete_event_size: int = 16384) -> None: ...
    @property
    def states(self) -> dict[_Role, _State]: ...
    @property
    def our_state(self) -> _State: ...
    @property
    def their_state(self) -> _State: ...
    @property
    def they_are_waiting_for_100_continue(self) -> bool: ...
    @property
    def trailing_data(self) -> tuple[bytes, bool]: ...
    def start_next_cycle(self) -> None: ...
    def receive_data(self, data: bytes) -> None: ...
    def next_event(self) -> _Received | Literal[_NotNow.NEED_DATA, _NotNow.PAUSED]: ...
    @overload
    def send(self, event: ConnectionClosed) -> None: ...
    @overload
    def send(self, event: Request | InformationalResponse | Response | Data | EndOfMessage) -> bytes: ...
    @overload
    def send(self, event: Event) -> bytes | None: ...
    def send_with_data_passthrough(self, event: Event) -> list[bytes] | None: ...
    def send_failed(self) -> None: ...
