"""Several processes that serve on the same sockets, and one that looks after them."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from ctypes import CDLL
from typing import Final, final

import click

__all__ = ["run_workers"]

# Seconds that a worker has to live for it to be worth another one: else it can't serve at all.
_LEAST_LIFE: Final = 1.0
_FIRST_INHERITED: Final = 3  # sd_listen_fds(3)
_PR_SET_PDEATHSIG: Final = 1  # prctl(2)
# What this process waits for. They are blocked, and never interrupt anything: no signal falls between two lines.
_ENDS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_WAITED_FOR: Final = (*_ENDS, signal.SIGCHLD)


def run_workers(count: int, listening: Sequence[socket.socket], arguments: Sequence[str]) -> int:
    """Run `count` times what the command `arguments` serves, each with these sockets; the exit status of it all.

    A worker that dies is replaced. SIGTERM, SIGINT and SIGHUP end all of them in order, a second one at once; this
    returns when all have ended.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _WAITED_FOR)
    try:
        workers = _Workers(listening, arguments)
        for _ in range(count):
            workers.begin()
        while workers.any:
            if signal.sigwait(_WAITED_FOR) == signal.SIGCHLD:
                workers.reap()
            else:
                workers.end()
        return workers.status
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@final
class _Workers:
    __slots__ = ("_arguments", "_began", "_ending", "_listening", "status")

    def __init__(self, listening: Sequence[socket.socket], arguments: Sequence[str]) -> None:
        self._listening: Final = listening
        self._arguments: Final = arguments
        self._began: Final[dict[int, float]] = {}
        self._ending = False
        self.status: int = 0

    @property
    def any(self) -> bool:
        return bool(self._began)

    def begin(self) -> None:
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become_worker(parent)
        self._began[pid] = time.monotonic()

    def end(self) -> None:
        self._ending = True
        for pid in self._began:  # none of which has been waited for, so that each number is still its own
            os.kill(pid, signal.SIGTERM)

    def reap(self) -> None:
        """See to those that have ended: one signal may stand for several."""
        for pid in list(self._began):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                self._see_to(pid, os.waitstatus_to_exitcode(status))

    def _see_to(self, pid: int, code: int) -> None:
        began = self._began.pop(pid)
        if self._ending:
            # One that had not begun to serve yet is ended by the signal itself.
            if code not in (0, -signal.SIGTERM):
                self.status = 1
        elif time.monotonic() - began < _LEAST_LIFE:
            click.echo(f"a worker ended at once, with {code}: giving up", err=True)
            self.status = 1
            self.end()
        else:
            click.echo(f"worker {pid} has ended with {code}: another takes its place", err=True)
            self.begin()

    def _become_worker(self, parent: int) -> None:
        try:
            os.setsid()  # Ctrl+C in a terminal is for the one who looks after them
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _WAITED_FOR)
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
        except OSError as error:
            click.echo(f"a worker can't begin: {error}", err=True)
        finally:  # nothing of this process may go on twice
            os._exit(1)


def _end_with(parent: int) -> None:
    """Have the kernel end this process in order when the other one dies, be it by SIGKILL. Linux only."""
    if sys.platform == "linux":
        CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it has died already
            os._exit(1)
