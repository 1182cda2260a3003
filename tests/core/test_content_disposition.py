"""Content-Disposition: RFC 6266 and RFC 8187."""

from __future__ import annotations

import re
from typing import cast
from unicodedata import category
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaven_core.http.content_disposition import content_disposition


def test_without_a_name_there_is_only_the_kind() -> None:
    """RFC 6266 §4.2."""
    assert content_disposition(None) == "attachment"
    assert content_disposition(None, inline=True) == "inline"


@pytest.mark.parametrize("name", ["report.pdf", "my report (1).pdf", "a;b,c='d'.txt", "..", ".hidden", " x "])
def test_a_plain_ascii_name_stands_alone(name: str) -> None:
    """RFC 6266 §4.3: filename as a quoted-string."""
    assert content_disposition(name) == f'attachment; filename="{name}"'
    assert content_disposition(name, inline=True) == f'inline; filename="{name}"'


@pytest.mark.parametrize(
    ("name", "fallback", "exact"),
    [
        ("naïve café.txt", "naive cafe.txt", "na%C3%AFve%20caf%C3%A9.txt"),
        ("na\u0308ive.txt", "naive.txt", "na%CC%88ive.txt"),
        ("€ rates", "_ rates", "%E2%82%AC%20rates"),
        ("日本語.pdf", "___.pdf", "%E6%97%A5%E6%9C%AC%E8%AA%9E.pdf"),
        ("한글", "__", "%ED%95%9C%EA%B8%80"),
        ("😀.png", "_.png", "%F0%9F%98%80.png"),
        ("Straße", "Stra_e", "Stra%C3%9Fe"),
        ('say "hi".txt', "say _hi_.txt", "say%20%22hi%22.txt"),
        ("a\\b.txt", "a_b.txt", "a%5Cb.txt"),
        ("100%.txt", "100_.txt", "100%25.txt"),
        ("%41.txt", "_41.txt", "%2541.txt"),
        ("\u0301", "_", "%CC%81"),
        ("é!#$&+-.^_`|~'()*", "e!#$&+-.^_`|~'()*", "%C3%A9!#$&+-.^_`|~%27%28%29%2A"),
    ],
)
def test_any_other_name_stands_exactly_after_an_ascii_one(name: str, fallback: str, exact: str) -> None:
    """RFC 6266 §4.3 and Appendix D: filename first, then filename* as an ext-value (RFC 8187 §3.2.1)."""
    assert content_disposition(name) == f"attachment; filename=\"{fallback}\"; filename*=UTF-8''{exact}"


def test_a_slash_becomes_an_underscore_in_both() -> None:
    """RFC 6266 §4.3: recipients must not be led to another directory."""
    assert content_disposition("../etc/passwd") == 'attachment; filename=".._etc_passwd"'
    assert content_disposition("é/ü") == "attachment; filename=\"e_u\"; filename*=UTF-8''%C3%A9_%C3%BC"


@pytest.mark.parametrize(
    ("name", "fallback"),
    [("a\uff0fb", "a_b"), ("\u2100", "a_c"), ("\uff02x\uff05\uff3c", "_x__")],
)
def test_a_character_that_only_normalising_made_is_replaced_too(name: str, fallback: str) -> None:
    """RFC 6266 §4.3: U+FF0F is a slash, U+FF02 a quote once it is ASCII."""
    assert content_disposition(name).startswith(f'attachment; filename="{fallback}"; filename*=')


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a\r\nSet-Cookie: x=1\0.txt", 'attachment; filename="aSet-Cookie: x=1.txt"'),
        ("a\tb\x7fc\x85", 'attachment; filename="abc"'),
    ],
)
def test_control_characters_are_dropped(name: str, expected: str) -> None:
    """RFC 9110 §5.5: none may stand in a field, and such names come from users."""
    assert content_disposition(name) == expected


@pytest.mark.parametrize("name", ["", "\n", "\x00\x1f"])
def test_a_name_of_which_nothing_is_left_counts_as_none(name: str) -> None:
    assert content_disposition(name) == "attachment"


def test_a_lone_surrogate_becomes_the_replacement_character() -> None:
    """RFC 8187 §3.2.1: the value is UTF-8, which has no surrogates; names from a disk may have them."""
    assert content_disposition("a\udcff") == "attachment; filename=\"a_\"; filename*=UTF-8''a%EF%BF%BD"


@pytest.mark.parametrize("name", [b"a.txt", 1])
def test_a_name_that_is_no_text_is_refused(name: object) -> None:
    with pytest.raises(TypeError, match="a file name must be str"):
        content_disposition(cast(str, name))


@given(st.text())
def test_every_name_makes_a_legal_field_that_gives_it_back(name: str) -> None:
    """RFC 6266 §4.1: at most a quoted parameter that needs no escape, then an ext-value."""
    value = content_disposition(name)
    match = re.fullmatch(
        r"attachment(?:; filename=\"([ !#-\[\]-~]+)\"(?:; filename\*=UTF-8''([A-Za-z0-9!#$&+\-.^_`|~%]+))?)?",
        value,
    )
    assert match is not None
    cleaned = "".join(c for c in name if category(c) != "Cc").replace("/", "_")
    assert unquote(match[2] or "") == cleaned or (match[1] or "") == cleaned
    assert "/" not in value.replace("%2F", "/")


@pytest.mark.parametrize(
    ("name", "cut"),
    [
        ("a" * 300 + ".txt", "a" * 251 + ".txt"),
        ("a" * 300, "a" * 255),
        ("." + "a" * 300, "." + "a" * 254),
        ("a." + "b" * 300, "a." + "b" * 253),
        ("a" * 251 + ".txt", "a" * 251 + ".txt"),
    ],
)
def test_a_long_name_is_cut_and_keeps_its_extension(name: str, cut: str) -> None:
    """SPEC 3: 255 characters at most."""
    assert content_disposition(name) == f'attachment; filename="{cut}"'


def test_a_long_name_beyond_ascii_is_cut_before_it_is_encoded() -> None:
    value = content_disposition("ü" * 300 + ".pdf")
    assert value == f"attachment; filename=\"{'u' * 251}.pdf\"; filename*=UTF-8''{'%C3%BC' * 251}.pdf"
