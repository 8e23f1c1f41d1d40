"""Findings: one line each, ``bql-overcompletion: queue 0 completed 3028 bytes with 1514 in flight``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ringwire.bql import BqlOvercompletion
from ringwire.checks.names import MEANINGS, RANKS
from ringwire.driver.tx_ring import CompletionError
from ringwire.host.memory import NotMapped

NAMES: dict[type[Exception], str] = {
    BqlOvercompletion: "bql-overcompletion",
    CompletionError: "completion-unknown",
    NotMapped: "unmap-twice",
}
"""What exceptions that end a run are called."""


class BugFound(Exception):
    """A run that could not go on; the text has what was found, and what ended it."""


@dataclass(slots=True)
class Finding:
    """Something that a healthy transmit path does not do."""

    bug: str
    """Name of the class of bugs: lower case, with hyphens."""
    queue: int | None
    text: str
    times: int = 1

    def __str__(self) -> str:
        where = "" if self.queue is None else f"queue {self.queue} "
        more = "" if self.times == 1 else f" (and {self.times - 1} more)"
        return f"{self.bug}: {where}{self.text}{more}"


class Findings:
    """The first of each class on each queue, and how many there were."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, int | None], Finding] = {}
        self.broken_off = False
        """An exception that has a name has ended a function of the driver in its middle: no books balance any more."""

    def add(self, bug: str, queue: int | None, text: str) -> None:
        """Note one; ``text`` goes on where ``queue 0`` ends."""
        assert bug in MEANINGS, f"{bug} is not among the names in checks/names.py"
        finding = self._found.setdefault((bug, queue), Finding(bug, queue, text, 0))
        finding.times += 1

    def blame(self, error: Exception) -> None:
        """Note the bug behind an exception, if it has a name."""
        for kind, bug in NAMES.items():
            if isinstance(error, kind):
                self.broken_off = True
                what = re.match(r"\S+ tx-(\d+): (.*?)(?: \(queued .*)?$", str(error), re.DOTALL)
                self.add(bug, int(what[1]) if what else None, what[2] if what else str(error))

    def __bool__(self) -> bool:
        return bool(self._found)

    @property
    def bugs(self) -> set[str]:
        """The names alone."""
        return {finding.bug for finding in self._found.values()}

    def ranked(self) -> list[Finding]:
        """Causes before what follows from them, else in the order in which they were found."""
        return sorted(self._found.values(), key=lambda finding: RANKS[finding.bug])

    def lines(self) -> list[str]:
        """A line each, ranked."""
        return [str(finding) for finding in self.ranked()]
