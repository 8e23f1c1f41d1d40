"""The driver's xmit and poll on two CPUs at once, in every schedule, with writes that others see late.

``interleave`` explains the CPUs. What runs here is the driver's own code, and TxQueue's, Dql's and Napi's; only the
words that CPUs share are replaced by ones that can be watched. The device is a third actor: told of packets, it sends
them in order, writes completions, and interrupts once for each arming, some time later.
"""

from __future__ import annotations

import inspect
import struct
import textwrap
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any, cast

import pytest

from ringwire.bql import Dql
from ringwire.driver import tx_ring
from ringwire.driver.config import DriverConfig
from ringwire.driver.tx_ring import ChargedPort, TxRing
from ringwire.host.cpu import HostCosts
from ringwire.host.memory import Coherent
from ringwire.host.napi import Napi
from ringwire.netdev import NETDEV_TX_OK, TxQueue, queue
from ringwire.netdev.queue import DRV_XOFF, STACK_XOFF
from ringwire.nic.descriptors import DescFlag, Status
from ringwire.nic.registers import queue_register
from ringwire.skb import Skb
from tests.interleave import DEVICE, Cpu, Run, Step, Violation, explore

SENDER, POLLER = "sender", "poller"
ENTRIES = 8
MASK = ENTRIES - 1
STOP_FREE, WAKE_FREE = 2, 4
"""A ring as small as can be, and marks that suit it: a schedule is the same with ten times as many descriptors."""
TAIL, CONSUMED, ARM = (queue_register(name, 0) for name in ("TAIL", "CPL_CONSUMED", "CPL_ARM"))
EOP, REPORT = int(DescFlag.EOP), int(DescFlag.REPORT)


# -- words that are shared


def word(name: str) -> Any:
    """An attribute that lives in the run's memory."""

    def load(self: Any) -> Any:
        return self.run.load(name)

    def store(self: Any, value: Any) -> None:
        self.run.store(name, value)

    return property(load, store)


class WatchedDql(Dql):
    """Byte queue limits whose counters are watched."""

    num_queued, last_obj_cnt, num_completed, adj_limit = map(
        word, ("num_queued", "last_obj_cnt", "num_completed", "adj_limit")
    )

    def __init__(self, run: Run) -> None:
        self.run = run
        super().__init__(lambda: 0)


class WatchedQueue(TxQueue):
    """A transmit queue whose stop bits are watched."""

    state = word("state")

    def __init__(self, run: World) -> None:
        self.run = run
        super().__init__(run.dev, 0)  # type: ignore[arg-type]
        self.dql = WatchedDql(run)
        self.qdisc = None  # type: ignore[assignment]

    def _set(self, bit: int) -> None:
        self.run.change("state", lambda state: state | bit, ("set", bit))

    def _clear(self, bit: int) -> None:
        self.run.change("state", lambda state: state & ~bit, ("clear", bit))

    def _test_and_clear(self, bit: int) -> bool:
        return bool(self.run.exchange("state", lambda state: state & ~bit) & bit)


class WatchedRing(TxRing):
    """A transmit ring whose indexes, slots and memory are watched."""

    _next, _clean = word("next"), word("clean")

    def __init__(self, run: World, txq: TxQueue, budget: int) -> None:
        self.run = run
        super().__init__(cast(ChargedPort, run.port), txq, budget, run.on_trouble)
        self.napi = WatchedNapi(run, self.poll, budget)

    def allocate(self, config: DriverConfig) -> None:
        super().allocate(config)
        run = self.run
        self._packets = Slots(run)  # type: ignore[assignment]
        self._ring = Memory(run, "descriptor")  # type: ignore[assignment]
        self._completions = Memory(run, "completion")  # type: ignore[assignment]
        run.owner.update(next=SENDER, clean=POLLER, adj_limit=POLLER, num_completed=POLLER)
        run.owner.update(num_queued=SENDER, last_obj_cnt=SENDER, descriptor=SENDER)


class WatchedNapi(Napi):
    """Whether a poll is scheduled changes by atomic operations that return what was there, so they are barriers."""

    def __init__(self, run: World, poll: Callable[[int], int], budget: int) -> None:
        self.run = run
        super().__init__(run.port, poll, budget)

    @property
    def _scheduled(self) -> bool:
        return bool(self.run.memory["scheduled_poll"])

    @_scheduled.setter
    def _scheduled(self, value: bool) -> None:
        self.run.exchange("scheduled_poll", lambda _: value)


class Slots:
    """The packets in flight, by ring index."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def __getitem__(self, at: int) -> Any:
        return self.run.load(("slot", at))

    def __setitem__(self, at: int, packet: Any) -> None:
        self.run.store(("slot", at), packet)


class Memory:
    """Records of 16 bytes that driver and device share."""

    def __init__(self, run: Run, name: str) -> None:
        self.run = run
        self.name = name

    def put(self, at: int, *fields: int) -> None:
        self.run.store((self.name, at >> 4), struct.pack("<QHHI", *fields))

    def get(self, at: int) -> Any:
        return struct.unpack("<QHBBI", self.run.load((self.name, at >> 4)) or bytes(16))

    def __getitem__(self, at: int) -> int:
        record: bytes = self.run.load((self.name, at >> 4))
        return record[at & 15]

    def __setitem__(self, at: int, value: int) -> None:
        def change(record: bytes) -> bytes:
            return record[: at & 15] + bytes((value,)) + record[(at & 15) + 1 :]

        self.run.change((self.name, at >> 4), change, ("flags", value))


@dataclass(frozen=True, slots=True)
class SmallRing(DriverConfig):
    """A ring smaller than the device has them."""

    ring_entries: int = ENTRIES

    def __post_init__(self) -> None: ...


# -- what stands round the driver


class Host:
    """The stack's device, the driver's port and host memory, as far as a ring needs them."""

    name = "eth0"
    hz = 1000
    costs = HostCosts.free()

    def __init__(self, run: World) -> None:
        self.run = run
        self.mapped = 0
        self.memory = self
        self.dma_wmb = run.dma_wmb

    def now_ns(self) -> int:
        return 0

    jiffies = now_ns

    def nothing(self, *_: object) -> None: ...

    charge = local_bh_disable = local_bh_enable = nothing

    def drop(self, skb: Skb) -> None:
        skb.free()

    def schedule(self, qdisc: object) -> None:
        self.run.exchange("scheduled", lambda _: True)

    def call_at(self, when_ns: int, fn: Callable[[], None]) -> None:
        self.run.poller.jobs.append(fn)

    def alloc_coherent(self, size: int, align: int = 64) -> Coherent:
        return Coherent(0, memoryview(bytearray(size)))

    def map(self, data: object) -> int:
        self.mapped += 1
        return 0x1000

    def unmap(self, addr: int) -> None:
        self.mapped -= 1

    def write(self, register: int, value: int) -> None:
        run = self.run
        if register == TAIL:
            run.write_register(f"doorbell {value}", lambda: run.ring_doorbell(value))
        elif register in (ARM, CONSUMED):
            arm = register == ARM
            run.write_register(f"{'arms' if arm else 'consumed'} {value}", lambda: run.consume(value, arm))


class World(Run):
    """One queue, a CPU that sends, one that polls, and the device."""

    def __init__(self, scenario: Scenario, ring: type[WatchedRing], txq: type[WatchedQueue], traced: bool) -> None:
        super().__init__(traced)
        self.sender, self.poller = Cpu(self, SENDER), Cpu(self, POLLER, unread=("slot", "num_completed"))
        self.cpus = [self.sender, self.poller]
        self.dev = self.port = Host(self)
        self.memory.update(state=0, scheduled=False, scheduled_poll=False)
        self.scenario = scenario
        self.tail = self.head = self.consumed = self.visible = 0
        self.armed = False
        self.skbs: list[Skb] = []
        self.freed: list[Skb] = []
        self.txq = txq(self)
        self.ring = ring(self, self.txq, scenario.budget)
        self.ring.allocate(SmallRing(report_every=scenario.report_every))
        self.ring.held = False
        self.txq.dql.min_limit = scenario.bql_limit
        self.txq.dql.limit = scenario.bql_limit
        self.txq.dql.adj_limit = scenario.bql_limit
        for fragments in scenario.before:
            assert self.ring.xmit(self.skb(fragments), False) == NETDEV_TX_OK
        self.ring.arm()
        self.sender.jobs.append(self.send)

    def skb(self, fragments: int) -> Skb:
        skb = Skb(100, (b"x",) * fragments, id=len(self.skbs))
        skb.destructor = self.freed.append
        self.skbs.append(skb)
        return skb

    def send(self) -> None:
        """The stack: batches, each once the queue is not stopped; a packet that is not taken comes again."""
        ring, txq = self.ring, self.txq
        for batch in self.scenario.batches:
            self.sender.remembers(batch)
            while txq.state:
                self.wait("scheduled")
            for number, fragments in enumerate(batch, 1):
                skb = self.skb(fragments)
                while ring.xmit(skb, number < len(batch)) != NETDEV_TX_OK:
                    self.wait("scheduled")
                while number < len(batch) and txq.state & DRV_XOFF:
                    self.wait("scheduled")

    # -- the device

    def ring_doorbell(self, tail: int) -> None:
        self.tail = tail

    def consume(self, count: int, arm: bool) -> None:
        must(count <= self.visible, f"{count} completions consumed of {self.visible}")
        self.consumed = count
        self.armed |= arm

    def device_steps(self) -> Iterator[tuple[str, Step]]:
        if self.head != self.tail:
            read = frozenset(("descriptor", at) for at in range(ENTRIES))
            yield "device sends", Step(self.send_packet, read, frozenset((DEVICE, ("completion", self.visible & MASK))))
        if self.armed and self.visible != self.consumed:
            yield "device interrupts", Step(self.interrupt, frozenset(), frozenset((DEVICE, "scheduled_poll", POLLER)))

    def send_packet(self) -> None:
        """Read a packet's descriptors, which must be there, and report it if it asks for that."""
        begin, flags = self.head, 0
        while not flags & EOP:
            record = self.memory.pop(("descriptor", self.head), None)
            must(record is not None, f"the device was told of descriptor {self.head}, and it is not there")
            flags = struct.unpack("<QHHI", record)[2]
            self.head = self.head + 1 & MASK
        self.note(f"the device sends {begin} to {self.head}{' and reports it' if flags & REPORT else ''}")
        if flags & REPORT:
            phase = (1 - self.visible // ENTRIES % 2) << 31
            record = struct.pack("<QHBBI", 0, self.head, Status.OK, 0, 1 | phase)
            self.memory["completion", self.visible & MASK] = record
            self.visible += 1

    def note(self, what: str) -> None:
        if self.trace is not None:
            self.trace.append(what)

    def interrupt(self) -> None:
        self.armed = False
        self.note("the device interrupts")
        self.ring.napi.schedule()

    def on_trouble(self, ring: TxRing) -> None:
        """What the driver does when an interrupt announced nothing, without its look at the device."""
        ring.arm()

    def device_state(self) -> Hashable:
        ring, dql = self.ring, self.txq.dql
        if self.poller.idle:
            self.poller.remembers(0)
        device = (self.tail, self.head, self.consumed, self.visible, self.armed)
        senders = (len(self.skbs), ring._rung, ring._unreported)
        pollers = (ring._consumed, ring._more, len(self.freed))
        limits = (dql.limit, dql.prev_num_queued, dql.prev_ovlimit, dql.prev_last_obj_cnt, dql.lowest_slack)
        return device, senders, pollers, limits

    def check(self) -> None:
        """Where both CPUs rest, a stopped queue has a reason. Where the device does too, nothing is left over."""
        sender, poller = self.sender, self.poller
        if sender.can_step() or sender.buffer or poller.can_step() or poller.buffer:
            return
        ring, state, dql = self.ring, self.memory["state"], self.txq.dql
        must(not state & DRV_XOFF or ring.free < WAKE_FREE, "stopped with room in the ring, and nothing will wake it")
        must(not state & STACK_XOFF or dql.avail() < 0, "stopped by the byte limit, which has room")
        if self.steps():
            return
        must(self.tail == ring._next, f"stranded: posted up to {ring._next}, the device was told {self.tail}")
        must(ring._consumed == self.visible, f"missed: {self.visible} completions, {ring._consumed} taken")
        must(sender.idle and not state, f"the sender waits forever: state {state}")
        must(self.armed, "the interrupt is not armed, and no poll is scheduled")
        must(sorted(skb.id for skb in self.freed) == list(range(len(self.skbs))), "not each packet was freed once")
        must(ring._clean == ring._next, "packets are left in the ring")
        must(dql.inflight == 0, f"{dql.inflight} bytes are left in flight")
        must(self.port.mapped == 0, f"{self.port.mapped} mappings are left")


class Wrong(Exception):
    """What must not be."""


def must(right: bool, what: str) -> None:
    if not right:
        raise Wrong(what)


# -- what is tried


@dataclass(frozen=True)
class Scenario:
    """What is posted when the two CPUs begin, and what the sender then sends: packets by their fragments."""

    before: tuple[int, ...] = ()
    batches: tuple[tuple[int, ...], ...] = ()
    bql_limit: int = 1 << 20
    report_every: int = 1
    budget: int = 64


NEARLY_FULL = MASK - STOP_FREE
SCENARIOS = {
    "ring nearly full": Scenario((NEARLY_FULL,), ((1,),)),
    "ring too full for the packet": Scenario((NEARLY_FULL,), ((STOP_FREE + 1,),)),
    "byte limit reached": Scenario((1,), ((1,),), bql_limit=100),
    "ring nearly full and byte limit reached": Scenario((NEARLY_FULL,), ((1,),), bql_limit=100),
    "last of a batch": Scenario((), ((1, 1), (1,)), report_every=8),
    "budget used up": Scenario((1,), ((1,),), budget=1),
}
"""The packets of a scenario are 100 bytes to byte queue limits, whatever their fragments."""


@contextmanager
def watched(runs: list[World]) -> Iterator[None]:
    """The driver's module with its barriers and its accesses to shared memory watched, for the latest of ``runs``."""

    def barrier() -> None:
        if runs:
            runs[-1].barrier()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tx_ring, "smp_mb", barrier)
        patch.setattr(queue, "smp_mb", barrier)
        patch.setattr(tx_ring, "STOP_FREE", STOP_FREE)
        patch.setattr(tx_ring, "WAKE_FREE", WAKE_FREE)
        patch.setattr(tx_ring, "_put_descriptor", Memory.put)
        patch.setattr(tx_ring, "_get_completion", Memory.get)
        yield


def search(scenario: Scenario, ring: type[WatchedRing] = WatchedRing, txq: type[WatchedQueue] = WatchedQueue) -> int:
    """Try every schedule; how many states there are. Violation if one ends badly."""
    runs: list[World] = []

    def make(traced: bool) -> World:
        runs[:] = [World(scenario, ring, txq, traced)]
        return runs[0]

    with watched(runs):
        return explore(make)[0]


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
