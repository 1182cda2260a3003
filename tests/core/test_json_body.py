"""Which request bodies are JSON: RFC 8259, RFC 6839 §3.1, RFC 9110 §8.3."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from pydantic import BaseModel

from heaven_core import App, Context, Request, Response
from heaven_core.errors import BadRequest, UnsupportedMediaType
from heaven_core.http.json_codec import check_json_type, check_numbers, read_json
from heaven_core.testing import Client


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
        check_numbers(body)


@pytest.mark.parametrize("body", [b"1", b"", b'["NaN", "-Infinity"]', b'{"Infinity": "\\"NaN"}'])
def test_words_in_strings_are_fine(body: bytes) -> None:
    check_numbers(body)


HUGE = ["1e999", "-1e999", "[1e0400]", '{"a": 1.5E+400}', "1" * 400 + ".0", "[1, -1e309]", "\t1e309"]


@pytest.mark.parametrize("text", HUGE)
def test_a_number_too_large_for_one_is_refused(text: str) -> None:
    """Else it would be an infinity, which no JSON can say again."""
    with pytest.raises(ValueError, match="is too large for a number"):
        read_json(text)
    with pytest.raises(BadRequest, match="is too large for a number"):
        check_numbers(text.encode())


@pytest.mark.parametrize("text", ["1e308", "-1.5e-400", "1e-999", '"1e999"', '["x: 1e999"]', "0.1e300", "1" * 400])
def test_one_that_is_not_too_large_is_taken(text: str) -> None:
    read_json(text)
    check_numbers(text.encode())


class Price(BaseModel):
    amount: float


@dataclass
class Amount:
    amount: float


@pytest.mark.parametrize("kind", [Price, Amount, dict[str, float], object, None])
def test_it_is_a_400_whoever_reads_it(kind: object) -> None:
    def take(req: Request, res: Response, ctx: Context) -> None:
        res.json(req.json if kind is None else "taken")

    app = App()
    app.POST("/", take)
    if kind is not None:
        app.schema.POST("/", expects=kind)
    answer = Client(app).post("/", b'{"amount": 1e999}', headers={"Content-Type": "application/json"})
    assert (answer.status, "1e999 is too large for a number" in answer.text) == (400, True)
