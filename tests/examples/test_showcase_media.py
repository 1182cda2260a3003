"""The showcase's recording: a WAV of music that can be taken in parts, and a download that goes on after a break."""

from __future__ import annotations

import shlex
import subprocess
import wave
from http.client import HTTPConnection
from pathlib import Path
from typing import Final

import anyio
import pytest

from examples.showcase import media, melody
from examples.showcase.__main__ import TRY
from examples.showcase.app import app
from heaven_core.testing import Client, Disk
from tests.examples.conftest import Showcase
from tests.programs import DEADLINE, program

CONTENT: Final = b"RIFF\x2c\x00\x00\x00WAVE" + bytes(range(200))
ASKS: Final = dict(TRY)


@pytest.fixture
def client() -> Client:
    return Client(app, disk=Disk({str(media.recording.path): CONTENT}))


@pytest.mark.slow
def test_the_melody_is_a_wav_of_several_minutes(tmp_path: Path) -> None:
    path = tmp_path / "melody.wav"
    melody.write(path)
    assert 20_000_000 < path.stat().st_size < 40_000_000
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, melody.RATE)
        assert file.getnframes() / melody.RATE == melody.SECONDS > 300


@pytest.mark.slow
def test_the_melody_is_neither_silent_nor_too_loud() -> None:
    samples = melody.play()
    sixteenths = [samples[at : at + melody.STEP] for at in range(0, len(samples), melody.STEP)]
    assert len(sixteenths) == 35 * 16
    assert all(1_000 < max(part) < 32_000 for part in sixteenths[:-15]), "the last chord fades away"
    assert all(samples[at] == 0 for at in range(0, len(samples), 16 * melody.STEP)), "no bar begins with a click"


@pytest.mark.parametrize(("name", "hertz"), [("A4", 440.0), ("C4", 261.63), ("Ab2", 103.83), ("F#2", 92.5)])
def test_notes_are_in_tune(name: str, hertz: float) -> None:
    assert melody.frequency(name) == pytest.approx(hertz, abs=0.01)


@pytest.mark.slow
def test_the_recording_is_there_from_the_start_to_the_end_and_the_same_each_time() -> None:
    seen: list[tuple[int, int, Path]] = []

    async def live() -> None:
        async with media.lifespan(app):
            info = media.recording.path.stat()
            seen.append((info.st_size, info.st_mtime_ns, media.recording.path))

    before = media.recording.path
    try:
        anyio.run(live)
        anyio.run(live)
    finally:
        media.recording.path = before
    assert seen[0][:2] == seen[1][:2], "so that its ETag is the same, too"
    assert not any(path.parent.exists() for _, _, path in seen)


def test_before_the_start_there_is_no_recording() -> None:
    assert Client(app).get("/media/melody.wav").status == 404


def test_the_player_gets_the_part_that_it_asks_for(client: Client) -> None:
    whole = client.get("/media/melody.wav")
    assert (whole.status, whole.body) == (200, CONTENT)
    assert whole.headers.get("content-type") == "audio/wav"
    assert whole.headers.get("accept-ranges") == "bytes"
    assert "content-disposition" not in whole.headers
    part = client.get("/media/melody.wav", headers={"Range": "bytes=8-11"})
    assert (part.status, part.body) == (206, b"WAVE")
    assert client.get("/media/melody.wav", headers={"Range": "bytes=99999999-"}).status == 416


def test_a_download_goes_on_unless_the_file_has_changed(client: Client) -> None:
    whole = client.get("/download/melody.wav")
    assert whole.headers.get("content-disposition") == 'attachment; filename="melody.wav"'
    resume = {"Range": "bytes=100-", "If-Range": whole.headers["etag"]}
    rest = client.get("/download/melody.wav", headers=resume)
    assert (rest.status, rest.body) == (206, CONTENT[100:])
    client.disk.files[str(media.recording.path)] = bytes(300)
    changed = client.get("/download/melody.wav", headers=resume)
    assert (changed.status, changed.body) == (200, bytes(300))


def curl(showcase: Showcase, directory: Path, title: str) -> subprocess.CompletedProcess[bytes]:
    """What the line does that the showcase prints under this title."""
    arguments = shlex.split(ASKS[title].format(url=showcase.url))
    return subprocess.run(
        [program("curl"), "-sS", *arguments], cwd=directory, capture_output=True, timeout=DEADLINE, check=False
    )


@pytest.mark.slow
def test_curl_goes_on_where_it_broke_off(showcase: Showcase, tmp_path_factory: pytest.TempPathFactory) -> None:
    """By the two lines that the showcase prints."""
    here = tmp_path_factory.mktemp("download")
    original = recording_of(showcase)
    broken = curl(showcase, here, "Broken off")
    assert broken.returncode == 28, broken.stderr  # the time is over
    got = (here / "melody.wav").stat().st_size
    assert 0 < got < original.stat().st_size
    resumed = curl(showcase, here, "... resumed")
    assert resumed.returncode == 0, resumed.stderr
    assert (here / "melody.wav").read_bytes() == original.read_bytes()


@pytest.mark.slow
def test_curl_gets_four_bytes(showcase: Showcase, tmp_path: Path) -> None:
    answer = curl(showcase, tmp_path, "... four bytes").stdout
    assert answer.startswith(b"HTTP/1.1 206 Partial Content\r\n")
    assert answer.endswith(b"\r\n\r\nWAVE")


def recording_of(showcase: Showcase) -> Path:
    """The file, once the showcase answers: before, it is being made."""
    connection = HTTPConnection("127.0.0.1", showcase.port, timeout=DEADLINE)
    connection.request("HEAD", "/")
    assert connection.getresponse().status == 200
    connection.close()
    (path,) = showcase.temporary.glob("*/melody.wav")
    return path
