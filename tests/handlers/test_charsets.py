"""SPEC 1, "Encoding": text goes out in the charset that its Content-Type names."""

from __future__ import annotations

import pytest

from heaven_core import App, Context, Request, Response
from heaven_core.testing import Client
from tests.handlers.kit import Act, ask

TEXT = "grüß dich"
LATIN = "text/plain; charset=iso-8859-1"


class Text(str):
    __slots__ = ()


def of_type(content_type: str, body: str | bytes | dict[str, str] | list[str]) -> Act:
    def act(res: Response) -> None:
        res.headers = "Content-Type", content_type
        res.body = body

    return act


@pytest.mark.parametrize(
    ("content_type", "charset"),
    [
        ("text/plain; charset=iso-8859-1", "iso-8859-1"),
        ("text/plain;charset=ISO-8859-15", "iso-8859-15"),
        ('text/csv; header=present; Charset="utf-16"', "utf-16"),
        ("text/plain; charset=utf-8; charset=iso-8859-1", "utf-8"),  # of equal names the first counts
        ("text/plain; charset=UTF-8", "utf-8"),
        ("text/plain", "utf-8"),
        ("charset", "utf-8"),
    ],
)
def test_a_text_is_encoded_in_it(content_type: str, charset: str) -> None:
    result = ask(of_type(content_type, TEXT))
    assert (result.body, result.headers["Content-Type"]) == (TEXT.encode(charset), content_type)


def test_the_names_that_the_web_has_are_known() -> None:
    assert ask(of_type("text/plain; charset=windows-874", "ก")).body == "ก".encode("cp874")


def test_so_is_a_text_of_a_subclass() -> None:
    assert ask(of_type(LATIN, Text(TEXT))).body == TEXT.encode("latin-1")


def test_so_is_markup() -> None:
    def act(res: Response) -> None:
        res.html("<p>ü")
        res.headers = "Content-Type", "text/html; charset=iso-8859-1"

    assert ask(act).body == b"<p>\xfc"


def test_so_is_what_a_schema_passes() -> None:
    def handler(req: Request, res: Response, ctx: Context) -> None:
        of_type(LATIN, TEXT)(res)

    app = App()
    app.GET("/", handler)
    app.schema.GET("/", returns=str)
    assert Client(app).get("/").body == TEXT.encode("latin-1")


@pytest.mark.parametrize("body", [{"a": "ü"}, ["ü"]])
def test_json_is_utf_8_all_the_same(body: dict[str, str] | list[str]) -> None:
    """RFC 8259 §8.1: and its media type has no such parameter."""
    assert "ü".encode() in ask(of_type("application/json; charset=iso-8859-1", body)).body


def test_bytes_are_what_they_are() -> None:
    assert ask(of_type("text/plain; charset=utf-16", b"\xff")).body == b"\xff"


@pytest.mark.parametrize(
    ("charset", "body", "said"),
    [
        ("us-ascii", TEXT, "'ü' at index 2, which the charset 'us-ascii'"),
        ("UTF-8", "a\ud800", "index 1, which the charset 'UTF-8'"),
        ("klingon", "a", "the charset 'klingon' of Content-Type is unknown"),
        ("hex", "a", "the charset 'hex' of Content-Type is unknown"),
        ("rot13", "a", "the charset 'rot13' of Content-Type is unknown"),
    ],
)
def test_what_cannot_be_encoded_is_a_500(charset: str, body: str, said: str) -> None:
    result = ask(of_type(f"text/plain; charset={charset}", body))
    assert (result.status, result.text) == (500, "500 Internal Server Error\n")
    assert result.headers["Content-Type"] == "text/plain; charset=utf-8"
    [(error, _)] = result.errors
    assert said in str(error)


class TestStreams:
    @pytest.mark.parametrize("charset", ["utf-16", "iso-2022-jp", "shift_jis", "utf-8", "UTF-8"])
    def test_texts_are_encoded_one_after_the_other(self, charset: str) -> None:
        """One byte order mark is enough, and each text leaves the shift state as it has found it."""
        bar = "|".encode("utf-16-le" if charset == "utf-16" else "ascii")
        result = ask(lambda res: res.stream(["日本", bar, "日本"], f"text/plain; charset={charset}"))
        assert result.body == "日本|日本".encode(charset)

    def test_the_handlers_header_wins(self) -> None:
        def set_body(res: Response) -> None:
            res.stream(["ü"])
            res.headers = "Content-Type", LATIN

        assert ask(set_body).body == b"\xfc"

    def test_what_its_first_text_cannot_be_is_a_500(self) -> None:
        result = ask(lambda res: res.stream(["日本"], LATIN))
        assert (result.status, result.text) == (500, "500 Internal Server Error\n")

    def test_what_a_later_one_cannot_be_breaks_it_off(self) -> None:
        result = ask(lambda res: res.stream(["a", "日本"], LATIN))
        assert result.status == 200
        assert result.outcome is not None
        assert result.outcome.kind == "failed"

    def test_events_are_utf_8(self) -> None:
        """The event stream format has no other encoding."""
        assert "ü".encode() in ask(lambda res: res.stream(["ü"], sse=True)).body


def test_a_text_that_takes_the_place_of_another_is_utf_8() -> None:
    """Content-Type goes with what it was about."""
    app = App()

    def hook(req: Request, res: Response, ctx: Context) -> None:
        res.headers = "Content-Type", "text/plain; charset=utf-16"

    app.before("*", hook)
    result = Client(app).get("/nowhere")
    assert (result.status, result.text) == (404, "404 Not Found\n")
