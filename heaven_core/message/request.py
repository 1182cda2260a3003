"""The Request that a handler reads.

Every request makes one, and most read little of it: what can be derived is derived when it is asked for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from typing import TYPE_CHECKING, Final, Generic, TypedDict, cast, final

from heaven_core._typing import T_co, override
from heaven_core.errors import BadRequest
from heaven_core.http.cookies import Cookies, parse_cookies
from heaven_core.http.headers import Fields, Headers, ReceivedFields
from heaven_core.http.http1 import check_request_head
from heaven_core.http.json_codec import read_json
from heaven_core.http.negotiation import accepts, parse_media_type
from heaven_core.http.query import Query
from heaven_core.http.text_codec import decode_text
from heaven_core.http.uri import decode_path, encode_path, find_host, make_url, split_target
from heaven_core.message.params import NO_PARAMS, Params
from heaven_core.message.request_body import BodyReader, BodyStream, Presence, check_announced, read_whole
from heaven_core.schema.schema import Schema

if TYPE_CHECKING:
    from heaven_core.app.app import App

__all__ = ["BodyReader", "Origin", "Presence", "Request"]


_DEFAULT_LIMIT: Final = 16 * 1024 * 1024


class Origin(TypedDict, total=False):
    """How and where a request arrived: what few handlers ask for, by the names that ASGI gives it.

    A mapping that a server has anyway is taken as it is: to copy seven values out of it for each request would cost
    more than matching the route.
    """

    scheme: str
    http_version: str
    root_path: str
    raw_path: bytes | None
    server: tuple[str, int | None] | None
    client: tuple[str, int] | None


_NO_ORIGIN: Final[Origin] = {}


@final
class _Unset:
    """The type of a value that nobody has set yet, since `None` may be one."""

    __slots__ = ()


_UNSET: Final = _Unset()


@final
class Request(Generic[T_co]):
    """One request. `T_co` is what its route's schema expects: the type of `req.data`.

    - `method`: as sent; methods are case-sensitive (RFC 9110 §9.1);
    - `path`: below `root_path`, percent-decoded once as UTF-8, so that `%2F` is a slash; what routes are matched with;
    - `query_string`: after the `?`, as sent; `query` reads it;
    - `fields`: the header lines, names in lower case; `headers` reads them;
    - `params`: what the route's pattern found: `params["name"]`, `params.int("id")`, and `params["*"]` for the rest;
    - `origin`: how and where it arrived; `scheme`, `http_version`, `root_path`, `server` and `client` read it. A driver
      may give a function that is called when somebody asks, since most handlers don't.

    `reader` is where the driver gives the body, `None` if the request has none; `limit` is the most bytes of it that
    are read. `presence` is where it knows whether the client is still there, `None` where it can't. `app` may be set
    later, and is by `App.respond`.
    """

    __slots__ = (
        "_app", "_body", "_cookies", "_data", "_headers", "_json", "_origin", "_query", "_taken",
        "fields", "limit", "method", "params", "path", "presence", "query_string", "reader",
    )  # fmt: skip

    def __init__(
        self,
        method: str,
        path: str,
        query_string: bytes = b"",
        fields: Fields = (),
        reader: BodyReader | None = None,
        origin: Origin | Callable[[], Origin] = _NO_ORIGIN,
        app: App | None = None,
    ) -> None:
        self.method: Final = method
        self.path: Final = path or "/"  # a mounted app gets no path at all for its root
        self.query_string: Final = query_string
        self.fields: Final = fields
        self.reader: Final = reader
        self._origin = origin
        self.params: Params = NO_PARAMS
        self.limit: int = _DEFAULT_LIMIT
        self.presence: Presence | None = None
        self._headers: Headers | None = None
        self._query: Query | None = None
        self._cookies: Cookies | None = None
        self._body: bytes | None = None
        self._taken = False
        self._json: object = _UNSET
        self._data: object = _UNSET
        self._app = app

    @staticmethod
    def from_wire(
        method: str,
        target: bytes,
        lines: Iterable[tuple[bytes, bytes]],
        reader: BodyReader | None = None,
        *,
        scheme: str = "http",
        http_version: str = "1.1",
        server: tuple[str, int | None] | None = None,
        client: tuple[str, int] | None = None,
    ) -> Request[object]:
        """A request as a server of HTTP/1 reads it: `target` as it was sent, `lines` with names in any case.

        The host of a target in absolute form takes the place of Host (RFC 9112 §3.2.2). For CONNECT, whose target is
        no path, the path is `*`. Raises `BadRequest` for a target that is none, a method or name that is no token, a
        CR, LF or NUL in a value, more than one Host, and none in HTTP/1.1 (§3.2). The length of the body is for the
        server to find out (§6).
        """
        fields = [(name.lower(), value) for name, value in lines]
        check_request_head(method, fields, http_version)
        path, query, authority = split_target(method, target)
        if authority is not None:
            fields = [(b"host", authority), *[line for line in fields if line[0] != b"host"]]
        origin: Origin = {
            "scheme": scheme, "http_version": http_version, "raw_path": path, "server": server, "client": client
        }  # fmt: skip
        return Request(method, decode_path(path), query, fields, reader, origin)

    @property
    def origin(self) -> Origin:
        """How and where it arrived, by the names that ASGI gives it."""
        origin = self._origin
        if callable(origin):
            origin = self._origin = origin()
        return origin

    @property
    def scheme(self) -> str:
        """The scheme: "http" or "https"."""
        return self.origin.get("scheme", "http")

    @property
    def http_version(self) -> str:
        """The version: "1.0", "1.1", "2" or "3"."""
        version = self.origin.get("http_version", "1.1")
        return "1.0" if version == "1" else version  # granian's word for it

    @property
    def root_path(self) -> str:
        """Where the app is mounted, decoded: "" or "/app"."""
        return self.origin.get("root_path", "")

    @property
    def server(self) -> tuple[str, int | None] | None:
        """Our address and port; the path of a unix socket and `None`; or `None`."""
        return self.origin.get("server")

    @property
    def client(self) -> tuple[str, int] | None:
        """The peer's address and port, or `None` where there is none, as on a unix socket."""
        return self.origin.get("client")

    @property
    def headers(self) -> Headers:
        """The header lines, as a case-insensitive multimap."""
        if self._headers is None:
            self._headers = Headers(self.fields)
        return self._headers

    @property
    def query(self) -> Query:
        """The fields of the query, as a multimap: `req.query["q"]` is the first value, and a 400 if there is none."""
        if self._query is None:
            self._query = Query(self.query_string)
        return self._query

    @property
    def cookies(self) -> Cookies:
        """The cookies by name: the first of equal names, quotes removed, nothing decoded.

        `req.cookies["session"]` of one that the client did not send is a 400, `req.cookies.get("session")` is `None`.
        """
        if self._cookies is None:
            self._cookies = parse_cookies(self.headers.get_all("cookie"))
        return self._cookies

    @property
    def raw_path(self) -> bytes:
        """The whole path as the client sent it; where the server does not tell, `root_path` and `path` encoded."""
        return self.origin.get("raw_path") or encode_path(self.root_path + self.path)

    @property
    def host(self) -> str:
        """The host asked for, with its port where the client gave one: `example.com`, `[::1]:8000`. In lower case.

        Without a Host, the server's own address. It is the client's word: not a fact to build links in mails from.
        Raises `BadRequest` for more than one Host, and for one that is malformed (RFC 9112 §3.2).
        """
        return find_host(self.headers.get_all("host"), self.scheme, self.server)

    @property
    def url(self) -> str:
        """What the client asked for: scheme, host, path and query, percent-encoded. Raises as `host` does."""
        return make_url(self.scheme, self.host, self.raw_path, self.query_string)

    @property
    def last_event_id(self) -> str | None:
        """The id of the last event that a reconnecting `EventSource` has seen, `None` on its first connection.

        Decoded as UTF-8, as browsers send it, unlike other fields (WHATWG HTML §9.2.4).
        """
        lines: ReceivedFields = self.fields
        for line in lines:
            if line[0] == b"last-event-id":
                return line[1].decode("utf-8", "replace")
        return None

    def accepts(self, *offers: str) -> str | None:
        """Which of these media types the client likes best, by its Accept; `None` if it takes none of them.

        The order decides between those wanted equally, and where the client does not say. Raises `ValueError` for an
        offer that is no media type, and without any.
        """
        return accepts(self.headers.get_all("accept"), offers)

    @property
    def body(self) -> bytes:
        """The whole body. Raises `RuntimeError` where it has not been read."""
        if self._body is not None:
            return self._body
        if self.reader is None:
            return b""
        raise RuntimeError(
            "the body of this request has not been read: a route with stream=True takes it from req.stream(), "
            "and a before-hook that wants it is registered with body=True"
        )

    @property
    def text(self) -> str:
        """The body as text, in the charset of Content-Type, else UTF-8.

        Raises `BadRequest`, a 400 if nobody catches it, for text that is not of its charset and for a charset that is
        unknown.
        """
        media_type = parse_media_type(self.headers.get("content-type", "") or "")
        charset = "utf-8" if media_type is None else media_type[1].get("charset", "utf-8")
        return decode_text(self.body, charset)

    @property
    def json(self) -> object:
        """The body read as JSON in UTF-8 (RFC 8259), whatever its Content-Type.

        Raises `BadRequest`, a 400 if nobody catches it, for everything else: NaN, nesting too deep, numbers of
        thousands of digits.
        """
        if self._json is _UNSET:
            try:
                self._json = read_json(self.body.decode("utf-8-sig"))
            except (ValueError, RecursionError) as error:
                raise BadRequest(f"the body is no JSON: {_why(error)}") from None
        return self._json

    @property
    def data(self) -> T_co:
        """What the schema of the route has made of the body. Raises `RuntimeError` where there is none."""
        if self._data is _UNSET:
            raise RuntimeError(
                "this request has no data: its route has no schema with expects=, or the body is not read yet"
            )
        # The schema decodes to what it expects, and a route takes only a handler of a Request of that.
        return cast(T_co, self._data)

    def decode_data(self, schema: Schema) -> None:
        """Have `schema` make `data` of the body, if it expects something. Raises what `Schema.decode` does."""
        if schema.expects is not None:
            self._data = schema.decode(self.body, self.headers.get("Content-Type"))

    @property
    def app(self) -> App:
        """The app that answers this request, with what it keeps for the whole process.

        Raises `RuntimeError` for a request that no app was given.
        """
        if self._app is None:
            raise RuntimeError("this request has no app: it was not given to App.respond()")
        return self._app

    @app.setter
    def app(self, app: App) -> None:
        self._app = app

    async def read_body(self, limit: int) -> None:
        """Read the whole body, for `body`, `text` and `json`. For drivers and hooks; a second time does nothing.

        Raises `ContentTooLarge` beyond `limit` bytes, without reading any where Content-Length says so, and
        `ClientDisconnected`.
        """
        if self._body is None and self.reader is not None:
            self._take()
            check_announced(self.fields, limit)
            self._body = await read_whole(self.reader, limit)

    async def is_disconnected(self) -> bool:
        """Whether nobody waits for the answer any more, for a handler that is slow.

        False also where the driver can't tell. A client that has only ended its own sending looks like one that has
        left, and still gets the answer.
        """
        return self.presence is not None and await self.presence.has_left()

    def stream(self) -> AsyncIterator[bytes]:
        """The body piece by piece, once: `async for chunk in req.stream()`. One that was read whole is one piece.

        Raises `ContentTooLarge` and, while it is iterated, `ClientDisconnected`; `RuntimeError` the second time.
        """
        if self._body is not None or self.reader is None:
            return BodyStream(_Read(self._body or b""), len(self._body or b""))
        self._take()
        check_announced(self.fields, self.limit)
        return BodyStream(self.reader, self.limit)

    def _take(self) -> None:
        if self._taken:
            raise RuntimeError("the body of this request is read once, and has been: keep what req.stream() gave")
        self._taken = True

    @override
    def __repr__(self) -> str:
        return f"<Request {self.method} {self.path!r}>"


@final
class _Read:
    """A reader of a body that is here already."""

    __slots__ = ("_body",)

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def read(self) -> bytes:
        body, self._body = self._body, b""
        return body


def _why(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    if isinstance(error, UnicodeDecodeError):
        return f"no UTF-8 at byte {error.start}"
    return str(error)
