"""What the replays of qdisc and stack scenarios share: their clock, their tc lines, the parsed ``tc -s`` text."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from ringwire.netdev import NetDevice
from ringwire.qdisc.registry import QDISCS
from ringwire.tools import tc
from ringwire.tools.words import CommandError
from tests.conformance import kernel_params, vectors

GSO_HDR_LEN = 54
"""Headers of the recorded super-packets: Ethernet, IPv4, TCP without options."""


class ReplayTimer:
    """What a replay's ``call_at`` gives."""

    def __init__(self, fn: Callable[[], None]) -> None:
        self.fn: Callable[[], None] | None = fn

    def cancel(self) -> None:
        self.fn = None


class ReplayClock:
    """Time as the recording says. Work due at once is run by :meth:`settle`; later timers are operations."""

    def __init__(self, now_ns: int) -> None:
        self.time_ns = now_ns
        self._due: list[ReplayTimer] = []

    def now_ns(self) -> int:
        return self.time_ns

    def call_at(self, when_ns: int, fn: Callable[[], None]) -> ReplayTimer:
        timer = ReplayTimer(fn)
        if when_ns <= self.time_ns:
            self._due.append(timer)
        return timer

    def settle(self) -> None:
        """Run what is due, and what that brings about."""
        for _ in range(1000):
            if not self._due:
                return
            batch, self._due = self._due, []
            for timer in batch:
                fn, timer.fn = timer.fn, None
                if fn is not None:
                    fn()
        pytest.fail("the softirqs do not settle")


def unknown_part(lines: list[str]) -> str | None:
    """Why the model can't carry out these tc lines, None if it can: the first thing it has no part for."""
    for line in lines:
        try:
            command = tc.parse(line)
        except tc.UnknownKind as error:
            return f"'{error.word.text}': no such qdisc"
        except tc.TcUnknown as error:
            return str(error).partition(": ")[2].partition(";")[0]
        except CommandError:
            return None  # a wrong line, or one read wrongly: its test says which
        if isinstance(command, tc.QdiscCommand) and command.request.kind not in (None, *QDISCS.kinds()):
            return f"'{command.request.kind}': no such qdisc"
    return None


def generate(metafunc: pytest.Metafunc, pattern: str) -> None:
    """A test per scenario of a file pattern; scenarios the model has no discipline for are left out by name."""
    cases = []
    for stem, document in vectors.load(pattern, metafunc.config):
        for scenario in document["scenarios"]:
            lines = scenario["tc"] + [op[2] for op in scenario["ops"] if op[0] == "T"]
            reason = unknown_part(lines)
            if reason is None:
                cases.append((stem, scenario["name"], (stem, scenario)))
            else:
                vectors.leave_out(metafunc.config, stem, scenario["name"], reason)
    vectors.parametrize(metafunc, "stem, scenario", cases)


def parse_statistics(text: str) -> list[list[str]]:
    """``tc -s -d`` text as sorted blocks of words, without reference counts and handles that tc gave itself."""
    blocks: list[list[str]] = []
    for line in text.splitlines():
        words = re.sub(r"\brefcnt \d+", "", line).replace("(", " ( ").replace(")", " ) ").split()
        if line[:1].strip():
            if int(words[2].partition(":")[0], 16) >= tc.FIRST_OWN_MAJOR:
                words[2] = "auto:"
            blocks.append(words)
        elif words:
            blocks[-1] += words
    return sorted(blocks)


class KernelParams:
    """Carries out tc lines and notes what they make the kernel compute, as ``kernel_params`` lists it."""

    def __init__(self, dev: NetDevice) -> None:
        self.dev = dev
        self.lines: list[str] = []
        self._tc = tc.Tc([dev])

    def run(self, line: str, when_ns: int | None = None) -> None:
        """A line of the set-up, or one that came while packets were queued."""
        command = tc.parse(line)
        self._tc.carry_out(command)
        prefix = "" if when_ns is None else f"@{when_ns} "
        self.lines += [prefix + each for each in kernel_params.of(self.dev, command)]

    def check(self, expected: list[str]) -> None:
        difference = vectors.difference([f"line {n}" for n in range(len(expected))], expected, self.lines)
        assert difference is None, f"kernel_params: {difference}"


def check_final(scenario: dict[str, Any], dev: NetDevice) -> None:
    """The closing ``tc -s -d qdisc show``, and ``class show`` where that was recorded, say what was recorded."""
    expected = parse_statistics(scenario["final"])
    has_classes = any(block[0] == "class" for block in expected)
    got = parse_statistics(tc.show(dev) + (tc.show_classes(dev) if has_classes else ""))
    for want, have in zip(expected, got, strict=False):
        difference = vectors.difference([f"word {n}" for n in range(len(want))], want, have)
        assert difference is None, f"final statistics of {' '.join(want[:3])}: {difference}"
    assert len(expected) == len(got), f"final statistics: expected {len(expected)} blocks, got {len(got)}"
