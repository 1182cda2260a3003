"""Media types by file name: a table of our own, the same on every machine."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaven_core.http.media_types import content_type, media_type


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        ("index.html", "text/html"),
        ("style.css", "text/css"),
        ("app.js", "text/javascript"),
        ("app.mjs", "text/javascript"),
        ("data.json", "application/json"),
        ("app.js.map", "application/json"),
        ("site.webmanifest", "application/manifest+json"),
        ("module.wasm", "application/wasm"),
        ("feed.xml", "application/xml"),
        ("logo.svg", "image/svg+xml"),
        ("photo.jpeg", "image/jpeg"),
        ("photo.avif", "image/avif"),
        ("favicon.ico", "image/vnd.microsoft.icon"),
        ("font.woff2", "font/woff2"),
        ("film.mp4", "video/mp4"),
        ("song.mp3", "audio/mpeg"),
        ("paper.pdf", "application/pdf"),
        ("notes.md", "text/markdown"),
        ("rows.csv", "text/csv"),
        ("conf.yaml", "application/yaml"),
        ("captions.vtt", "text/vtt"),
    ],
)
def test_the_extension_names_the_type(filename: str, expected: str) -> None:
    """IANA's registry; RFC 9239 for JavaScript, RFC 9512 for YAML."""
    assert media_type(filename) == expected


def test_the_extension_is_read_without_regard_to_case() -> None:
    assert media_type("PHOTO.JPG") == "image/jpeg"


@pytest.mark.parametrize("filename", ["a.tar.gz", "a.tgz", "a.svg.gz"])
def test_a_packed_file_is_a_gzip_file_and_not_what_is_in_it(filename: str) -> None:
    """RFC 9110 §8.4: a client unpacks a Content-Encoding on the way; a name never asks for that."""
    assert media_type(filename) == "application/gzip"


@pytest.mark.parametrize(
    "filename",
    ["", ".", "..", "README", "a.unknown", "a.", ".html", "..html", "dir.html/README", "dir.html/.css"],
)
def test_without_a_known_extension_it_is_bytes(filename: str) -> None:
    """RFC 9110 §8.3: better no claim than a wrong one."""
    assert media_type(filename) == "application/octet-stream"


@pytest.mark.parametrize("filename", ["/srv/a.b/page.html", "../page.html", ".hidden.html", "..page.html"])
def test_directories_and_leading_dots_are_passed_over(filename: str) -> None:
    assert media_type(filename) == "text/html"


def test_text_gets_a_charset() -> None:
    """RFC 9110 §8.3.2."""
    assert content_type("a.html") == "text/html; charset=utf-8"
    assert content_type("a.html", "iso-8859-1") == "text/html; charset=iso-8859-1"


def test_none_leaves_the_charset_off() -> None:
    assert content_type("a.html", None) == "text/html"


@pytest.mark.parametrize("filename", ["a.json", "a.svg", "a.xml", "a.png", "README"])
def test_nothing_but_text_gets_a_charset(filename: str) -> None:
    """RFC 8259 §11 and RFC 7303 §3: JSON has none, and XML says it itself."""
    assert content_type(filename) == media_type(filename)


@pytest.mark.parametrize("charset", ["", "utf-8; x=y", "utf 8", "utf-8\r\n", "ütf"])
def test_a_charset_that_is_no_token_is_refused(charset: str) -> None:
    """RFC 9110 §8.3.2: charset is a token."""
    with pytest.raises(ValueError, match="is no charset"):
        content_type("a.html", charset)


@given(st.text())
def test_any_name_has_a_type_of_the_right_form(filename: str) -> None:
    """RFC 9110 §8.3.1: type "/" subtype, both tokens."""
    assert re.fullmatch(r"[a-z]+/[a-z0-9.+-]+(; charset=utf-8)?", content_type(filename))
