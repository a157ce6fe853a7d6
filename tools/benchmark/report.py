"""Shows the results as tables, and writes them as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tools.benchmark.goals import GOALS, GOALS_OF_LARGE, Goal, Missing
from tools.benchmark.results import Results, seconds_of

WIDTH = 120


def show(results: Results, about: dict[str, Any], *, is_large: bool) -> None:
    """Prints what was measured, then the goals beside it; whether one is met is the reader's to say."""
    console = Console(width=WIDTH, highlight=False)
    console.print(_measured(results))
    console.print(_goals(results, _goals_for(is_large=is_large)))
    machine, versions = about["machine"], about["versions"]
    console.print(
        f"{about['sessions']:,} sessions, {about['bytes'] / 1e6:,.0f} MB, {about['rounds']} rounds; "
        f"{machine['processor']}, {machine['cores']} cores, {machine['system']}, {machine['file_system']}; "
        f"{versions['python']}, SQLite {versions['sqlite']}, aetl {versions['aetl']} ({versions['commit']})",
        style="dim",
    )


def write(results: Results, about: dict[str, Any], path: Path, *, is_large: bool) -> None:
    """Writes everything: each run, medians, ratios, the goals, and on what it was measured."""
    limit = seconds_of(results, "limit")
    content = about | {
        "cases": [result.as_json(limit) for result in results.values()],
        "goals": [_goal_as_json(goal, results) for goal in _goals_for(is_large=is_large)],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _goals_for(*, is_large: bool) -> tuple[Goal, ...]:
    return GOALS + (GOALS_OF_LARGE if is_large else ())


def _measured(results: Results) -> Table:
    limit = seconds_of(results, "limit")
    table = Table(title="Medians", title_justify="left")
    table.add_column("case")
    table.add_column("what")
    for name in ("seconds", "from - to", "CPU s", "peak MB", "x LIMIT"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, result in results.items():
        if not result.is_measured:
            table.add_row(name, f"{result.case.title}\n[red]failed: {result.failure}[/]")
            continue
        digits = 2 if result.seconds >= 0.2 else 3
        least, most = min(result.seconds_of_runs), max(result.seconds_of_runs)
        table.add_row(
            name,
            result.case.title,
            f"{result.seconds:.{digits}f}",
            f"{least:.{digits}f} - {most:.{digits}f}",
            f"{result.processor:.{digits}f}",
            f"{result.peak:,.0f}",
            f"{result.seconds / limit:.3f}" if limit and result.case.times == 1 else "",
        )
    return table


def _goals(results: Results, goals: Iterable[Goal]) -> Table:
    table = Table(title="What issues 5 and 7 ask for", title_justify="left")
    table.add_column("what")
    table.add_column("in")
    for name in ("measured", "must", "aim"):
        table.add_column(name, justify="right")
    for goal in goals:
        found = _figure(goal, results)
        measured = "not measured" if found is None else f"{found:.{0 if goal.unit == 'MB' else 3}f}"
        table.add_row(goal.what, goal.unit, measured, _limit(goal, goal.must), _limit(goal, goal.aim))
    return table


def _limit(goal: Goal, value: float | None) -> str:
    return "" if value is None else f"{'at least ' * goal.at_least}{value:g}"


def _figure(goal: Goal, results: Results) -> float | None:
    try:
        return goal.figure(results)
    except (Missing, KeyError):
        return None


def _goal_as_json(goal: Goal, results: Results) -> dict[str, Any]:
    return {
        "what": goal.what,
        "unit": goal.unit,
        "measured": _figure(goal, results),
        "must": goal.must,
        "aim": goal.aim,
        "at_least": goal.at_least,
    }
