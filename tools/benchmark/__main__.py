"""python -m tools.benchmark: measures aetl, and what else could do its work, and prints ratios.

Run it from the repository's root with the Python of the test environment (.venv, once tools/run_tests.sh was run).
A benchmark, not a test: it fails where a result is wrong, never for a time.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tools.benchmark import machine, report
from tools.benchmark.cases import Case, Cases
from tools.benchmark.exports import FULL, Content
from tools.benchmark.measure import Failed, measure
from tools.benchmark.postgresql_cases import PostgreSQLCases
from tools.benchmark.results import Result
from tools.benchmark.supplies import FOLDER, NAME, Supplies

FACTOR_OF_LARGE = 10


def main() -> int:
    options = read_options()
    if not hasattr(os, "posix_spawn"):
        print("The benchmark needs Linux or macOS: Windows has no wait4 to tell one process's memory.")
        return 2
    content = Content(FULL).times(options.scale * (FACTOR_OF_LARGE if options.large else 1))
    with ExitStack() as stack:
        supplies = Supplies(stack)
        sqlite = Cases(supplies, content, is_large=options.large)
        cases = choose([*sqlite.all(), *PostgreSQLCases(supplies, content, options.large).all()], options.only)
        results = {case.name: Result(case) for case in cases}
        about: dict[str, Any] = machine.describe() | {
            "sessions": content.sessions,
            "rows": content.rows,
            "bytes": (supplies.folder(content) / NAME).stat().st_size,
            "rounds": options.rounds,
        }
        # Round after round, so that what else the machine does hits every case alike.
        for number in range(1, options.rounds + 1):
            for result in results.values():
                if result.failure is None:
                    run(result, supplies.work, f"round {number} of {options.rounds}")
    report.show(results, about, is_large=options.large)
    report.write(results, about, options.output, is_large=options.large)
    print(f"Every run is in {options.output}.")
    return int(any(result.failure for result in results.values()))


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.benchmark", description="Measures aetl.")
    parser.add_argument("--large", action="store_true", help="exports of ten times the size, 2.3 GB")
    parser.add_argument("--scale", type=float, default=1.0, metavar="S", help="exports of S times the size, to try it")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="how often every case runs (default: 5)")
    parser.add_argument("--only", type=lambda text: text.split(","), metavar="CASE,...", help="only these cases")
    parser.add_argument(
        "--output", type=Path, default=FOLDER / "results.json", metavar="FILE.json", help="default: %(default)s"
    )
    options = parser.parse_args()
    if options.scale <= 0 or options.rounds < 1:
        parser.error("--scale and --rounds must be more than 0")
    return options


def choose(cases: list[Case], names: list[str] | None) -> list[Case]:
    """The cases that are asked for and can run here; says which are left out."""
    if unknown := set(names or ()) - {case.name for case in cases}:
        raise SystemExit(f"--only: no case {', '.join(sorted(unknown))}; there are {', '.join(c.name for c in cases)}")
    chosen = []
    for case in cases:
        if names is not None and case.name not in names:
            continue
        if case.missing:
            print(f"{case.name}: left out, as {case.missing}")
        elif case.only_if_named and names is None:
            print(f"{case.name}: left out, unless --only names it")
        else:
            chosen.append(case)
    return chosen


def run(result: Result, work: Path, when: str) -> None:
    """Runs a case as often as it is due in a round; a failure ends it."""
    case = result.case
    for _ in range(case.times):
        try:
            folder, notes = anew(work / "folder"), anew(work / "notes")
            command = case.prepare(folder)
            measured = measure(command, notes)
            case.verify(folder, measured.output)
            result.add(measured)
        except Failed as error:
            result.failure = str(error)
            print(f"{when}: {case.name} failed: {error}", file=sys.stderr)
            return
    print(f"{when}: {case.name} {result.seconds_of_runs[-1]:.3f} s", flush=True)


def anew(folder: Path) -> Path:
    """An empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


if __name__ == "__main__":
    sys.exit(main())
