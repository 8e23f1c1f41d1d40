"""The driver's xmit and poll on two CPUs at once, in every schedule, with writes that others see late.

``watched_driver`` has the world in which they run, ``interleave`` the search.
"""

from __future__ import annotations

import inspect
import textwrap
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest

from ringwire.driver import tx_ring
from ringwire.driver.tx_ring import TxRing
from ringwire.netdev import TxQueue, queue
from tests.interleave import Violation
from tests.watched_driver import MASK, STOP_FREE, Scenario, WatchedQueue, WatchedRing, search

NEARLY_FULL = MASK - STOP_FREE
SCENARIOS = {
    "ring nearly full": Scenario((NEARLY_FULL,), ((1,),)),
    "ring too full for the packet": Scenario((NEARLY_FULL,), ((STOP_FREE + 1,),)),
    "byte limit reached": Scenario((1,), ((1,),), bql_limit=100),
    "ring nearly full and byte limit reached": Scenario((NEARLY_FULL,), ((1,),), bql_limit=100),
    "last of a batch": Scenario((), ((1, 1), (1,)), report_every=8),
    "budget used up": Scenario((1,), ((1,),), budget=1),
    "head write-back, ring nearly full": Scenario((NEARLY_FULL,), ((1,),), head_write_back=True),
    "head write-back, last of a batch": Scenario((), ((1, 1), (1,)), report_every=8, head_write_back=True),
    "head write-back, a packet fails": Scenario((1,), ((1,),), head_write_back=True, fails=(1,)),
}
"""The packets of a scenario are 100 bytes to byte queue limits, whatever their fragments."""


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_no_schedule_leaves_an_empty_ring_stopped_a_packet_stranded_or_a_completion_missed(scenario: Scenario) -> None:
    assert search(scenario) > 100


# -- bugs that must be found


@dataclass(frozen=True)
class Bug:
    """Changes to the text of the driver's own functions, and where they show."""

    scenario: str
    changes: tuple[tuple[str, str, str], ...]
    """Each a function, a piece of it that is there once, and what stands in its place."""
    says: str


BARRIER = "smp_mb()"
BUGS = {
    "no barrier after stop": Bug(
        "ring nearly full", (("_stop_until", BARRIER, "pass"),), "stopped with room in the ring"
    ),
    "no second look after stop": Bug(
        "ring nearly full",
        (("_stop_until", "self.free < room or self.held", "True"),),
        "stopped with room in the ring",
    ),
    "no second look where the packet does not fit": Bug(
        "ring too full for the packet",
        (("_stop_until", "self.free < room or self.held", "True"),),
        "stopped with room in the ring",
    ),
    "no barrier before the wake": Bug(
        "ring nearly full",
        (("_reap", BARRIER, "pass"), ("completed", BARRIER, "pass")),
        "stopped with room in the ring",
    ),
    "doorbell before the index": Bug(
        "ring nearly full",
        (("xmit", "self._next = at", "self.port.write(self._tail_register, at)\n    self._next = at"),),
        "CompletionError|it is not there|stopped with",
    ),
    "no dma_wmb before the doorbell": Bug(
        "ring nearly full", (("_flush", "self.port.dma_wmb()", "pass"),), "it is not there|BqlOvercompletion"
    ),
    "armed before the last look": Bug(
        "ring nearly full",
        (
            ("poll", "done = self._reap(budget)", "self.arm()\n    done = self._reap(budget)"),
            ("poll", "if not self.silent:\n            self.arm()", "pass"),
        ),
        "missed|not armed",
    ),
    "armed before the poll is complete": Bug(
        "ring nearly full",
        (
            ("poll", "self.napi.complete()\n        if not self.silent:", "if not self.silent:"),
            ("poll", "dev.local_bh_enable()", "dev.local_bh_enable()\n    if not self._more: self.napi.complete()"),
        ),
        "missed|not armed",
    ),
    "budget used up, and the poll ends": Bug("budget used up", (("poll", "return done", "return 0"),), "missed"),
    "the head record is read behind the errors": Bug(
        "head write-back, a packet fails",
        (
            ("_read_head", "index, count = _get_head(self._head_memory.mem, 0)", "pass"),
            ("_read_head", "done: int =", "index, count = _get_head(self._head_memory.mem, 0)\n    done: int ="),
        ),
        "1 packets failed, and the driver has been told of 0",
    ),
    "a head record that an error has overtaken": Bug(
        "head write-back, a packet fails",
        (("_read_head", "if index - self._clean & self._mask <= self._next - self._clean & self._mask:", "if True:"),),
        "CompletionError",
    ),
    "head write-back: armed before the last look": Bug(
        "head write-back, ring nearly full",
        (
            ("poll", "done = self._reap(budget)", "self.arm()\n    done = self._reap(budget)"),
            ("poll", "if not self.silent:\n            self.arm()", "pass"),
        ),
        "missed|not armed",
    ),
    "head write-back: no barrier before the wake": Bug(
        "head write-back, ring nearly full",
        (("_reap", BARRIER, "pass"), ("completed", BARRIER, "pass")),
        "stopped with room in the ring",
    ),
    "byte limit: no second look": Bug(
        "byte limit reached", (("sent", "dql.avail() >= 0", "False"),), "stopped by the byte limit, which has room"
    ),
    "byte limit: no barrier after stop": Bug(
        "byte limit reached", (("sent", BARRIER, "pass"),), "stopped by the byte limit, which has room"
    ),
    "byte limit: no barrier before the wake": Bug(
        "byte limit reached", (("completed", BARRIER, "pass"),), "stopped by the byte limit, which has room"
    ),
    "bytes counted behind the doorbell": Bug(
        "last of a batch",
        (
            (
                "xmit",
                "kick = self.txq.sent(length, xmit_more)",
                "self._flush()\n    kick = self.txq.sent(length, xmit_more)",
            ),
        ),
        "BqlOvercompletion",
    ),
    "the last of a batch is not told of": Bug(
        "last of a batch", (("xmit", "if kick:", "if xmit_more:"),), "stranded: posted up to 3, the device was told 1"
    ),
    "the last of a batch is not reported": Bug(
        "last of a batch", (("_flush", "if self._unreported:", "if False:"),), "not each packet was freed"
    ),
}


@pytest.mark.parametrize("bug", BUGS.values(), ids=BUGS)
def test_a_planted_bug_is_found(bug: Bug) -> None:
    ring, txq = planted(WatchedRing, TxRing, tx_ring, bug), planted(WatchedQueue, TxQueue, queue, bug)
    with pytest.raises(Violation, match=bug.says) as found:
        search(SCENARIOS[bug.scenario], ring, txq)
    assert "\nthe schedule:\n" in str(found.value)


def planted(watched_class: Any, shipped: type, module: ModuleType, bug: Bug) -> Any:
    """A subclass in which the functions of ``shipped`` that the bug is about have their text changed."""
    texts: dict[str, str] = {}
    for name, old, new in bug.changes:
        if name in vars(shipped):
            source = texts.get(name) or textwrap.dedent(inspect.getsource(getattr(shipped, name)))
            assert source.count(old) == 1, f"{name} has {old!r} {source.count(old)} times"
            texts[name] = source.replace(old, new)
    functions: dict[str, Any] = {}
    for source in texts.values():
        # with the module's own names, those that are watched included, at the time of the call
        exec(compile(source, f"<planted in {module.__name__}>", "exec", dont_inherit=True), vars(module), functions)
    return type("Planted", (watched_class,), functions)
