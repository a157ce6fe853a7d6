"""What was measured of a case, and the figures that follow from it."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tools.benchmark.cases import Case
from tools.benchmark.measure import Measured


@dataclass
class Result:
    """All runs of one case. One that failed has no figures, whatever its other runs were."""

    case: Case
    runs: list[Measured] = field(default_factory=list)
    seconds_of_runs: list[float] = field(default_factory=list)
    failure: str | None = None

    def add(self, measured: Measured) -> None:
        self.runs.append(measured)
        self.seconds_of_runs.append(self.case.seconds(measured))

    @property
    def is_measured(self) -> bool:
        return bool(self.runs) and self.failure is None

    @property
    def seconds(self) -> float:
        return statistics.median(self.seconds_of_runs)

    @property
    def processor(self) -> float:
        """Seconds of user and system time."""
        return statistics.median(run.user + run.system for run in self.runs)

    @property
    def peak(self) -> float:
        """MB."""
        return statistics.median(run.peak for run in self.runs) / 1e6

    @property
    def rows_per_second(self) -> float | None:
        return self.case.rows / self.seconds if self.case.rows else None

    def as_json(self, limit: float | None) -> dict[str, Any]:
        content: dict[str, Any] = {"case": self.case.name, "title": self.case.title}
        if not self.is_measured:
            return content | {"failure": self.failure}
        return content | {
            "seconds": self.seconds,
            "to_limit": self.seconds / limit if limit else None,
            "processor_seconds": self.processor,
            "peak_mb": self.peak,
            "rows_per_second": self.rows_per_second,
            "runs": [
                {"seconds": timed, "wall": run.wall, "user": run.user, "system": run.system, "peak_mb": run.peak / 1e6}
                for timed, run in zip(self.seconds_of_runs, self.runs, strict=True)
            ],
        }


Results = Mapping[str, Result]
"""By the case's name."""


def seconds_of(results: Results, name: str) -> float | None:
    """The median of a case; None where it was not measured."""
    found = results.get(name)
    return found.seconds if found is not None and found.is_measured else None
