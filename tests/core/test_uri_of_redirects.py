"""Where a redirect leads: RFC 9110 §10.2.2, RFC 3986, and IDNA (RFC 5890 to 5895, UTS 46)."""

from __future__ import annotations

import re
from typing import cast
from urllib.parse import unquote, urljoin, urlsplit

import idna
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from heaven_core.http.uri import make_location

# RFC 3986 Appendix A, written down once more, apart from the module under test.
PCHAR = r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})"
NO_COLON = r"(?:[A-Za-z0-9\-._~!$&'()*+,;=@]|%[0-9A-Fa-f]{2})"
REG_NAME = r"(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})"
IP_LITERAL = r"\[(?:[0-9A-Fa-f:.]+|v[0-9A-Fa-f]+\.[^\]/?#]+)\]"
AUTHORITY = rf"(?:(?:{REG_NAME}|:)*@)?(?:{IP_LITERAL}|{REG_NAME}*)(?::[0-9]*)?"
ABEMPTY = rf"(?:/{PCHAR}*)*"
ABSOLUTE = rf"/(?:{PCHAR}+(?:/{PCHAR}*)*)?"
TAIL = rf"(?:\?(?:{PCHAR}|[/?])*)?(?:#(?:{PCHAR}|[/?])*)?"
URI_REFERENCE = re.compile(
    rf"(?:[A-Za-z][A-Za-z0-9+.-]*:(?://{AUTHORITY}{ABEMPTY}|{ABSOLUTE}|{PCHAR}+(?:/{PCHAR}*)*|)"
    rf"|//{AUTHORITY}{ABEMPTY}|{ABSOLUTE}|{NO_COLON}+(?:/{PCHAR}*)*|){TAIL}"
)

# Texts near the border of what is legal, more often than chance would give them.
PIECES = st.sampled_from(
    [
        "/", "//", "\\", "?", "#", ":", "@", "%", "%41", "%zz", "[", "]", "[::1]", "a", "B", "9", ".", "..",
        " ", "é", "日本", "😀", '"', "<", ">", "^", "{", "|", "}", "`", "~", "http:", "https://",
        "javascript:", "evil.example", ":80", "&", "=", "+",
        "ß", "\uff0f", "\u2100", "\u3002", "\u00ad", "xn--", "\u0301",
    ]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=8).map("".join) | st.text(max_size=12)


@pytest.mark.parametrize(
    "location",
    [
        "/",
        "/a/b;c=1?q=a+b&r=%20#top",
        "/a//b",
        "a/b",
        "../up",
        "?q=1",
        "#top",
        "?a:b",
        "./a:b",
        "https://example.com",
        "https://user:pw@example.com:8443/a?b=/?#/?",
        "//example.com/a",
        "http://[2001:db8::1]:8080/",
        "http://[::ffff:192.0.2.1]",
        "http://[v1.fe:80]/",
        "http://xn--bcher-kva.example/",
        "http://b%C3%BCcher.example/",
        "HTTP://EXAMPLE.com",
        "mailto:a@example.com",
        "http://example.com:/",
    ],
)
def test_a_legal_reference_is_left_as_it_is(location: str) -> None:
    """RFC 3986 §4.1."""
    assert make_location(location) == location


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/über uns", "/%C3%BCber%20uns"),
        ("/日本", "/%E6%97%A5%E6%9C%AC"),
        ("/?q=日#é", "/?q=%E6%97%A5#%C3%A9"),
        ('/"<>\\^`{|}', "/%22%3C%3E%5C%5E%60%7B%7C%7D"),
        ("/a[1]?b[]=2#[c]", "/a%5B1%5D?b%5B%5D=2#%5Bc%5D"),
        ("/a?b#c#d", "/a?b#c%23d"),
        (" /a ", "%20/a%20"),
        ("http://exa mple/", "http://exa%20mple/"),
        ("http://ü@x:ä@example.com/", "http://%C3%BC%40x:%C3%A4@example.com/"),
        ("/😀", "/%F0%9F%98%80"),
    ],
)
def test_a_character_that_may_not_stand_in_a_uri_is_percent_encoded(location: str, expected: str) -> None:
    """RFC 3986 §2.1, as UTF-8 (RFC 3987 §3.1)."""
    assert make_location(location) == expected


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/%41%zz", "/%41%25zz"),
        ("/100%", "/100%25"),
        ("/%e4%4", "/%e4%254"),
        ("http://a%b/", "http://a%25b/"),
    ],
)
def test_a_percent_code_is_kept_and_a_lone_percent_sign_encoded(location: str, expected: str) -> None:
    """RFC 3986 §2.4: what is encoded already must not be encoded twice."""
    assert make_location(location) == expected


@pytest.mark.parametrize(
    ("location", "expected"),
    [("1a:b", "./1a:b"), (":80/x", "./:80/x"), ("é:b/c", "./%C3%A9:b/c"), ("a b:c", "./a%20b:c")],
)
def test_a_colon_in_the_first_segment_is_no_scheme(location: str, expected: str) -> None:
    """RFC 3986 §4.2: such a segment must be preceded by a dot-segment."""
    assert make_location(location) == expected


# Hosts


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("https://bücher.example/ä", "https://xn--bcher-kva.example/%C3%A4"),
        ("//BÜCHER.Example:80", "//xn--bcher-kva.example:80"),
        ("https://u@日本語.jp", "https://u@xn--wgv71a119e.jp"),
        ("http://straße.de/", "http://xn--strae-oqa.de/"),
        ("http://STRAẞE.de/", "http://xn--strae-oqa.de/"),
        ("http://ς.example/", "http://xn--3xa.example/"),
        ("http://日本語\u3002jp\uff0e/", "http://xn--wgv71a119e.jp./"),
        ("http://Ｅxample.com/", "http://example.com/"),
        ("http://a\u00adb.example/", "http://ab.example/"),
        ("http://☃.example/", "http://xn--n3h.example/"),
    ],
)
def test_a_host_beyond_ascii_goes_by_idna(location: str, expected: str) -> None:
    """RFC 5891 §4, mapped by UTS 46 as browsers do it."""
    assert make_location(location) == expected


@given(
    st.lists(
        st.text("abz0ABÄäÖßéèñçşğıλΣσςжЖлІ한글日本カ゛éﬁＡ\u0308\u0301", min_size=1, max_size=8),
        min_size=1,
        max_size=3,
    )
)
def test_idna_agrees_with_the_reference_wherever_that_takes_the_name(labels: list[str]) -> None:
    """RFC 5891 §4.4, UTS 46 §4."""
    host = ".".join(labels)
    assume(not host.isascii())
    try:
        expected = idna.encode(host, uts46=True, transitional=False).decode("ascii")
    except idna.IDNAError:
        return
    assert make_location(f"http://{host}/") == f"http://{expected}/"


@pytest.mark.parametrize(
    "host",
    [
        "bü\uff0fcher",  # a slash after mapping
        "\u2100ü",  # a/c
        "bü\uff20evil.example",  # an @
        "bü\uff1a80",  # a colon
        "ü%41",
        "ü_ \u00a0",
        "ü\u2028",
        "ü\ue000",
        "ü\u0378",  # unassigned
        "ü\u202e",  # turns the text round
    ],
)
def test_a_character_that_no_domain_name_may_have_is_refused(host: str) -> None:
    """UTS 46 §4, step 1: else one host would become another, or the host would end early."""
    with pytest.raises(ValueError, match="no domain name may have"):
        make_location(f"http://{host}/")


@pytest.mark.parametrize("host", ["xn--ü", "\u0301a.example"])
def test_a_label_that_idna_excludes_is_refused(host: str) -> None:
    """RFC 5891 §4.2.3.1 and §4.2.3.2."""
    with pytest.raises(ValueError, match="is no label of a domain name"):
        make_location(f"http://{host}/")


@pytest.mark.parametrize("host", ["ü..example", ".ü", "ü" * 64, ".".join(["ü" * 10] * 30), "\u00ad"])
def test_a_label_empty_or_too_long_is_refused(host: str) -> None:
    """RFC 1035 §2.3.4."""
    with pytest.raises(ValueError, match="is no domain name"):
        make_location(f"http://{host}/")


@pytest.mark.parametrize("location", ["http://", "http:///a", "///a", "//", "https://u@/", "http://:80/", "//?q"])
def test_an_empty_host_is_refused(location: str) -> None:
    """RFC 9110 §4.2.1: a recipient MUST reject it; browsers take the next segment for the host."""
    with pytest.raises(ValueError, match="there is no host"):
        make_location(location)


@pytest.mark.parametrize("location", ["http:", "http:a", "https:/a", "HTTP:\\\\evil.example"])
def test_http_without_an_authority_is_refused(location: str) -> None:
    """RFC 9110 §4.2.1: "http" "://" authority."""
    with pytest.raises(ValueError, match="must be followed by // and a host"):
        make_location(location)


@pytest.mark.parametrize("location", ["http://a:b:80/", "http://a:x/", "http://[::1/", "http://::1]/", "//[::1]x"])
def test_an_authority_that_is_no_host_and_port_is_refused(location: str) -> None:
    """RFC 3986 §3.2.2 and §3.2.3."""
    with pytest.raises(ValueError, match="is no host and port"):
        make_location(location)


@pytest.mark.parametrize("location", ["http://[]/", "http://[1.2.3.4]/", "http://[fe80::1%25eth0]/", "//[é::]"])
def test_a_host_in_brackets_that_is_no_address_is_refused(location: str) -> None:
    """RFC 3986 §3.2.2."""
    with pytest.raises(ValueError, match="is no IP address"):
        make_location(location)


# Refusals of any reference


@pytest.mark.parametrize("character", ["\r", "\n", "\0", "\t", "\x1f", "\x7f", "\x85"])
def test_a_control_character_is_refused(character: str) -> None:
    """RFC 9110 §5.5: a line break would forge another field."""
    with pytest.raises(ValueError, match="control character"):
        make_location(f"/a{character}b")


def test_a_lone_surrogate_is_refused() -> None:
    """RFC 3629 §3."""
    with pytest.raises(ValueError, match="lone surrogate"):
        make_location("/\udcff")


def test_an_empty_location_is_refused() -> None:
    """RFC 3986 §4.4 makes it the same document, but browsers ignore the field."""
    with pytest.raises(ValueError, match="an empty location"):
        make_location("")


@pytest.mark.parametrize("location", [None, b"/a", 1])
def test_a_location_that_is_no_text_is_refused(location: object) -> None:
    with pytest.raises(TypeError, match="a location must be str"):
        make_location(cast(str, location))


# Another origin is refused where only this one is meant.


@pytest.mark.parametrize("location", ["/", "/a?next=https://evil.example/#//x", "a/b", "../a", "?q", "#top", "/a//b"])
def test_a_reference_to_this_origin_passes_as_local(location: str) -> None:
    """RFC 3986 §5.2.2: without scheme and authority both are those of the request."""
    assert make_location(location, local=True) == location


@pytest.mark.parametrize(
    "location",
    [
        "https://evil.example/",
        "http:evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "\\/evil.example",
        "//evil.example\\@good.example",
    ],
)
def test_another_origin_is_refused_as_local(location: str) -> None:
    """WHATWG URL §4.4: to a browser a backslash is a slash, and `///host` leads to a host."""
    with pytest.raises(ValueError, match="another origin"):
        make_location(location, local=True)


@pytest.mark.parametrize("location", ["/\t/evil.example", "\n//evil.example", "/\r\\evil.example"])
def test_a_character_that_a_browser_would_strip_does_not_hide_another_origin(location: str) -> None:
    """WHATWG URL §4.4: tabs and line breaks are removed before parsing."""
    with pytest.raises(ValueError, match="control character"):
        make_location(location, local=True)


def test_leading_blanks_do_not_hide_another_origin() -> None:
    """WHATWG URL §4.4: they would be stripped, so they are encoded."""
    assert make_location(" //evil.example", local=True) == "%20//evil.example"


# Properties


@given(TEXTS)
def test_a_location_that_passes_is_a_legal_uri_reference(text: str) -> None:
    """RFC 3986 Appendix A."""
    try:
        location = make_location(text)
    except ValueError:
        return
    assert URI_REFERENCE.fullmatch(location), location


@given(TEXTS)
def test_making_it_twice_changes_nothing(text: str) -> None:
    """RFC 3986 §2.4."""
    try:
        location = make_location(text)
    except ValueError:
        return
    assert make_location(location) == location


@given(TEXTS)
def test_a_location_that_passes_as_local_stays_on_the_origin(text: str) -> None:
    """RFC 3986 §5.2, with a backslash read as browsers read it."""
    try:
        location = make_location(text, local=True)
    except ValueError:
        return
    assert "\\" not in location
    there = urlsplit(urljoin("https://app.example/dir/page", location))
    assert (there.scheme, there.netloc) == ("https", "app.example")


@given(st.text(max_size=20).map(lambda text: f"/a{text}"))
def test_a_path_decodes_to_what_was_given(text: str) -> None:
    """RFC 3986 §2.4."""
    try:
        location = make_location(text)
    except ValueError:
        return
    assert unquote(location) == unquote(text)


@pytest.mark.parametrize("host", ["中" * 64, "é" * 60, ".".join(["é"] * 128), "中" * 7000, "\u00ad" * 300 + "é"])
def test_a_host_that_is_too_long_is_refused_before_any_work_on_it(host: str) -> None:
    """RFC 1035 §2.3.4: 63 octets a label, 253 a name."""
    with pytest.raises(ValueError, match="is no domain name: a label has 1 to 63 characters, the whole at most 253"):
        make_location(f"http://{host}/")


def test_a_message_shows_the_beginning_of_a_long_location() -> None:
    """It goes to the client where that has sent it."""
    with pytest.raises(ValueError, match="a control character") as refused:
        make_location("/" + "a" * 100_000 + "\n")
    assert len(str(refused.value)) < 400
