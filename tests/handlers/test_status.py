"""SPEC 1, `res.status` and `res.http`."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from heaven_core import Response
from tests.handlers.kit import ask, given


def status(value: int) -> Response:
    def act(res: Response) -> None:
        res.status = value

    return given(act)


def test_is_200_unless_set() -> None:
    assert Response().status == 200


@pytest.mark.parametrize("code", [200, 204, 299, 300, 418, 451, 599])
def test_any_final_status_may_be_set(code: int) -> None:
    """RFC 9110 §15: known or not."""
    assert status(code).status == code


@pytest.mark.parametrize("member", [HTTPStatus.CREATED, HTTPStatus.NOT_FOUND])
def test_takes_the_members_of_httpstatus(member: HTTPStatus) -> None:
    code = status(member).status
    assert code == member.value
    assert type(code) is int


def test_http_is_at_hand() -> None:
    """`res.status = res.http.CREATED`."""
    assert Response().http is HTTPStatus
    assert status(Response.http.CREATED).status == 201


@pytest.mark.parametrize("code", [-1, 0, 99, 100, 101, 103, 199, 600, 999, 2000, 10**20])
def test_outside_of_200_to_599_is_refused(code: int) -> None:
    """RFC 9110 §15; interim responses (§15.2) are the server's business."""
    with pytest.raises(ValueError, match=r"from 200 to 599 \(RFC 9110 §15\)"):
        status(code)


@pytest.mark.parametrize("value", ["200", 200.0, None, b"200", True, False, [200]])
def test_a_status_that_is_no_integer_is_refused(value: object) -> None:
    """A `bool` too, though Python calls it an `int`. The message names the type."""
    response = Response()
    with pytest.raises(ValueError, match=f"not {type(value).__name__}"):
        setattr(response, "status", value)  # noqa: B010
    assert response.status == 200


def test_goes_out() -> None:
    def act(res: Response) -> None:
        res.status = 201

    assert ask(act).status == 201
