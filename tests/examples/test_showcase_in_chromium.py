"""Debian's Chromium seeks in the recording on the showcase's page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import ConsoleMessage, Locator, Page, Response, expect

from examples.showcase import melody
from tests.examples.conftest import Showcase
from tests.programs import DEADLINE, open_page

pytestmark = pytest.mark.slow

TARGET: Final = melody.SECONDS - 30.0  # where the player is sent, in seconds
SIZE: Final = 44 + 2 * round(melody.SECONDS * melody.RATE)

# `next(event)` waits for an event of the player, and fails when it does not come.
NEXT: Final = """
  const next = (event) => new Promise((resolve, reject) => {
    audio.addEventListener(event, resolve, { once: true });
    audio.addEventListener("error", () => reject(new Error(audio.error.message)), { once: true });
    setTimeout(() => reject(new Error(`no ${event}, readyState ${audio.readyState}`)), 15000);
  });
"""
LOAD: Final = """
  if (audio.error) throw new Error(audio.error.message);
  if (audio.readyState < 1) await next("loadedmetadata");
  return audio.duration;
"""
SEEK: Final = """
  audio.muted = true;
  const seeked = next("seeked");
  audio.currentTime = target;
  await seeked;
  return audio.currentTime;
"""
PLAY: Final = """
  const playing = next("playing");
  await audio.play();
  await playing;
  while (audio.currentTime < target) await next("timeupdate");
  audio.pause();
  return audio.currentTime;
"""
SEEKABLE: Final = "return audio.seekable.end(audio.seekable.length - 1);"
BUFFERED: Final = """
  let seconds = 0;
  for (let i = 0; i < audio.buffered.length; i++) seconds += audio.buffered.end(i) - audio.buffered.start(i);
  return seconds;
"""


@pytest.fixture
def page() -> Iterator[Page]:
    with open_page() as page:
        yield page


def seconds(audio: Locator, script: str, target: float = 0.0) -> float:
    """Run a part of the script above on the player."""
    answer: float = audio.evaluate(f"async (audio, target) => {{ {NEXT} {script} }}", target)
    return answer


def test_seeks_in_the_recording(page: Page, showcase: Showcase) -> None:
    """It gets what it plays, by ranges, and not what lies in between."""
    asked: list[tuple[int, int]] = []  # where each range began, and the status of its answer
    complaints: list[str] = []

    def note(answer: Response) -> None:
        start = re.fullmatch(r"bytes=([0-9]+)-[0-9]*", answer.request.headers.get("range", ""))
        if start is not None and answer.url == f"{showcase.url}/media/melody.wav":
            asked.append((int(start[1]), answer.status))

    def listen(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(message.text)

    page.on("response", note)
    page.on("console", listen)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{showcase.url}/")
    audio = page.locator("audio")

    assert seconds(audio, LOAD) == pytest.approx(melody.SECONDS, abs=0.01)
    assert seconds(audio, SEEKABLE) == pytest.approx(melody.SECONDS, abs=0.01)
    assert seconds(audio, SEEK, TARGET) == pytest.approx(TARGET, abs=0.01)
    assert seconds(audio, PLAY, TARGET + 0.5) >= TARGET + 0.5
    assert seconds(audio, BUFFERED) < melody.SECONDS / 2
    assert {status for _, status in asked} == {206}
    assert max(start for start, _ in asked) > SIZE / 2
    assert complaints == []


def test_shows_the_range_that_it_was_asked_for(page: Page, showcase: Showcase) -> None:
    page.goto(f"{showcase.url}/")
    player = page.locator(".try").filter(has=page.locator("audio"))
    player.get_by_label("Bytes").fill("8-11")
    player.get_by_role("button").click()
    expect(player.locator(".status")).to_contain_text("206 Partial Content: 4 bytes", timeout=DEADLINE * 1000)
    expect(player.locator(".head")).to_contain_text(f"content-range: bytes 8-11/{SIZE}")


def test_the_download_is_the_recording(page: Page, showcase: Showcase) -> None:
    page.goto(f"{showcase.url}/")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download melody.wav").click()
    assert download.value.suggested_filename == "melody.wav"
    (original,) = showcase.temporary.glob("*/melody.wav")
    assert download.value.path().read_bytes() == original.read_bytes()
