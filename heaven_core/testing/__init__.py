"""Drive an app in memory: no server, no socket, and no event loop where the app needs none.

    client = Client(app)
    answer = client.get("/hello/world")
    assert (answer.status, answer.json) == (200, {"hello": "world"})

Clock, disk and client are the test's own: it moves the time, makes and breaks files, and decides when the client goes.
"""

from heaven_core.testing.client import Client
from heaven_core.testing.clock import Clock
from heaven_core.testing.cookie_jar import CookieJar
from heaven_core.testing.disk import Disk
from heaven_core.testing.outgoing import HeaderLines, RequestOptions
from heaven_core.testing.result import Result

__all__ = ["Client", "Clock", "CookieJar", "Disk", "HeaderLines", "RequestOptions", "Result"]
