"""The clocks, the chance and the tracebacks that the core is given."""

from __future__ import annotations

import time

import pytest

from heaven_io.runtime import system_runtime


def test_the_clocks_are_those_of_the_system() -> None:
    runtime = system_runtime()
    before = time.time(), time.monotonic()
    now = runtime.wall(), runtime.monotonic()
    after = time.time(), time.monotonic()
    assert before[0] <= now[0] <= after[0]
    assert before[1] <= now[1] <= after[1]


def test_a_token_is_128_bits_of_letters_and_digits_and_never_the_same() -> None:
    tokens = {system_runtime().token() for _ in range(1000)}
    assert len(tokens) == 1000
    assert all(len(token) == 32 and token.isascii() and token.isalnum() for token in tokens)


def test_an_error_is_described_with_traceback_and_cause() -> None:
    def fail() -> None:
        raise ValueError("outer") from KeyError("inner")

    with pytest.raises(ValueError, match="outer") as caught:
        fail()
    text = system_runtime().describe(caught.value)
    assert "KeyError: 'inner'" in text
    assert "in fail" in text
    assert text.endswith("ValueError: outer\n")
