"""URIs (RFC 3986): where a redirect leads, and what a request was sent to."""

from __future__ import annotations

import re
from typing import Final
from unicodedata import category, normalize
from urllib.parse import quote, unquote_to_bytes

from heaven_core._checks import check_str
from heaven_core.errors import BadRequest

__all__ = ["decode_path", "encode_path", "find_host", "make_location", "make_url", "split_target"]

# Nothing to do for an absolute path and query of these; the second character keeps `//host` out.
_PLAIN_PATH: Final = re.compile(r"/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@?][A-Za-z0-9\-._~!$&'()*+,;=:@?/]*)?")
# RFC 3986 Appendix B, with the scheme's own alphabet (§3.1): always matches a text without line breaks.
_PARTS: Final = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):)?(?://(?P<authority>[^/?#]*))?"
    r"(?P<path>[^?#]*)(?P<query>\?[^#]*)?(?P<fragment>#.*)?"
)

_HOST_AND_PORT: Final = re.compile(r"(?P<host>\[[^\[\]]*\]|[^:\[\]]*)(?P<port>:[0-9]*)?")

_IP_LITERAL: Final = re.compile(r"\[(?:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*|v[0-9A-Fa-f]+\.[A-Za-z0-9\-._~!$&'()*+,;=:]+)\]")
# Whatever may not stand in a path, query or fragment (§3.3 to §3.5), and a % that starts no %XX (§2.1).
_ILLEGAL: Final = re.compile(r"%(?![0-9A-Fa-f]{2})|[^A-Za-z0-9\-._~!$&'()*+,;=:@/?%]")

_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")

_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")

# UTS 46: what mapping a domain name drops, and what it keeps although case folding would change it.
_IGNORED_IN_HOST: Final = re.compile("[\u00ad\u200b\u2060\ufe00-\ufe0f\ufeff]")

_KEPT_IN_HOST: Final = {"ß": "ß", "ẞ": "ß", "ς": "ς"}

# In characters (RFC 1035 §2.3.4); a name may end in a dot.
_LONGEST_LABEL: Final = 63
_LONGEST_HOST: Final = 254

_MOST_SHOWN: Final = 200

_JOINERS: Final = frozenset("\u200c\u200d")
# All of ASCII but a-z, 0-9, dot, hyphen and underscore. Said the other way round, with everything beyond ASCII among
# what is allowed, it takes 3 ms to compile (benchmarks/import_time.py).
_BAD_ASCII_IN_HOST: Final = re.compile("[\x00-,/:-^`{-\x7f]")


# RFC 9110 §7.2, RFC 3986 §3.2.2: a name, an IPv4 address or an IPv6 address in brackets, and a port. Of what a
# registered name may have in theory only what occurs is taken: what is left can stand in a URL, a mail and a page.
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z._~-]+)(?::([0-9]{0,5}))?")

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}

_HIGHEST_PORT: Final = 65535

_NOT_IN_TARGET: Final = re.compile(rb"[\x00-\x20#\x7f]")
_AUTHORITY_FORM: Final = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[^\[\]:/?@]+):[0-9]{1,5}")
_ABSOLUTE_FORM: Final = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://([^/?]*)")

# RFC 3986 §3.3 and §3.4 beside the unreserved characters, and the % of what is encoded already.
_IN_PATH: Final = "/:@!$&'()*+,;=%"

_IN_QUERY: Final = _IN_PATH + "?"


def make_location(location: str, *, local: bool = False) -> str:
    """`location` as a legal URI-reference, for the Location field (RFC 9110 §10.2.2).

    Non-ASCII characters are percent-encoded as UTF-8, so are blanks, brackets outside an IP address and
    whatever else may not stand in a URI; `%XX` is kept, a lone `%` becomes `%25`; a non-ASCII host goes by
    IDNA. With `local=True` only a reference that stays on this origin passes, so that a client's text can't
    lead away.

    Raises `TypeError` if it is no `str`. Raises `ValueError` if it is empty, has a control character or a
    lone surrogate, names no valid host where one must stand, or, with `local`, names an origin.
    """
    location = check_str("a location", location)
    if _PLAIN_PATH.fullmatch(location) is not None:
        return location
    if not location:
        raise ValueError(
            "an empty location leads nowhere: browsers ignore it. Write the path, or req.path for this one"
        )
    if _CONTROL.search(location) is not None:
        raise ValueError(
            f"a control character in a location could forge another header line; percent-encode it: {_shown(location)}"
        )
    if _SURROGATE.search(location) is not None:
        raise ValueError(f"a lone surrogate in a location can't be written as UTF-8: {_shown(location)}")
    parts = _PARTS.fullmatch(location)
    assert parts is not None, "the pattern matches every text without line breaks"
    scheme, authority = parts["scheme"], parts["authority"]
    # To a browser a backslash is a slash: `/\host` and `\\host` lead to another host as `//host` does.
    if local and (scheme is not None or location.replace("\\", "/").startswith("//")):
        raise ValueError(f"this location leads to another origin, and local=True allows none: {_shown(location)}")
    text = "" if scheme is None else f"{scheme}:"
    if authority is not None:
        text += f"//{_authority(authority, location)}"
    elif scheme is not None and scheme.lower() in ("http", "https"):
        raise ValueError(f"{scheme}: must be followed by // and a host (RFC 9110 §4.2): {_shown(location)}")
    path = _encode(parts["path"])
    if scheme is None and authority is None and ":" in path.partition("/")[0]:
        path = f"./{path}"  # else what stands before the colon would be read as a scheme (RFC 3986 §4.2)
    return text + path + _encode_after_mark(parts["query"]) + _encode_after_mark(parts["fragment"])


def _encode(text: str) -> str:
    return _ILLEGAL.sub(lambda match: quote(match[0], safe=""), text)


def _encode_after_mark(text: str | None) -> str:
    """A query or fragment; only its first character may be the mark that starts it, `?` or `#`."""
    return "" if text is None else text[0] + _encode(text[1:])


def _authority(authority: str, location: str) -> str:
    userinfo, at, host_and_port = authority.rpartition("@")
    parts = _HOST_AND_PORT.fullmatch(host_and_port)
    if parts is None:
        raise ValueError(f"{_shown(host_and_port)} is no host and port (RFC 3986 §3.2): {_shown(location)}")
    host, port = parts["host"], parts["port"] or ""
    if not host:
        raise ValueError(f"there is no host after the // of this location: {_shown(location)}")
    if host.startswith("["):
        if _IP_LITERAL.fullmatch(host) is None:
            raise ValueError(f"{_shown(host)} is no IP address (RFC 3986 §3.2.2): {_shown(location)}")
    elif host.isascii():
        host = _encode(host)
    else:
        host = _ascii_host(host, location)
    return _encode(userinfo).replace("@", "%40") + at + host + port


def _ascii_host(host: str, location: str) -> str:
    """A domain name with non-ASCII labels in the form that DNS knows (RFC 5891 §4).

    Mapped as browsers do it (UTS 46, non-transitional), so that `straße.de` leads where a click on it leads.
    Python's own `idna` codec is of 2003 and would go to another host, `strasse.de`.
    """
    # Before any work on it, which grows faster than the text: normalising, and punycode.
    if len(host) > _LONGEST_HOST:
        raise _no_domain_name(host, location)
    mapped = _fold(_fold(_IGNORED_IN_HOST.sub("", host))).replace("\u3002", ".")
    # A slash, an @ or a colon that was no such thing before mapping would make another URI of this one.
    if _BAD_ASCII_IN_HOST.search(mapped) is not None or not all(map(_may_stand_in_host, mapped)):
        raise ValueError(f"{_shown(host)} has a character that no domain name may have (RFC 5891): {_shown(location)}")
    parts = mapped.split(".")
    if max(map(len, parts)) > _LONGEST_LABEL:  # what is encoded is longer still
        raise _no_domain_name(host, location)
    labels = [_ascii_label(label, location) for label in parts]
    name = ".".join(labels)
    if "" in labels[:-1] or max(map(len, labels)) > _LONGEST_LABEL or len(name) > _LONGEST_HOST or not name:
        raise _no_domain_name(host, location)
    return name


def _no_domain_name(host: str, location: str) -> ValueError:
    return ValueError(
        f"{_shown(host)} is no domain name: a label has 1 to 63 characters, the whole at most 253: {_shown(location)}"
    )


def _shown(location: str) -> str:
    """A location in a message. It may be the client's, and of any length."""
    return repr(location[:_MOST_SHOWN]) + ("..." if len(location) > _MOST_SHOWN else "")


def _fold(text: str) -> str:
    return normalize("NFKC", "".join(_KEPT_IN_HOST.get(char, char.casefold()) for char in text))


def _may_stand_in_host(char: str) -> bool:
    """Whether `char` is no blank, invisible, unassigned or private one; joiners are letters to some scripts."""
    return category(char)[0] not in "CZ" or char in _JOINERS


def _ascii_label(label: str, location: str) -> str:
    if label.isascii():
        return label
    if label.startswith("xn--") or category(label[0])[0] == "M":
        raise ValueError(f"{_shown(label)} is no label of a domain name (RFC 5891 §4.2.3): {_shown(location)}")
    return f"xn--{label.encode('punycode').decode('ascii')}"


def split_target(method: str, target: bytes) -> tuple[bytes, bytes, bytes | None]:
    """The path, the query and, where it has one, the authority of a request-target (RFC 9112 §3.2).

    They are as the client sent them, without the `?`. The path is `*` for OPTIONS in asterisk-form, and for CONNECT,
    whose target is an authority. Raises `BadRequest` for a target in no form that the method has, and for one with a
    blank or a control character in it.
    """
    if _NOT_IN_TARGET.search(target) is not None:
        raise BadRequest(
            f"the target of the request has a blank, a control character or a fragment: {target[:_MOST_SHOWN]!r}"
        )
    if method == "CONNECT":
        if _AUTHORITY_FORM.fullmatch(target) is None:
            raise BadRequest(
                f"the target of the request is no host with a port, as CONNECT has it: {target[:_MOST_SHOWN]!r}"
            )
        return b"*", b"", target
    if target == b"*" and method == "OPTIONS":
        return target, b"", None
    authority: bytes | None = None
    if not target.startswith(b"/"):
        found = _ABSOLUTE_FORM.match(target)
        if found is None:
            raise BadRequest(f"the target of the request is neither a path nor a URL: {target[:_MOST_SHOWN]!r}")
        named: bytes = found[1]
        authority = named
        host = named.rpartition(b"@")[2]
        if not host or host.startswith(b":"):
            raise BadRequest(
                f"the target of the request is a URL without a host (RFC 9110 §4.2.1): {target[:_MOST_SHOWN]!r}"
            )
        target = target[found.end() :]
        if not target and method == "OPTIONS":
            return b"*", b"", authority  # RFC 9112 §3.2.4
        if not target.startswith(b"/"):
            target = b"/" + target  # RFC 9110 §4.2.3: an empty path is that of the root
    path, _, query = target.partition(b"?")
    return path, query, authority


def decode_path(path: bytes) -> str:
    """A path percent-decoded once, as UTF-8; what is no UTF-8 becomes U+FFFD."""
    return (unquote_to_bytes(path) if b"%" in path else path).decode("utf-8", "replace")


def find_host(values: list[str], scheme: str, server: tuple[str, int | None] | None) -> str:
    """The host that the client asked for, in lower case, with the port if it gave one.

    `values` are the lines of Host. Without one (HTTP/1.0), or with an empty one, the address of the `server`, whose
    port is left off where it is the scheme's. Raises `BadRequest` for two lines and for what is no host (RFC 9112
    §3.2).
    """
    if len(values) > 1:
        raise BadRequest("the request has more than one Host")
    if values and values[0]:
        host = _parse_host(values[0])
        if host is None:
            raise BadRequest(f"the Host of the request is no host: {_shown(values[0])}")
        return host
    if server is None:
        return "localhost"
    address, port = server
    if ":" in address and not address.startswith("["):
        address = f"[{address}]"
    if port is not None and port != _DEFAULT_PORTS.get(scheme):
        address = f"{address}:{port}"
    return _parse_host(address) or "localhost"  # a unix socket's address is a path


def encode_path(path: str) -> bytes:
    """A decoded path as a client would have sent it, where its own form is not known."""
    return quote(path, _IN_PATH.replace("%", ""), errors="replace").encode("ascii")


def make_url(scheme: str, host: str, raw_path: bytes, query_string: bytes) -> str:
    """The URL that was asked for; what may not stand in one is percent-encoded. `OPTIONS *` has no path."""
    path = "" if raw_path == b"*" else quote(raw_path, _IN_PATH)
    query = "?" + quote(query_string, _IN_QUERY) if query_string else ""
    return f"{scheme}://{host}{path}{query}"


def _parse_host(text: str) -> str | None:
    found = _HOST.fullmatch(text)
    if found is None:
        return None
    host: str = found[1]
    port: str | None = found[2]
    if not port:  # RFC 3986 §3.2.3: a colon without a port says no more than none
        return host.lower()
    return f"{host.lower()}:{port}" if int(port) <= _HIGHEST_PORT else None
