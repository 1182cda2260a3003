"""How long `import heaven_core` takes: a fresh interpreter each time, in milliseconds more than one that does nothing.

    python -m benchmarks.import_time [--rounds 30]

The second line is some of the standard library, as a measure of the machine: the aim holds where that takes less than
50 ms, too. Each figure is a median over rounds, in which everyone has its turn. Nothing is gated.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median, quantiles

ROOT = Path(__file__).parents[1]
NOTHING = "pass"
OURS = "import heaven_core"
PROGRAMS = [NOTHING, "import dataclasses, re, enum, json", OURS]
AIM = 50.0


def run(program: str) -> float:
    """Milliseconds from the start of the process to its end."""
    # -I and -S: what site-packages loads by itself, such as an editable install, is not in the figure.
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {program}"]
    began = time.perf_counter()
    subprocess.run(command, check=True, env=dict(os.environ))
    return (time.perf_counter() - began) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description="How long import heaven_core takes.")
    parser.add_argument("--rounds", type=int, default=30, help="how often each program is run")
    arguments = parser.parse_args()
    for program in PROGRAMS:  # a first time compiles what is not compiled yet
        run(program)
    times: dict[str, list[float]] = {program: [] for program in PROGRAMS}
    for _ in range(arguments.rounds):
        for program in PROGRAMS:
            times[program].append(run(program))
    print(f"{arguments.rounds} rounds of python -c ..., ms")
    print(f"{'':<36}{'median':>8}{'more':>8}{'half of the rounds':>20}{'aim':>9}")
    for program, values in times.items():
        more = [value - nothing for value, nothing in zip(values, times[NOTHING], strict=True)]
        low, _, high = quantiles(more, n=4)
        aim = f"< {AIM:g}" if program == OURS else ""
        print(f"{program:<36}{median(values):>8.1f}{median(more):>8.1f}{low:>12.1f} to {high:>5.1f}{aim:>8}")


if __name__ == "__main__":
    main()
