"""Which request bodies are JSON: RFC 8259, RFC 6839 §3.1, RFC 9110 §8.3."""

from __future__ import annotations

import pytest

from heaven_core.errors import BadRequest, UnsupportedMediaType
from heaven_core.http.json_codec import check_constants, check_json_type


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        " application/json\t",
        "application/problem+json",
        "application/vnd.api+json",
        "model/gltf+json",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "application/json ;Charset=utf8 ; x=1;",
        'application/json; profile="a;b\\"c"; version=2',
    ],
)
def test_json_is_taken_whatever_its_parameters(content_type: str) -> None:
    """RFC 9110 §8.3.1: type, subtype and parameter names in any case; values may be quoted."""
    check_json_type(content_type)


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "application/jsonp",
        "application/+json",
        "json",
        "application/json, text/plain",
        "application/json; =",
        'application/json; a="b',
        "application/json x",
        "applic\u00e4tion/x+json",
        "text/plain; x=a/b+json",
    ],
)
def test_any_other_type_is_415(content_type: str) -> None:
    """RFC 9110 §15.5.16."""
    with pytest.raises(UnsupportedMediaType, match="application/json was expected") as caught:
        check_json_type(content_type)
    assert caught.value.status == 415


@pytest.mark.parametrize("value", ["iso-8859-1", '"utf-16"', "utf-8; charset=latin1"])
def test_a_charset_other_than_utf_8_is_415(value: str) -> None:
    """RFC 8259 §8.1: JSON between systems is UTF-8."""
    with pytest.raises(UnsupportedMediaType, match="JSON is read as UTF-8"):
        check_json_type(f"application/json; charset={value}")


def test_no_content_type_is_415() -> None:
    """RFC 9110 §8.3: it may be assumed to be application/octet-stream."""
    with pytest.raises(UnsupportedMediaType, match="no Content-Type"):
        check_json_type(None)


@pytest.mark.timeout(30)
def test_a_hostile_field_is_read_in_linear_time() -> None:
    """Squares of that would take minutes, and time out."""
    for hostile in ("; " * 100_000 + '"', ";a=b " * 100_000 + '"', 'a="' + '\\"' * 100_000, " ;" * 100_000 + "\0"):
        with pytest.raises(UnsupportedMediaType):
            check_json_type("application/json" + hostile)


@pytest.mark.parametrize(
    "body", [b"NaN", b"[1, -Infinity]", b'{"a": Infinity}', b'["\\"", NaN, ""]', b"[" * 100_000 + b"NaN"]
)
def test_a_number_that_is_none_is_400(body: bytes) -> None:
    """RFC 8259 §6: numeric values that cannot be represented in the grammar are not permitted."""
    with pytest.raises(BadRequest, match="no JSON"):
        check_constants(body)


@pytest.mark.parametrize("body", [b"1", b"", b'["NaN", "-Infinity"]', b'{"Infinity": "\\"NaN"}'])
def test_words_in_strings_are_fine(body: bytes) -> None:
    check_constants(body)
