"""Each test of this folder that asks for `kind` runs on each transport, in the event loop that it is for."""

from __future__ import annotations

import pytest

from tests.socket.serving import KINDS, Backend, Kind


@pytest.fixture(params=KINDS, ids=[kind.name for kind in KINDS])
def kind(request: pytest.FixtureRequest) -> Kind:
    chosen = request.param
    assert isinstance(chosen, Kind)
    return chosen


@pytest.fixture
def anyio_backend(kind: Kind) -> Backend:
    return kind.backend
