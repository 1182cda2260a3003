"""What the fast lane accepts, h11 accepts, with equal results; and what is plain, the fast lane accepts."""

from __future__ import annotations

import string
from typing import Final

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaven_socket import Limits, RemoteProtocolError, RequestHead
from heaven_socket.fast_lane import read_plain_head
from heaven_socket.judge import judge_head

LIMITS: Final = Limits()

# Each part is now plain, now next to plain, now anything.
METHODS: Final = st.sampled_from(
    [b"GET", b"HEAD", b"POST", b"OPTIONS", b"CONNECT", b"get", b"G T", b"BREW", b"", b"GET\0"]
)
VISIBLE: Final = st.text(alphabet=[chr(code) for code in range(0x20, 0x7F)], max_size=12).map(str.encode)
TARGETS: Final = st.one_of(
    st.sampled_from(
        [b"/", b"*", b"//x", b"/a?b=c", b"/%2F%zz", b"http://test/x", b"/a#b", b"test:80", b"", b"/a b", b"/\x7f"]
    ),
    VISIBLE.map(lambda text: b"/" + text),
    st.binary(max_size=6),
)
VERSIONS: Final = st.sampled_from([b"HTTP/1.1", b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2.0", b"http/1.1", b"HTTP/1.1 ", b""])
_NAMES: Final = (
    b"Host", b"host", b"Content-Length", b"Transfer-Encoding", b"Connection", b"Expect", b"Upgrade", b"X-A",
    b"content-length ", b" Host", b"Cookie", b"X_Y", b"!#$%&'*+-.^_`|~", b"",
)  # fmt: skip
NAMES: Final = st.one_of(
    st.sampled_from(_NAMES), st.text(alphabet=string.ascii_letters + "-_()\t", max_size=5).map(str.encode)
)
_VALUES: Final = (
    b"test", b"test:80", b"test:99999", b"u@test", b"", b" ", b"chunked", b"close", b"keep-alive, close", b"3",
    b"3, 3", b"03", b"+3", b"3 ", b"100-continue", b"a\tb", b"a\x01b", b"a\0b", b"\xc3\xa4", b"a\rb", b"a\nb",
)  # fmt: skip
VALUES: Final = st.one_of(st.sampled_from(_VALUES), VISIBLE, st.binary(max_size=5))
COLONS: Final = st.sampled_from([b":", b": ", b":\t ", b" :", b""])
ENDS: Final = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b"\r\n ", b""])


@st.composite
def heads(draw: st.DrawFn) -> bytes:
    """A head that is plain but for perhaps one or two things."""
    odd = draw(st.integers(0, 2))
    where = {draw(st.integers(0, 9)) for _ in range(odd)}
    method = draw(METHODS) if 0 in where else b"GET"
    target = draw(TARGETS) if 1 in where else b"/a?b"
    version = draw(VERSIONS) if 2 in where else draw(st.sampled_from([b"HTTP/1.1", b"HTTP/1.0"]))
    lines = [(b"Host", b": ", b"test:8000", b"\r\n")] if 3 not in where else []
    for _ in range(draw(st.integers(0, 3))):
        name = (
            draw(NAMES) if 4 in where else draw(st.sampled_from([b"X-A", b"Accept", b"Connection", b"Content-Length"]))
        )
        value = draw(VALUES) if 5 in where else draw(st.sampled_from([b"3", b"close", b"*/*;q=0.1, x", b"keep-alive"]))
        colon = draw(COLONS) if 6 in where else b": "
        lines.append((name, colon, value, draw(ENDS) if 7 in where else b"\r\n"))
    lines = draw(st.permutations(lines))
    first = b" ".join([method, target, version]) + (draw(ENDS) if 8 in where else b"\r\n")
    return first + b"".join([b"".join(line) for line in lines]) + b"\r\n"


def by_h11(data: bytes) -> tuple[object, ...] | None:
    """What h11 alone makes of a head, `None` where it refuses it, or reads another one."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=LIMITS.head_size)
    try:
        connection.receive_data(data)
        request = connection.next_event()
    except h11.RemoteProtocolError:
        return None
    if not isinstance(request, h11.Request) or connection.trailing_data[0]:
        return None
    return request.method, request.target, request.http_version, list(request.headers)


def same_as_h11(head: RequestHead) -> tuple[object, ...]:
    return head.method.encode(), head.target, head.http_version.encode(), list(head.fields)


@given(heads())
def test_what_it_accepts_h11_and_the_rules_around_it_accept_with_equal_results(data: bytes) -> None:
    head = read_plain_head(data, LIMITS)
    if head is None:
        return
    assert same_as_h11(head) == by_h11(data)
    judged = judge_head(data, LIMITS)
    assert (judged.method, judged.target, judged.path, judged.query) == (
        head.method,
        head.target,
        head.path,
        head.query,
    )
    assert (judged.http_version, judged.length, judged.keep_alive, judged.expects) == (
        head.http_version, head.length, head.keep_alive, head.expects,
    )  # fmt: skip
    assert list(judged.fields) == list(head.fields)


@given(st.binary(max_size=200))
def test_garbage_is_left_to_h11(data: bytes) -> None:
    head = read_plain_head(data, LIMITS)
    assert head is None or same_as_h11(head) == by_h11(data)


@given(
    st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]),
    st.text(alphabet=string.ascii_letters + string.digits + "/?%&=+-._~", max_size=20),
    st.lists(
        st.tuples(
            st.sampled_from(["Accept", "User-Agent", "Cookie", "Origin", "If-None-Match", "Range"]),
            st.text(alphabet=string.ascii_letters + string.digits + ' ",;=*/()', max_size=20),
        ),
        max_size=5,
    ),
)
def test_it_accepts_what_is_plain(method: str, rest: str, fields: list[tuple[str, str]]) -> None:
    """Or it would be no fast lane."""
    lines = [f"{name}: {value}" for name, value in [("Host", "example.com:8080"), *fields]]
    data = "\r\n".join([f"{method} /{rest} HTTP/1.1", *lines, "", ""]).encode()
    head = read_plain_head(data, LIMITS)
    assert head is not None
    assert same_as_h11(head) == by_h11(data)


def test_the_same_lines_again_are_looked_up_and_say_the_same() -> None:
    """The request line is another, and so may be the version."""
    lines = b"\r\nHost: test\r\nX-Once: kept\r\nConnection: keep-alive\r\nContent-Length: 7\r\n\r\n"
    first = read_plain_head(b"POST /a HTTP/1.1" + lines, LIMITS)
    again = read_plain_head(b"PUT /b HTTP/1.0" + lines, LIMITS)
    assert first is not None
    assert again is not None
    assert first.fields is again.fields
    assert (again.method, again.path, again.http_version, again.length, again.keep_alive) == (
        "PUT",
        b"/b",
        "1.0",
        7,
        True,
    )


def test_what_is_kept_is_bounded() -> None:
    from heaven_socket import fast_lane

    kept = fast_lane._KEPT  # pyright: ignore[reportPrivateUsage]  # what has to be seen from outside is its size
    for number in range(1000):
        assert read_plain_head(b"GET / HTTP/1.1\r\nHost: test\r\nX: %d\r\n\r\n" % number, LIMITS) is not None
        assert len(kept) <= 256
    long = b"GET / HTTP/1.1\r\nHost: test\r\nX: %s\r\n\r\n" % (b"y" * 2000)
    assert read_plain_head(long, LIMITS) is not None
    assert max(map(len, kept)) <= 1024


@pytest.mark.parametrize(("limits", "status"), [(Limits(fields=2), 431), (Limits(target_size=3), 414)])
def test_the_limits_hold_for_it_too(limits: Limits, status: int) -> None:
    data = b"GET /long HTTP/1.1\r\nHost: test\r\nA: 1\r\nB: 2\r\n\r\n"
    assert read_plain_head(data, LIMITS) is not None
    assert read_plain_head(data, limits) is None
    with pytest.raises(RemoteProtocolError) as raised:
        judge_head(data, limits)
    assert raised.value.status == status
