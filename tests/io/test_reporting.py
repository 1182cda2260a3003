"""What the logger `heaven_core` is told."""

from __future__ import annotations

import logging

import pytest

from heaven_core import App, DeferredCall
from heaven_io.reporting import log_all_lost, log_error


def test_an_error_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken") as caught:
        fail()
    log_error(caught.value, "GET /users")
    [record] = caplog.records
    assert (record.name, record.levelno, record.getMessage()) == ("heaven_core", logging.ERROR, "error in GET /users")
    assert "in fail" in caplog.text
    assert "ValueError: broken" in caplog.text


def test_an_error_that_was_never_raised_is_logged_too(caplog: pytest.LogCaptureFixture) -> None:
    log_error(KeyboardInterrupt(), "the start")
    assert "KeyboardInterrupt" in caplog.text


@pytest.mark.parametrize("error", [SystemExit(3), OSError("the disk is full")])
def test_a_handler_of_the_log_that_raises_ends_nothing_but_itself(
    error: BaseException, capsys: pytest.CaptureFixture[str]
) -> None:
    """SPEC 5. It is shown on stderr, as `logging` shows what its own handlers raise."""

    def refuse(record: logging.LogRecord) -> bool:
        raise error

    logger = logging.getLogger("heaven_core")
    logger.addFilter(refuse)
    try:
        log_error(ValueError("broken"), "GET /users")
    finally:
        logger.removeFilter(refuse)
    assert type(error).__name__ in capsys.readouterr().err


def test_a_lost_call_is_logged_by_name(caplog: pytest.LogCaptureFixture) -> None:
    def send_mail(app: App) -> None:
        pass

    log_all_lost([DeferredCall(send_mail, "always")], "no time left")
    [message] = caplog.messages
    assert message.endswith("send_mail is lost: no time left")


def test_no_path_begins_a_line_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    log_error(ValueError(), "GET /a\nERROR forged")
    log_error(ValueError(), "GET /Füße")
    assert caplog.messages == ["error in 'GET /a\\nERROR forged'", "error in GET /Füße"]
