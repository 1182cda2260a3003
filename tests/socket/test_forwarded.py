"""What proxies say of the client behind them, and whose word is taken."""

from __future__ import annotations

import pytest

from heaven_socket.forwarded import Address, Proxies

PROXY = ("10.0.0.1", 5000)


@pytest.fixture
def kind() -> None:
    """No server is needed here."""


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ([], (PROXY, "http")),
        # X-Forwarded-*
        ([("x-forwarded-for", "192.0.2.1")], (("192.0.2.1", 0), "http")),
        ([("x-forwarded-for", "192.0.2.1:81")], (("192.0.2.1", 81), "http")),
        ([("x-forwarded-for", "2001:db8::1")], (("2001:db8::1", 0), "http")),
        ([("x-forwarded-for", "[2001:db8::1]:81")], (("2001:db8::1", 81), "http")),
        ([("x-forwarded-for", "192.0.2.1"), ("x-forwarded-proto", "https")], (("192.0.2.1", 0), "https")),
        ([("x-forwarded-for", "192.0.2.1"), ("x-forwarded-proto", "gopher")], (("192.0.2.1", 0), "http")),
        # Of several, up to the first that nobody vouches for: what stands before it anybody may have written.
        ([("x-forwarded-for", "6.6.6.6, 192.0.2.1")], (("192.0.2.1", 0), "http")),
        ([("x-forwarded-for", "6.6.6.6, 192.0.2.1, 10.1.1.1")], (("192.0.2.1", 0), "http")),
        ([("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "192.0.2.1, 10.1.1.1")], (("192.0.2.1", 0), "http")),
        ([("x-forwarded-for", "nobody")], (PROXY, "http")),
        ([("x-forwarded-for", "nobody, 10.1.1.1")], (("10.1.1.1", 0), "http")),
        ([("x-forwarded-for", "")], (PROXY, "http")),
        # Forwarded (RFC 7239)
        ([("forwarded", "for=192.0.2.1;proto=https")], (("192.0.2.1", 0), "https")),
        ([("forwarded", 'For="[2001:db8::1]:4711"; PROTO=https')], (("2001:db8::1", 4711), "https")),
        ([("forwarded", "for=6.6.6.6, for=192.0.2.1;proto=https")], (("192.0.2.1", 0), "https")),
        ([("forwarded", "for=192.0.2.1, for=10.1.1.1;by=x")], (("192.0.2.1", 0), "http")),
        ([("forwarded", "for=unknown")], (PROXY, "http")),
        # A quote that is left open would swallow what the proxy adds.
        ([("forwarded", 'for=6.6.6.6;x=", for=192.0.2.1')], (PROXY, "http")),
        ([("forwarded", "garbage, for=192.0.2.1")], (PROXY, "http")),
        ([("forwarded", 'for="_hidden"')], (PROXY, "http")),
    ],
)
def test_what_a_trusted_proxy_says(fields: list[tuple[str, str]], found: tuple[Address, str]) -> None:
    lines = [(name.encode(), value.encode()) for name, value in fields]
    header = "Forwarded" if fields and fields[0][0] == "forwarded" else "X-Forwarded-For"
    assert Proxies(["10.0.0.0/8"], header).find_client(lines, PROXY, "http") == found


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded"])
def test_only_the_header_that_the_proxies_write_counts(header: str) -> None:
    """nginx adds to X-Forwarded-For and passes on whatever Forwarded its client has made up."""
    said = {"Forwarded": "for=192.0.2.1;proto=https", "X-Forwarded-For": "192.0.2.2"}
    lines = [(name.lower().encode(), value.encode()) for name, value in said.items()]
    expected = (("192.0.2.1", 0), "https") if header == "Forwarded" else (("192.0.2.2", 0), "http")
    assert Proxies(["10.0.0.0/8"], header).find_client(lines, PROXY, "http") == expected


@pytest.mark.parametrize("client", [("192.0.2.7", 1), ("::1", 1), None, ("no address", 1)])
def test_nobody_else_is_believed(client: Address | None) -> None:
    lines = [(b"forwarded", b"for=6.6.6.6;proto=https"), (b"x-forwarded-for", b"6.6.6.6")]
    assert Proxies(["10.0.0.0/8"]).find_client(lines, client, "http") == (client, "http")


@pytest.mark.parametrize(
    ("trusted", "client"),
    [("unix", None), ("::1", ("::1", 5)), ("10.0.0.1", ("::ffff:10.0.0.1", 5)), ("fe80::/10", ("fe80::1%eth0", 5))],
)
def test_who_may_be_trusted(trusted: str, client: Address | None) -> None:
    """One on a unix socket has no address; an IPv4 address may come in IPv6's clothes."""
    lines = [(b"x-forwarded-for", b"192.0.2.1")]
    assert Proxies([trusted]).find_client(lines, client, "http") == (("192.0.2.1", 0), "http")


def test_what_can_not_say_whom_to_trust_is_refused() -> None:
    with pytest.raises(TypeError, match=r"\['10.0.0.0/8'\]"):
        Proxies("10.0.0.0/8")
    with pytest.raises(ValueError, match="X-Forwarded-For or Forwarded"):
        Proxies(["10.0.0.0/8"], "X-Real-IP")


@pytest.mark.parametrize("wrong", ["10.0.0.1/8", "nobody", "300.1.1.1", ""])
def test_what_is_no_peer_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Proxies([wrong])
