"""A melody to listen to: Bach's first prelude of the Well-Tempered Clavier, on a plucked string that nobody plucked.

A real media file, several minutes long, made in a moment: each bar is mixed once, and each note in it is computed once.
"""

from __future__ import annotations

import math
import wave
from array import array
from functools import cache
from operator import add, mul
from pathlib import Path
from typing import Final

RATE: Final = 22_050  # samples a second
STEP: Final = RATE // 4  # samples in a sixteenth: 60 quarters a minute
TIMES: Final = 4  # it is played over and over, so that there is somewhere to go
SECONDS: Final = TIMES * 35 * 16 * STEP / RATE  # 35 bars

# Five notes a bar. Twice: the first two are held, over them go the other three, twice.
BROKEN: Final = """
C4 E4 G4 C5 E5 | C4 D4 A4 D5 F5  | B3 D4 G4 D5 F5   | C4 E4 G4 C5 E5
C4 E4 A4 E5 A5 | C4 D4 F#4 A4 D5 | B3 D4 G4 D5 G5   | B3 C4 E4 G4 C5
A3 C4 E4 G4 C5 | D3 A3 D4 F#4 C5 | G3 B3 D4 G4 B4   | G3 Bb3 E4 G4 C#5
F3 A3 D4 A4 D5 | F3 Ab3 D4 F4 B4 | E3 G3 C4 G4 C5   | E3 F3 A3 C4 F4
D3 F3 A3 C4 F4 | G2 D3 G3 B3 F4  | C3 E3 G3 C4 E4   | C3 G3 Bb3 C4 E4
F2 F3 A3 C4 E4 | F#2 C3 A3 C4 Eb4 | Ab2 F3 B3 C4 D4 | G2 F3 G3 B3 D4
G2 E3 G3 C4 E4 | G2 D3 G3 C4 F4  | G2 D3 G3 B3 F4   | G2 Eb3 A3 C4 F#4
G2 E3 G3 C4 G4 | G2 D3 G3 C4 F4  | G2 D3 G3 B3 F4   | C2 C3 G3 Bb3 E4
"""
# Two bars of sixteen notes, and the last chord.
RUNNING: Final = """
C2 C3 F3 A3 C4 F4 C4 A3 C4 A3 F3 A3 F3 D3 F3 D3 | C2 B2 G4 B4 D5 F5 D5 B4 D5 B4 G4 B4 D4 F4 E4 D4
"""
CHORD: Final = "C2 C3 E4 G4 C5"

CYCLE: Final = 4096  # samples in a cycle of the string: a power of two
FRACTION: Final = 16  # bits of a place between two of them
# What a string sounds like: each overtone softer than the one below. Five of these fit into 16 bits.
OVERTONES: Final = ((1, 3900), (2, 1600), (3, 650))
STRING: Final = [
    sum(loudness * math.sin(2 * math.pi * place * n / CYCLE) for n, loudness in OVERTONES) for place in range(CYCLE)
]


def write(path: Path) -> None:
    """Make the file: 25 MB in well under a second."""
    piece = play().tobytes()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.setnframes(TIMES * len(piece) // 2)
        for _ in range(TIMES):
            file.writeframesraw(piece)


def play() -> array[int]:
    """The samples of the piece, played once."""
    piece = array("h")
    for low, held, *three in bars(BROKEN):
        piece += mix([(low, 0, 8), (held, 1, 7), *running(three * 2)], 8) * 2
    for low, held, *others in bars(RUNNING):
        piece += mix([(low, 0, 16), (held, 1, 15), *running(others)], 16)
    return piece + mix([(name, 0, 16) for name in CHORD.split()], 16)


def bars(music: str) -> list[list[str]]:
    return [bar.split() for line in music.strip().splitlines() for bar in line.split("|")]


def running(names: list[str]) -> list[tuple[str, int, int]]:
    """One note after the other, from the third sixteenth on. Each rings on under the next, but not beyond the last."""
    last = len(names) - 1
    return [(name, 2 + at, 1 if at == last else 2) for at, name in enumerate(names)]


def mix(notes: list[tuple[str, int, int]], length: int) -> array[int]:
    """Notes with their beginnings and their lengths, all in sixteenths."""
    mixed = array("h", bytes(2 * STEP * length))
    for name, start, lasts in notes:
        part = slice(start * STEP, (start + lasts) * STEP)
        mixed[part] = array("h", map(add, mixed[part], pluck(name, lasts)))
    return mixed


@cache
def pluck(name: str, lasts: int) -> array[int]:
    """A note: loud at once, softer and softer, and silent at its end."""
    speed = round(frequency(name) * CYCLE / RATE * 2**FRACTION)
    mask = CYCLE - 1
    string = [STRING[place >> FRACTION & mask] for place in range(0, speed * lasts * STEP, speed)]
    return array("h", map(int, map(mul, string, envelope(lasts))))


@cache
def envelope(lasts: int) -> array[float]:
    length, attack, release = lasts * STEP, RATE // 200, RATE // 20
    shape = [min(1.0, at / attack, (length - at) / release) * math.exp(-1.8 * at / RATE) for at in range(length)]
    return array("d", shape)


def frequency(name: str) -> float:
    """In Hz, of a note such as `F#4`. A4 is 440."""
    semitones = {"C": -9, "D": -7, "E": -5, "F": -4, "G": -2, "A": 0, "B": 2}[name[0]]
    semitones += name.count("#") - name.count("b")
    return 440.0 * math.pow(2.0, int(name[-1]) - 4 + semitones / 12)
