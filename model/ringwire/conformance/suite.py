"""Runs a driver through the rules: which it keeps, and which bugs it has."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ringwire.conformance.bench import RATE_BPS, Bench, Broken, DriverFactory
from ringwire.conformance.rules import RULES, NotAsked, Rule
from ringwire.driver.config import DriverConfig
from ringwire.faults import Fault
from ringwire.host.world import drive


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one rule."""

    rule: Rule
    problems: tuple[str, ...]
    """A line each, those of the watch beginning with the name of a bug; none if the rule is kept."""
    skipped: str = ""
    """What the driver does not offer."""

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
    def bugs(self) -> set[str]:
        """Names of the bugs that the watch found."""
        return {line.partition(":")[0] for verdict in self.verdicts for line in verdict.problems}

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "verdict": "ok" if self.ok else "failed",
            "bugs": sorted(self.bugs),
            "rules": [
                {
                    "rule": verdict.rule.name,
                    "text": verdict.rule.text,
                    "outcome": verdict.outcome,
                    "problems": list(verdict.problems),
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
        return found


def conformance(factory: DriverFactory, rules: Iterable[Rule] = RULES, fault: Fault | None = None) -> Report:
    """Run a driver through ``rules``, each in a world of its own, with a fault in it if one is given."""
    with _without_warnings():
        return Report(tuple(_run(factory, rule, fault) for rule in rules))


def check(factory: DriverFactory) -> None:
    """For tests of a driver's own: AssertionError, with every problem in it, unless it keeps all rules."""
    report = conformance(factory)
    assert report.ok, "\n".join(report.problems)


@contextmanager
def _without_warnings() -> Iterator[None]:
    """The rules have queues reset on purpose; nobody needs to be warned of it."""
    log = logging.getLogger("ringwire.driver")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


def _run(factory: DriverFactory, rule: Rule, fault: Fault | None) -> Verdict:
    settings: dict[str, Any] = {"line_rate_bps": RATE_BPS, "read_latency_ns": 500, **rule.config}
    if fault is not None:
        settings |= fault.config
    bench = Bench(factory if fault is None or fault.driver is None else fault.driver, DriverConfig(**settings), fault)
    problems: list[str] = []
    skipped = ""

    async def work() -> None:
        await bench.up()
        await rule.work(bench)

    for step in (work, bench.close_books):
        try:
            drive(step())
        except NotAsked as error:
            skipped = str(error)
        except Broken as error:
            problems.append(str(error))
        except Exception as error:
            bench.watch.findings.blame(error)
            problems.append(f"{type(error).__name__}: {' '.join(str(error).split())}")
    return Verdict(rule, (*bench.watch.findings.lines(), *problems), skipped)
