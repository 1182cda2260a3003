"""SPEC 5: the end of the process waits for a call in a daemon thread that it would cut, but not for ever."""

from __future__ import annotations

import os
from typing import Final

import pytest

from tests.io.python_program import PATIENCE, printed_by

# The event loop stops in the middle of a call, and cancels nothing: so granian ends where it begins no lifespan.
PROGRAM: Final = """
import asyncio, os, threading, time
from heaven_io.worker_threads import Work, WorkerThreads

def call():
    begun.set()
    {work}
    print("done", flush=True)

async def main():
    tasks.append(asyncio.ensure_future(Work(WorkerThreads(1), call, grace={grace}).run()))
    while not begun.is_set():
        await asyncio.sleep(0.001)

begun = threading.Event()
tasks = []
{child}
loop = asyncio.new_event_loop()
loop.run_until_complete(main())
{end}
"""
# As asyncio.run() does.
CANCEL: Final = "tasks[0].cancel(); loop.run_until_complete(asyncio.wait(tasks))"
QUICK: Final = "threading.main_thread().join()"  # for ever, but that the main thread has ended


def printed(work: str, grace: float, child: str = "", end: str = "") -> str:
    return printed_by(PROGRAM.format(work=work, grace=grace, child=child, end=end))


def test_a_call_that_is_under_way_comes_to_its_end() -> None:
    assert printed(QUICK, grace=PATIENCE) == "done\n"


def test_so_does_one_whose_task_is_cancelled() -> None:
    """uvicorn and hypercorn cancel what runs when their grace time is over."""
    assert printed(QUICK, grace=PATIENCE, end=CANCEL) == "done\n"


def test_so_does_one_that_begins_when_the_main_thread_has_ended() -> None:
    """The server runs in a thread of somebody's."""
    program = (
        "import threading, time\n"
        "from heaven_io.unfinished import UNFINISHED\n"
        "def serve():\n"
        "    threading.main_thread().join()\n"
        "    for number in range(2):\n"
        "        UNFINISHED.begin(number, 20)\n"
        "        threading.Thread(target=work, args=(number,), daemon=True).start()\n"
        "        time.sleep(0.3)\n"
        "    UNFINISHED.begin(2, 20)\n"
        "    threading.Thread(target=work, args=(2,), daemon=True).start()\n"
        "def work(number):\n"
        "    time.sleep(0.1)\n"
        "    print(number, flush=True)\n"
        "    UNFINISHED.end(number)\n"
        "threading.Thread(target=serve).start()\n"
    )
    assert printed_by(program).split() == ["0", "1", "2"]


def test_one_that_hangs_does_not_keep_the_process() -> None:
    assert printed("threading.Event().wait()", grace=0.05) == ""


def test_one_without_grace_is_not_waited_for() -> None:
    assert printed("threading.main_thread().join(); time.sleep(60)", grace=0) == ""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_child_waits_for_its_own() -> None:
    """It has none of its parent's threads."""
    parent = "from heaven_io.unfinished import UNFINISHED; UNFINISHED.begin(1, 0.05); child = os.fork()"
    assert printed(QUICK, grace=PATIENCE, child=f"{parent}\nif child: os.waitpid(child, 0); os._exit(0)") == "done\n"
