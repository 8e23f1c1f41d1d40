"""The driver's rings between two CPUs and a device, whose every step is watched: what ``test_interleavings`` explores.

``interleave`` explains the CPUs. What runs here is the driver's own code, and TxQueue's, Dql's and Napi's; only the
words that CPUs share are replaced by ones that can be watched. The device is a third actor: told of packets, it sends
them in order, writes completions or the head record, and interrupts once for each arming, some time later.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
from tests.interleave import DEVICE, Cpu, Run, Step, Touched, explore

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
        if config.head_write_back:
            self._head_memory = HeadMemory(run)  # type: ignore[assignment]
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

    def __len__(self) -> int:
        return ENTRIES

    def count(self, packet: Any) -> int:
        """For the text of an exception: nobody has to see this read."""
        return [self.run.memory.get(("slot", at)) for at in range(ENTRIES)].count(packet)


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


class HeadMemory:
    """The head record: 8 bytes that the device writes at once."""

    def __init__(self, run: Run) -> None:
        self.mem = self
        self.run = run

    def get(self, at: int) -> Any:
        return struct.unpack("<HH", self.run.load("head") or bytes(4))


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
        self.sent = self.errors = 0
        """Packets of the device, and those of them that failed."""
        self.record: bytes | None = None
        """A head record that is to follow an error into memory."""
        self.skbs: list[Skb] = []
        self.freed: list[Skb] = []
        self.txq = txq(self)
        self.ring = ring(self, self.txq, scenario.budget)
        self.ring.allocate(SmallRing(report_every=scenario.report_every, head_write_back=scenario.head_write_back))
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
        if self.record is not None:
            yield "device writes the head", Step(self.write_head, frozenset(), frozenset((DEVICE, "head")))
        elif self.head != self.tail:
            read = frozenset(("descriptor", at) for at in range(ENTRIES))
            slot = self.errors if self.scenario.head_write_back else self.visible
            written: Touched = frozenset((DEVICE, "head", ("completion", slot & MASK)))
            yield "device sends", Step(self.send_packet, read, written)
        if self.armed and self.visible != self.consumed:
            yield "device interrupts", Step(self.interrupt, frozenset(), frozenset((DEVICE, "scheduled_poll", POLLER)))

    def send_packet(self) -> None:
        """Read a packet's descriptors, which must be there, and report it if it asks for that, or can't be sent."""
        begin, flags = self.head, 0
        while not flags & EOP:
            record = self.memory.pop(("descriptor", self.head), None)
            must(record is not None, f"the device was told of descriptor {self.head}, and it is not there")
            flags = struct.unpack("<QHHI", record)[2]
            self.head = self.head + 1 & MASK
        self.note(f"the device sends {begin} to {self.head}{' and reports it' if flags & REPORT else ''}")
        failed = self.sent in self.scenario.fails
        self.sent += 1
        if self.scenario.head_write_back:
            if failed:
                self.write_completion(self.errors, Status.READ)
            if failed or flags & REPORT:
                self.record = struct.pack("<HH", self.head, self.visible + 1)
                if not failed:
                    self.write_head()
        elif failed or flags & REPORT:
            self.write_completion(self.visible, Status.READ if failed else Status.OK)
            self.visible += 1
        self.errors += failed

    def write_completion(self, number: int, status: Status) -> None:
        """Into the completion ring; ``number`` is how many are there before."""
        last = (1 - number // ENTRIES % 2) << 31 | (status is Status.OK)
        self.memory["completion", number & MASK] = struct.pack("<QHBBI", 0, self.head, status, 0, last)

    def write_head(self) -> None:
        """The head record reaches memory, behind the errors that it counts."""
        self.memory["head"], self.record = self.record, None
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
        device = (self.tail, self.head, self.consumed, self.visible, self.armed, self.sent, self.errors, self.record)
        senders = (len(self.skbs), ring._rung, ring._unreported)
        pollers = (ring._consumed, ring._more, len(self.freed), ring._errors_read)
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
        told, right = ring.errors[Status.READ], len(self.skbs) - self.errors
        must(told == self.errors, f"{self.errors} packets failed, and the driver has been told of {told}")
        must(ring.tx_packets == right, f"{right} packets were sent, and the driver has counted {ring.tx_packets}")
        must(self.port.mapped == 0, f"{self.port.mapped} mappings are left")


class Wrong(Exception):
    """What must not be."""


def must(right: bool, what: str) -> None:
    if not right:
        raise Wrong(what)


@dataclass(frozen=True)
class Scenario:
    """What is posted when the two CPUs begin, and what the sender then sends: packets by their fragments."""

    before: tuple[int, ...] = ()
    batches: tuple[tuple[int, ...], ...] = ()
    bql_limit: int = 1 << 20
    report_every: int = 1
    budget: int = 64
    head_write_back: bool = False
    fails: tuple[int, ...] = ()
    """Packets that the device can't send, by their number."""


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
        patch.setattr(tx_ring, "_get_head", HeadMemory.get)
        yield


def search(scenario: Scenario, ring: type[WatchedRing] = WatchedRing, txq: type[WatchedQueue] = WatchedQueue) -> int:
    """Try every schedule; how many states there are. Violation if one ends badly."""
    runs: list[World] = []

    def make(traced: bool) -> World:
        runs[:] = [World(scenario, ring, txq, traced)]
        return runs[0]

    with watched(runs):
        return explore(make)[0]
