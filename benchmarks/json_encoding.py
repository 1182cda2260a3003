"""What the library's JSON encoder costs beside the standard library's, and msgspec's where that is installed.

    python -m benchmarks.json_encoding [--rounds 30]

A list of records as an API answers with, of 1 KB, 100 KB and 10 MB: CPU time of each, as ratios to
`json.dumps(value).encode()` in the same round; the ratio is the median over the rounds. Nothing is gated.
"""

from __future__ import annotations

import argparse
import gc
import json
from collections.abc import Callable
from importlib.util import find_spec
from statistics import median, quantiles
from time import process_time_ns
from typing import TypeAlias

from heaven_core.http.json_codec import encode_json

Encode: TypeAlias = Callable[[object], bytes]

DUMPS = "json.dumps"
SIZES = {"1 KB": 1_000, "100 KB": 100_000, "10 MB": 10_000_000}


def record(number: int) -> dict[str, object]:
    return {
        "id": number,
        "name": f"Ada Lovelace {number}",
        "email": f"ada{number}@example.org",
        "admin": number % 7 == 0,
        "score": number / 8,
        "manager": None,
        "tags": ["maths", "engines", "poetry, née Byron"],
    }


def records(size: int) -> list[object]:
    """So many that their JSON has about `size` bytes."""
    return [record(number) for number in range(max(1, size // len(encode_json(record(1000)))))]


def encoders() -> dict[str, Encode]:
    def dumps(value: object) -> bytes:
        return json.dumps(value).encode()

    def dumps_compact(value: object) -> bytes:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()

    found: dict[str, Encode] = {DUMPS: dumps, f"{DUMPS}, the same bytes": dumps_compact, "heaven-core": encode_json}
    if find_spec("msgspec") is not None:
        import msgspec  # noqa: PLC0415  (it may not be installed)

        found["msgspec"] = msgspec.json.encode
    return found


def batch(encode: Encode, value: object, times: int) -> float:
    """CPU time of one call in nanoseconds."""
    began = process_time_ns()
    for _ in range(times):
        encode(value)
    return (process_time_ns() - began) / times


def measure(value: object, rounds: int, times: int) -> dict[str, list[float]]:
    chosen = encoders()
    names = list(chosen)
    costs: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        gc.collect()
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            costs[name].append(batch(chosen[name], value, times))
    return costs


def main() -> None:
    parser = argparse.ArgumentParser(description="What JSON costs.")
    parser.add_argument("--rounds", type=int, default=30, help="how often everyone has its turn")
    arguments = parser.parse_args()
    for title, size in SIZES.items():
        value = records(size)
        costs = measure(value, arguments.rounds, max(1, 1_000_000 // size))
        print(f"\n{title:<30}{'µs':>12}{'x':>8}{'half of the rounds':>20}")
        for name, values in costs.items():
            ratios = [cost / floor for cost, floor in zip(values, costs[DUMPS], strict=True)]
            low, _, high = quantiles(ratios, n=4)
            cost = median(values) / 1000
            print(f"  {name:<28}{cost:>12.1f}{median(ratios):>8.2f}{low:>12.2f} to {high:.2f}", flush=True)


if __name__ == "__main__":
    main()
