"""An app below a path, in a server that knows of it or not."""

from __future__ import annotations

from tests.table.kit import Ask
from tests.wire.conftest import Serve, served_by
from tests.wire.raw import fetch, fetch_json
from tests.wire.runs import Run
from tests.wire.servers import ASGI_KINDS, WSGI_KINDS

# Our own server has no router.
MOUNTING = served_by(*ASGI_KINDS, *WSGI_KINDS)


@MOUNTING
def test_the_app_sees_its_own_path_and_the_whole_url(serve: Serve) -> None:
    assert fetch_json(serve("everything").port, "/mounted/place/x%20y?q=1") == {
        "root_path": "/mounted",
        "path": "/place/x y",
        "raw_path": "/mounted/place/x%20y",
        "url": "http://test/mounted/place/x%20y?q=1",
    }


@MOUNTING
def test_the_mount_alone_is_the_root(serve: Serve) -> None:
    answer = fetch(serve("everything").port, Ask(), "/mounted/")
    assert answer.status == 404


@served_by(*ASGI_KINDS)
def test_without_a_lifespan_deferred_work_runs_in_the_task_of_the_request(serve: Serve) -> None:
    """A router that mounts the app may keep the lifespan to itself; what follows on the connection is not delayed."""
    server = serve("everything", fresh=True, HEAVEN_TEST_NO_LIFESPAN="1")
    run = Run(server)
    assert fetch(server.port, Ask(), "/deferred-in-order", run.headers).text == "first the answer"
    run.wait_for("complete 200", ["one", "two", "raises", "three", "four"])
