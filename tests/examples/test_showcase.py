"""The showcase's handlers, each driven in memory. Where one sleeps, trio's clock jumps: nobody waits."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, TypeVar

import anyio
import pytest
from trio.testing import MockClock

from examples.showcase import files, streams
from examples.showcase.__main__ import TRY
from examples.showcase.app import app
from heaven_core.testing import Client, Disk, Result

R = TypeVar("R")

JSON: Final = {"Content-Type": "application/json"}


@pytest.fixture
def client() -> Client:
    directories: tuple[Path, ...] = (files.PAGE, files.SAMPLES)
    contents = {str(path): path.read_bytes() for directory in directories for path in directory.iterdir()}
    return Client(app, disk=Disk(contents))


def run(func: Callable[[], Awaitable[R]]) -> R:
    return anyio.run(func, backend="trio", backend_options={"clock": MockClock(autojump_threshold=0)})


def member(answer: Result, name: str) -> object:
    return json.loads(answer.body)[name]


def test_text_is_utf_8(client: Client) -> None:
    answer = client.get("/text")
    assert answer.headers.get("content-type") == "text/plain; charset=utf-8"
    assert "Grüße" in answer.text


def test_json_has_a_date_and_a_decimal(client: Client) -> None:
    answer = client.get("/hello/J%C3%BCrgen")
    assert answer.headers.get("content-type") == "application/json"
    assert '"hello":"Jürgen"' in answer.text
    assert re.search(r'"at":"\d{4}-\d\d-\d\dT[\d:.]+Z","price":"9\.90"', answer.text)


def test_a_good_order_gets_a_receipt_without_the_margin(client: Client) -> None:
    answer = client.post("/orders", b'{"item": "tea", "quantity": 2}', headers=JSON)
    assert answer.status == 201
    assert answer.json == {"item": "tea", "quantity": 2, "total": "6 EUR"}


def test_a_bad_order_is_told_where_it_is_bad(client: Client) -> None:
    answer = client.post("/orders", b'{"item": "tea", "quantity": "two"}', headers=JSON)
    assert answer.status == 422
    assert '"path":"$.quantity"' in answer.text


@pytest.mark.parametrize(
    ("sent", "visits"), [("", 1), ("visits=41", 42), ("visits=many", 1), ("visits=-1", 1), ("visits=123456789", 1)]
)
def test_the_cookie_counts_visits_whatever_was_sent(client: Client, sent: str, visits: int) -> None:
    answer = client.get("/visit", headers={"Cookie": sent} if sent else None)
    assert f"{visits}\n" in answer.text
    assert (answer.headers.get("set-cookie") or "").startswith(f"visits={visits};")


def test_the_start_page_may_load_nothing_from_elsewhere(client: Client) -> None:
    answer = client.get("/")
    assert answer.headers.get("content-type") == "text/html; charset=utf-8"
    assert answer.headers.get("content-security-policy") == "default-src 'self'"


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("dawn.svg", "image/svg+xml"),
        ("letter.txt", "text/plain; charset=utf-8"),
        ("guide.pdf", "application/pdf"),
    ],
)
def test_a_file_is_shown(client: Client, name: str, content_type: str) -> None:
    answer = client.get(f"/samples/{name}")
    assert answer.body == (files.SAMPLES / name).read_bytes()
    assert answer.headers.get("content-type") == content_type
    assert "content-disposition" not in answer.headers


@pytest.mark.parametrize("path", ["..%2Fapp.py", "../app.py", "%2Fetc%2Fhosts", "none.txt"])
def test_nothing_outside_of_the_samples_is_shown(client: Client, path: str) -> None:
    assert client.get(f"/samples/{path}").status == 404


def test_a_download_keeps_the_name_that_was_asked_for(client: Client) -> None:
    answer = client.get("/download?name=%E5%A4%A9.pdf")
    assert answer.headers.get("content-disposition") == "attachment; filename=\"_.pdf\"; filename*=UTF-8''%E5%A4%A9.pdf"
    plain = client.get("/download?name=")
    assert plain.headers.get("content-disposition") == 'attachment; filename="guide.pdf"'


def test_the_head_of_a_download_comes_without_it(client: Client) -> None:
    whole, head = client.get("/download"), client.request("HEAD", "/download")
    assert head.body == b""
    assert head.headers.get("content-length") == str(len(whole.body))


def test_the_guide_is_a_pdf_whose_index_is_right() -> None:
    pdf = (files.SAMPLES / "guide.pdf").read_bytes()
    start = int(pdf.split(b"startxref\n")[1].split(b"\n")[0])
    assert pdf[start : start + 4] == b"xref"
    offsets = re.findall(rb"(\d{10}) 00000 n \n", pdf)
    for number, offset in enumerate(offsets, 1):
        assert pdf[int(offset) :].startswith(b"%d 0 obj\n" % number)
    length = re.search(rb"/Length (\d+) >>\nstream\n", pdf)
    assert length is not None
    assert pdf[length.end() + int(length[1]) :].startswith(b"endstream")


def test_the_stream_comes_line_by_line_and_its_outcome_is_complete(client: Client) -> None:
    answer = run(lambda: client.aget("/poem"))
    assert answer.text == streams.POEM
    assert len([event for event in answer.events if type(event).__name__ == "Chunk"]) == len(streams.POEM.splitlines())
    outcome = client.get(f"/poem/{answer.headers['x-run']}")
    assert member(outcome, "kind") == "complete"
    assert member(outcome, "body_bytes") == len(streams.POEM)


def test_the_outcome_of_a_stream_that_the_client_left_says_so(client: Client) -> None:
    answer = run(lambda: client.arequest("GET", "/poem", leave_after=3))
    assert not answer.ended
    assert member(client.get(f"/poem/{answer.headers['x-run']}"), "kind") == "disconnected"


def test_only_the_last_hundred_outcomes_are_kept(client: Client) -> None:
    first = client.request("HEAD", "/poem").headers["x-run"]
    for _ in range(99):
        client.request("HEAD", "/poem")
    assert client.get(f"/poem/{first}").status == 200
    client.request("HEAD", "/poem")
    assert client.get(f"/poem/{first}").status == 404


def events_of(answer: Result) -> list[tuple[str, object]]:
    ids = re.findall(r"^id: (.*)$", answer.text, re.MULTILINE)
    data = re.findall(r"^data: (.*)$", answer.text, re.MULTILINE)
    return [(id, json.loads(text)["tick"]) for id, text in zip(ids, data, strict=True)]


def test_events_come_three_at_a_time(client: Client) -> None:
    answer = run(lambda: client.aget("/events"))
    assert answer.headers.get("content-type") == "text/event-stream"
    assert events_of(answer) == [("1", 1), ("2", 2), ("3", 3)]


def test_events_go_on_from_the_last_one(client: Client) -> None:
    answer = run(lambda: client.aget("/events", headers={"Last-Event-ID": "3"}))
    assert events_of(answer) == [("4", 4), ("5", 5), ("6", 6)]


def test_after_the_last_event_the_browser_is_told_to_stay_away(client: Client) -> None:
    answer = client.get("/events", headers={"Last-Event-ID": "9"})
    assert (answer.status, answer.body) == (204, b"")


@pytest.mark.parametrize("last", ["", "nine", "-1", "1" * 5000, "²"])
def test_an_id_that_is_none_of_ours_begins_anew(client: Client, last: str) -> None:
    answer = run(lambda: client.aget("/events", headers={"Last-Event-ID": last}))
    assert events_of(answer)[0] == ("1", 1)


def test_the_redirect_is_a_legal_location(client: Client) -> None:
    answer = client.get("/redirect")
    assert answer.status == 307
    assert answer.headers.get("location") == "/hello/J%C3%BCrgen"
    assert client.get(answer.headers["location"]).status == 200


def test_the_door_opens_to_one_word(client: Client) -> None:
    for target in ("/door", "/door?word=", "/door?word=open"):
        answer = client.get(target)
        assert answer.status == 403
        assert "Come in" not in answer.text
    assert client.get("/door?word=please").text == "Come in.\n"


def test_a_failure_tells_the_client_nothing_and_the_log_everything(client: Client) -> None:
    with pytest.raises(RuntimeError, match="swordfish") as raised:
        client.get("/failure")
    answer = client.last
    assert answer.status == 500
    assert "swordfish" not in answer.text
    assert "swordfish" not in repr(answer.headers)
    ((error, where),) = answer.errors
    assert error is raised.value
    assert "/failure" in where


def test_a_job_is_done_after_the_answer(client: Client) -> None:
    answer = run(lambda: client.apost("/jobs"))
    assert answer.status == 202
    assert member(answer, "state") == "waiting"
    assert [type(event).__name__ for event in answer.events[-2:]] == ["End", "Deferred"]
    job = client.get(answer.headers["location"])
    assert member(job, "job") == member(answer, "job")
    assert member(job, "state") == "done"


def test_a_job_that_nobody_started_is_not_there(client: Client) -> None:
    assert client.get("/jobs/0").status == 404


def test_a_hook_times_what_comes_to_its_end(client: Client) -> None:
    assert re.fullmatch(r"handler;dur=\d+\.\d\d", client.get("/text").headers["server-timing"])
    assert "server-timing" not in client.get("/door").headers, "after an abort no after-hook runs"
    with pytest.raises(RuntimeError, match="swordfish"):
        client.get("/failure")
    assert "server-timing" not in client.last.headers


@pytest.mark.parametrize("arguments", [arguments for _, arguments in TRY])
def test_every_curl_line_asks_for_something_that_the_app_has(client: Client, arguments: str) -> None:
    words = shlex.split(arguments.format(url="http://test"))
    (target,) = [word.removeprefix("http://test") for word in words if word.startswith("http://test")]
    options = " ".join(words)
    method = "HEAD" if "-I" in words else "POST" if "-X POST" in options or "--json" in words else "GET"
    assert method in (client.request("OPTIONS", target).headers.get("allow") or "").split(", ")
