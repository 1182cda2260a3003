"""Programs that people use, for tests that need a real client."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import pytest
from playwright.sync_api import Page, sync_playwright

__all__ = ["DEADLINE", "open_page", "program"]

DEADLINE: Final = 30.0  # seconds


def program(name: str) -> str:
    """Where this program is. Without it the test is skipped."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: .ci/run installs it")
    return found


@contextmanager
def open_page() -> Generator[Page]:
    """An empty page of Debian's Chromium; what it waits for has to happen within the deadline."""
    chromium = program("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=["--autoplay-policy=no-user-gesture-required", "--disable-dev-shm-usage", "--disable-gpu"],
            timeout=DEADLINE * 1000,
        )
        page = browser.new_page()
        page.set_default_timeout(DEADLINE * 1000)
        yield page
        browser.close()
