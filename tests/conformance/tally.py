"""What agreed: counts per vector file, carried by the test reports so that they survive pytest-xdist."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import groupby

import pytest

PROPERTY = "vectors"
UNITS = ("scenarios", "operations", "frames")


class Tally:
    """Counts of one test. They reach the summary only if the test passes."""

    def __init__(self, properties: list[tuple[str, object]]) -> None:
        self._properties = properties

    def add(self, file: str, scenarios: int = 0, operations: int = 0, frames: int = 0) -> None:
        """Note that so much of a vector file (its stem) agreed."""
        self._properties.append((PROPERTY, [file, scenarios, operations, frames]))


def totals(reports: Iterable[pytest.TestReport]) -> dict[str, list[int]]:
    """Per file stem, the sums of :data:`UNITS` over the reports of passed tests."""
    sums: dict[str, list[int]] = defaultdict(lambda: [0] * len(UNITS))
    for report in reports:
        for name, value in report.user_properties:
            if name == PROPERTY and isinstance(value, list | tuple):
                file, *counts = value
                sums[file] = [total + count for total, count in zip(sums[file], counts, strict=True)]
    return dict(sorted(sums.items()))


def summary_lines(sums: Mapping[str, list[int]], left_out: Mapping[tuple[str, str], str]) -> list[str]:
    """The terminal summary: a line per file that agreed, and one per reason that left scenarios out."""
    width = max((len(file) for file in sums), default=0)
    lines = []
    for file, counts in sums.items():
        said = [f"{count:,} {unit}" for count, unit in zip(counts, UNITS, strict=True) if count]
        lines.append(f"{file:{width}}  {', '.join(said)} agree")
    grouped = sorted((file, reason, name) for (file, name), reason in left_out.items())
    for (file, reason), group in groupby(grouped, key=lambda entry: entry[:2]):
        names = [name for _, _, name in group]
        lines.append(f"{file}: {len(names)} not collected ({reason}): {', '.join(names)}")
    return lines
