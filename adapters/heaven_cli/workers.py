"""Several processes that serve on the same sockets, and one that looks after them."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from ctypes import CDLL
from types import FrameType
from typing import Final, final

import click

__all__ = ["run_workers"]

# Seconds that a worker has to live for it to be worth another one: else it can't serve at all.
_LEAST_LIFE: Final = 1.0
_FIRST_INHERITED: Final = 3  # sd_listen_fds(3)
_PR_SET_PDEATHSIG: Final = 1  # prctl(2)


def run_workers(count: int, listening: Sequence[socket.socket], arguments: Sequence[str]) -> int:
    """Run `count` times what the command `arguments` serves, each with these sockets; the exit status of it all.

    A worker that dies is replaced. A signal is handed on to all of them, and a second one, too; this returns when all
    have ended.
    """
    workers = _Workers(listening, arguments)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, workers.end)
    for _ in range(count):
        workers.begin()
    return workers.wait()


@final
class _Workers:
    __slots__ = ("_arguments", "_began", "_ending", "_listening", "_status")

    def __init__(self, listening: Sequence[socket.socket], arguments: Sequence[str]) -> None:
        self._listening: Final = listening
        self._arguments: Final = arguments
        self._began: Final[dict[int, float]] = {}
        self._ending = False
        self._status = 0

    def begin(self) -> None:
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become_worker(parent)
        self._began[pid] = time.monotonic()

    def end(self, number: int, frame: FrameType | None) -> None:
        self._ending = True
        for pid in self._began:
            os.kill(pid, signal.SIGTERM)

    def wait(self) -> int:
        while self._began:
            pid, status = os.wait()
            began = self._began.pop(pid, None)
            if began is None:
                continue
            code = os.waitstatus_to_exitcode(status)
            if self._ending:
                self._status = self._status or (0 if code == 0 else 1)
            elif time.monotonic() - began < _LEAST_LIFE:
                click.echo(f"a worker ended at once, with {code}: giving up", err=True)
                self._status = 1
                self.end(signal.SIGTERM, None)
            else:
                click.echo(f"worker {pid} has ended with {code}: another takes its place", err=True)
                self.begin()
        return self._status

    def _become_worker(self, parent: int) -> None:
        try:
            os.setsid()  # Ctrl+C in a terminal is for the one who looks after them
            _end_with(parent)
            copies = [os.dup(one.fileno()) for one in self._listening]
            for place, copy in enumerate(copies, _FIRST_INHERITED):
                if copy != place:
                    os.dup2(copy, place)
                os.set_inheritable(place, True)
            os.environ["LISTEN_PID"] = str(os.getpid())
            os.environ["LISTEN_FDS"] = str(len(copies))
            os.execv(  # noqa: S606  # no shell is wanted
                sys.executable, [sys.executable, "-m", "heaven_cli", *self._arguments]
            )
        finally:  # nothing of this process may go on twice
            os._exit(1)


def _end_with(parent: int) -> None:
    """Have the kernel end this process in order when the other one dies, be it by SIGKILL. Linux only."""
    if sys.platform == "linux":
        CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it has died already
            os._exit(1)
