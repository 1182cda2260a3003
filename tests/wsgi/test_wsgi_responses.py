"""What a server gets of a response under WSGI (PEP 3333), from `start_response` to `close()`."""

from __future__ import annotations

import gc
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Final, final

import pytest

from heaven_core import App, Context, Outcome, Request, Response
from heaven_wsgi import BrokenOff, WSGIAdapter
from heaven_wsgi.process import this_process
from tests.table.kit import Handler
from tests.wsgi.memory import PATIENCE, Call, adapter_of, environ_of, until


@final
class Ends:
    """What became of the responses of one handler."""

    def __init__(self) -> None:
        self.outcomes: Final[list[Outcome]] = []
        self.notes: Final[list[str]] = []

    def watch(self, res: Response) -> None:
        def note(app: App) -> None:
            assert res.outcome is not None
            self.outcomes.append(res.outcome)
            self.notes.append("deferred")

        res.defer(note)

    def wait(self) -> tuple[str, int]:
        until(lambda: self.outcomes, "the deferred call")
        [outcome] = self.outcomes
        return outcome.kind, outcome.body_bytes


def whole(ends: Ends) -> Handler:
    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.body = "hello"
        ends.watch(res)

    return handler


def streamed(ends: Ends) -> Handler:
    def items() -> Iterator[bytes]:
        try:
            yield b"one"
            yield b"two"
        finally:
            ends.notes.append("closed")

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.stream(items())
        ends.watch(res)

    return handler


def streamed_async(ends: Ends) -> Handler:
    async def items() -> AsyncIterator[bytes]:
        try:
            yield b"one"
            yield b"two"
        finally:
            ends.notes.append("closed")

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.stream(items())
        ends.watch(res)

    return handler


BODIES: Final = pytest.mark.parametrize("body", [whole, streamed, streamed_async])
STREAMS: Final = pytest.mark.parametrize("body", [streamed, streamed_async])


class TestHead:
    @pytest.mark.parametrize("line", ["200 OK", "413 Content Too Large", "299 Unknown", "599 Unknown"])
    def test_a_status_has_a_reason_phrase(self, line: str) -> None:
        def handler(req: Request, res: Response, ctx: Context) -> None:
            res.status = int(line[:3])

        assert Call(adapter_of(handler), environ_of()).run().heads[0][0] == line

    def test_close_is_no_field_here(self) -> None:
        """PEP 3333: Connection is the server's."""

        def handler(req: Request, res: Response, ctx: Context) -> None:
            res.close = True

        assert Call(adapter_of(handler), environ_of()).run().fields == [(b"content-length", b"0")]

    @pytest.mark.parametrize("name", ["Proxy-Authenticate", "Proxy-Authorization", "Trailers"])
    def test_nor_is_what_belongs_to_the_connection_otherwise(self, name: str) -> None:
        """PEP 3333, "Other HTTP Features": waitress makes a 500 of one."""

        def handler(req: Request, res: Response, ctx: Context) -> None:
            res.headers = name, "Basic"

        assert Call(adapter_of(handler), environ_of()).run().fields == [(b"content-length", b"0")]

    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    @pytest.mark.parametrize("defers", [False, True])
    def test_where_there_is_no_body_a_server_is_given_an_empty_piece(self, method: str, defers: bool) -> None:
        """That of the standard library says `Content-Length: 0` where it is given nothing, also with a 204."""

        def handler(req: Request, res: Response, ctx: Context) -> None:
            res.status = 204
            if defers:
                res.defer(lambda app: None)

        call = Call(adapter_of(handler), environ_of(method)).run()
        assert (call.pieces, call.fields) == ([b""], [])

    @BODIES
    def test_what_start_response_raises_passes_on_when_everything_is_closed(
        self, body: Callable[[Ends], Handler]
    ) -> None:
        """gunicorn raises for a field that it does not like."""

        def refuse(*arguments: object) -> Callable[[bytes], object]:
            raise ValueError("no such field")

        ends = Ends()
        with pytest.raises(ValueError, match="no such field"):
            adapter_of(body(ends))(environ_of(), refuse)
        assert ends.wait() == ("disconnected", 0)
        assert ends.notes == (["deferred"] if body is whole else ["closed", "deferred"])

    @STREAMS
    def test_it_is_given_with_the_first_item(self, body: Callable[[Ends], Handler]) -> None:
        """So a failure before it is a response, and needs no exc_info."""
        call = Call(adapter_of(body(Ends())), environ_of()).begin()
        assert [line for line, _ in call.heads] == ["200 OK"]
        call.close()

    def test_a_stream_that_fails_at_its_first_step_is_a_500(self) -> None:
        def items() -> Iterator[bytes]:
            yield from [str(1 // 0).encode()]

        def handler(req: Request, res: Response, ctx: Context) -> None:
            res.stream(items())

        call = Call(adapter_of(handler), environ_of()).run()
        assert (call.status, call.whole) == (500, True)


class TestEnd:
    @BODIES
    def test_all_of_it_is_taken(self, body: Callable[[Ends], Handler]) -> None:
        ends = Ends()
        call = Call(adapter_of(body(ends)), environ_of()).run()
        assert call.whole
        assert ends.wait() == ("complete", len(call.body))

    @BODIES
    def test_a_server_that_takes_none_of_it_has_lost_its_client(self, body: Callable[[Ends], Handler]) -> None:
        ends = Ends()
        call = Call(adapter_of(body(ends)), environ_of()).begin()
        call.close()
        assert ends.wait() == ("disconnected", 0)
        assert ends.notes == (["deferred"] if body is whole else ["closed", "deferred"])

    @BODIES
    def test_a_server_that_closes_after_a_piece_has_lost_its_client(self, body: Callable[[Ends], Handler]) -> None:
        """What it was given last may not have gone."""
        ends = Ends()
        call = Call(adapter_of(body(ends)), environ_of()).begin()
        assert call.take()
        call.close()
        assert ends.wait() == ("disconnected", 0)

    @BODIES
    @pytest.mark.parametrize("iterates", [True, False])
    def test_where_there_is_no_body_a_server_need_not_ask_for_it(
        self, body: Callable[[Ends], Handler], iterates: bool
    ) -> None:
        ends = Ends()
        call = Call(adapter_of(body(ends)), environ_of("HEAD")).begin()
        if iterates:
            assert call.take()
            assert not call.take()
        call.close()
        assert ends.wait() == ("complete", 0)

    @BODIES
    def test_closing_a_second_time_does_nothing(self, body: Callable[[Ends], Handler]) -> None:
        """Some middlewares do."""
        ends = Ends()
        call = Call(adapter_of(body(ends)), environ_of(), lax=True).run()
        call.close()
        assert not call.take()
        ends.wait()
        assert ends.notes.count("deferred") == 1

    @STREAMS
    def test_deferred_work_waits_for_close(self, body: Callable[[Ends], Handler]) -> None:
        """Servers give the connection back only afterwards."""
        ends = Ends()
        call = Call(adapter_of(body(ends)), environ_of()).begin()
        while call.take():
            pass
        assert "deferred" not in ends.notes
        call.close()
        ends.wait()
        assert ends.notes == ["closed", "deferred"]

    def test_a_body_that_breaks_off_raises_in_place_of_an_end(self) -> None:
        """So that the server cuts the connection; nothing is yielded or said afterwards."""

        def items() -> Iterator[bytes]:
            yield b"one"
            raise ValueError("then")

        def handler(req: Request, res: Response, ctx: Context) -> None:
            res.stream(items())
            ends.watch(res)

        ends = Ends()
        call = Call(adapter_of(handler), environ_of()).run()
        assert isinstance(call.raised, BrokenOff)
        assert call.pieces == [b"one"]
        assert ends.wait() == ("failed", 3)

    def test_a_failed_small_response_is_one_that_failed(self) -> None:
        kinds: list[str] = []

        def before(req: Request, res: Response, ctx: Context) -> None:
            res.defer(lambda app: kinds.append(res.outcome.kind if res.outcome else ""))

        def handler(req: Request, res: Response, ctx: Context) -> None:
            raise ValueError

        app = App()
        app.before("*", before)
        app.GET("/", handler)
        assert Call(WSGIAdapter(app), environ_of()).run().status == 500
        until(lambda: kinds, "the deferred call")
        assert kinds == ["failed"]

    def test_observers_are_told_of_what_the_server_has_taken(self) -> None:
        told: list[str] = []
        app = App()

        def handler(req: Request, res: Response, ctx: Context) -> None:
            res.body = "hello"

        app.GET("/", handler)
        app.on_event(lambda req, event: told.append(type(event).__name__))
        call = Call(WSGIAdapter(app), environ_of()).begin()
        assert told == []
        assert call.take()
        assert told == ["Start"]
        assert not call.take()
        call.close()
        assert told == ["Start", "Chunk", "End", "Outcome"]


class TestNobodyCloses:
    """Some middlewares forget it. Python collects the response, which closes it."""

    @BODIES
    def test_deferred_work_runs_all_the_same(self, body: Callable[[Ends], Handler]) -> None:
        ends = Ends()
        call = Call(adapter_of(body(ends)), environ_of(), lax=True).begin()
        call.take()
        del call
        gc.collect()
        assert ends.wait()[0] == "disconnected"

    def test_an_async_stream_that_is_collected_on_the_event_loop_does_not_wait_for_itself(self) -> None:
        ends = Ends()
        calls = [Call(adapter_of(streamed_async(ends)), environ_of(), lax=True).begin()]
        assert calls[0].take()
        collected = threading.Event()

        def collect() -> None:
            calls.clear()
            gc.collect()
            collected.set()

        this_process().get_loop().call_soon(collect)
        assert collected.wait(PATIENCE)
        ends.wait()
        until(lambda: "closed" in ends.notes, "the stream to close")


class TestExits:
    @pytest.mark.parametrize("is_async", [False, True])
    @pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
    def test_what_ends_the_process_in_a_handler_passes_on(self, error: BaseException, is_async: bool) -> None:
        ends = Ends()

        def closing() -> Iterator[bytes]:
            try:
                yield b""
            finally:
                ends.notes.append("closed")

        def handler(req: Request, res: Response, ctx: Context) -> None:
            items = closing()
            next(items)
            res.stream(items)
            ends.watch(res)
            raise error

        async def handler_async(req: Request, res: Response, ctx: Context) -> None:
            handler(req, res, ctx)

        call = Call(adapter_of(handler_async if is_async else handler), environ_of()).begin()
        assert call.raised is error
        assert call.heads == []
        assert ends.wait() == ("disconnected", 0)
        assert ends.notes == ["closed", "deferred"]

    def test_what_ends_the_process_in_a_step_passes_on_when_everything_is_closed(self) -> None:
        ends = Ends()

        def items() -> Iterator[bytes]:
            yield b"one"
            raise SystemExit(3)

        def handler(req: Request, res: Response, ctx: Context) -> None:
            res.stream(items())
            ends.watch(res)

        call = Call(adapter_of(handler), environ_of()).run()
        assert isinstance(call.raised, SystemExit)
        assert ends.wait()[0] == "failed"
