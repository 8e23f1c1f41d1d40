"""What the rules have shown of a driver."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ringwire.checks import Finding
from ringwire.checks.names import MEANINGS, RANKS
from ringwire.conformance.rules import Rule
from ringwire.faults import CLASSES


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one rule."""

    rule: Rule
    findings: tuple[Finding, ...]
    """What the watch found, causes before what follows from them."""
    others: tuple[str, ...] = ()
    """What else was wrong, a line each: what the rule itself asks for, an exception of the driver."""
    skipped: str = ""
    """What the driver does not offer."""

    @property
    def problems(self) -> list[str]:
        """A line each, those of the watch beginning with the name of a bug; none if the rule is kept."""
        return [*map(str, self.findings), *self.others]

    @property
    def outcome(self) -> str:
        return "broken" if self.problems else "skipped" if self.skipped else "kept"


@dataclass(frozen=True, slots=True)
class Report:
    """All rules."""

    verdicts: tuple[Verdict, ...]

    @property
    def ok(self) -> bool:
        return not any(verdict.problems for verdict in self.verdicts)

    @property
    def problems(self) -> list[str]:
        """All of them, with the name of the rule that showed it."""
        return [f"{verdict.rule.name}: {line}" for verdict in self.verdicts for line in verdict.problems]

    @property
    def bugs(self) -> list[str]:
        """Names of what the watch found, causes before what follows from them."""
        return sorted({finding.bug for verdict in self.verdicts for finding in verdict.findings}, key=RANKS.__getitem__)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "verdict": "ok" if self.ok else "failed",
            "bugs": self.bugs,
            "classes": {name: CLASSES[name].number for name in self.bugs if name in CLASSES},
            "rules": [
                {
                    "rule": verdict.rule.name,
                    "text": verdict.rule.text,
                    "outcome": verdict.outcome,
                    "problems": verdict.problems,
                    "skipped": verdict.skipped or None,
                }
                for verdict in self.verdicts
            ],
        }

    def lines(self) -> list[str]:
        """For people."""
        found = []
        for verdict in self.verdicts:
            note = f" ({verdict.skipped})" if verdict.skipped else ""
            found.append(f"{verdict.outcome:8}{verdict.rule.name:18}{verdict.rule.text}{note}")
            found += [f"{'':8}{line}" for line in verdict.problems]
        return [*found, *classified(self.bugs)]


def classified(bugs: list[str]) -> Iterator[str]:
    """What was found, with the number of its class in docs/bugs.md; what follows from any class has none."""
    for name in bugs:
        if name in CLASSES:
            yield f"class {CLASSES[name].number} of docs/bugs.md: {name}: {CLASSES[name].title}"
    for name in bugs:
        if name not in CLASSES:
            yield f"and {name}: {MEANINGS[name]}"
