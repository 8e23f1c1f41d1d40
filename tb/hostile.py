"""The hostile world: the same host, with the device's buses behind models that stall, reorder, interleave and fail.

For tests of the protocol: some hundred times slower than the fast world. Registers go through cocotbext-axi's
AxiLiteMaster with pauses, the wire into its AxiStreamSink with backpressure, and memory is a model that has every read
in flight at once, each with a latency of its own. The clock is Python's, so that models see what the device sees.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from random import Random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge, Timer

from ringwire.cosim.hostmem import READ, WRITE
from ringwire.cosim.world import KINDS, Fault, SimulatedWorld, WorldError, WorldSettings
from ringwire.host.memory import LINE, DmaFault

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiStreamBus, AxiStreamSink

warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"cocotbext\.")

OKAY, SLVERR = 0, 2
IDS = 2
BUS_INPUTS = (
    *(f"s_axil_{name}" for name in ("awaddr", "awprot", "awvalid", "wdata", "wstrb", "wvalid", "bready")),
    *(f"s_axil_{name}" for name in ("araddr", "arprot", "arvalid", "rready")),
    *(f"m_axi_{name}" for name in ("arready", "rid", "rdata", "rresp", "rlast", "rvalid")),
    *(f"m_axi_{name}" for name in ("awready", "wready", "bid", "bresp", "bvalid")),
    "m_axis_tready",
)


@dataclass(frozen=True, slots=True)
class Hostility:
    """How hostile the buses are. Probabilities are per clock; 0 is a bus that never stalls."""

    max_latency_ns: int = 2000
    """Each burst's latency is drawn between 0 and this."""
    stall: float = 0.3
    """That a channel of the memory bus does not move."""
    backpressure: float = 0.3
    """That the wire takes no beat."""
    register_stall: float = 0.3
    """That a channel of the register bus does not move."""


@dataclass(slots=True)
class _Read:
    addr: int
    beats: int
    due_ps: int
    data: list[tuple[int, int]] = field(default_factory=list)
    """(word, response) of each beat, from the moment on at which memory was read."""
    sent: int = 0


@dataclass(slots=True)
class _Write:
    id: int
    addr: int
    beats: int
    due_ps: int = 0
    got: int = 0
    response: int = OKAY
    fails: list[bool] = field(default_factory=list)


@dataclass(slots=True)
class _Rule:
    kind: int
    low: int
    high: int
    skip: int
    count: int
    seen: int = 0

    def hits(self, kind: int, low: int, high: int) -> bool:
        """Whether this burst is one of those to fail."""
        if kind != self.kind or low >= self.high or high <= self.low:
            return False
        turn, self.seen = self.seen, self.seen + 1
        return turn >= self.skip and (self.count == 0 or turn < self.skip + self.count)


class HostileWorld(SimulatedWorld):
    """A world whose buses are models. Make one with ``start``."""

    def __init__(self, dut: Any, settings: WorldSettings, hostility: Hostility) -> None:
        super().__init__(dut, settings)
        self.hostility = hostility
        self._posts: list[tuple[int, int, int, int, Callable[[int, int], None] | None]] = []
        self._posted = 0
        self._last_read_ps = 0
        self._answers: deque[tuple[Callable[[int, int], None], int, int]] = deque()
        self._random = Random(settings.seed)
        self.master = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst)
        self.sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.clk, dut.rst)
        self._taken: list[bytes] = []
        """Frames that the sink had when the run was last judged."""
        self.memory_model = MemoryModel(self, self._random.randrange(1 << 32))
        for half in (self.master.write_if, self.master.read_if):
            for channel in ("aw_channel", "w_channel", "b_channel", "ar_channel", "r_channel"):
                if hasattr(half, channel):
                    getattr(half, channel).set_pause_generator(self._pauses(hostility.register_stall))
        self.sink.set_pause_generator(self._pauses(hostility.backpressure))

    @classmethod
    async def start(
        cls, dut: Any, settings: WorldSettings | None = None, hostility: Hostility | None = None
    ) -> HostileWorld:
        """Reset the device, with models on its buses and the clock running; returns before time 0."""
        settings = WorldSettings() if settings is None else settings
        for name in BUS_INPUTS:
            getattr(dut, name).value = 0
        dut.clk.value = 0
        dut.rst.value = 0
        await Timer(settings.period_ps, "ps")
        dut.rst.value = 1
        await Timer(settings.period_ps, "ps")
        Clock(dut.clk, settings.period_ps, "ps", impl="gpi", period_high=settings.period_ps // 2).start()
        for _ in range(2):
            await FallingEdge(dut.clk)
        await Timer(1, "ps")  # models want known signals, and no edge at their making
        world = cls(dut, settings, hostility or Hostility())
        for _ in range(settings.reset_edges):
            await FallingEdge(dut.clk)
        dut.rst.value = 0
        cocotb.start_soon(world.memory_model.run())
        cocotb.start_soon(world._registers())
        return world

    def _pauses(self, probability: float) -> Iterator[bool]:
        random = Random(self._random.randrange(1 << 32))
        while True:
            yield random.random() < probability

    # -- registers

    def post_write(self, due_ps: int, register: int, value: int) -> None:
        """As ``World.post_write``."""
        self._post(due_ps, register, value, None)

    def post_read(self, due_ps: int, register: int, answer: Callable[[int, int], None]) -> None:
        """As ``World.post_read``. An error answer reads as all ones and is a fault."""
        latest = max((post[0] for post in self._posts), default=0)
        self._post(max(due_ps, latest), register, 0, answer)

    def _post(self, due_ps: int, register: int, value: int, answer: Callable[[int, int], None] | None) -> None:
        self._posted += 1
        heappush(self._posts, (due_ps, self._posted, register, value, answer))

    async def _registers(self) -> None:
        """Start each access when its time has come: writes one behind the other, a read behind all before it."""
        while True:
            await RisingEdge(self.dut.clk)
            while self._posts and self._posts[0][0] <= self.now_ps():
                _due, _turn, register, value, answer = heappop(self._posts)
                if answer is None:
                    cocotb.start_soon(self._write(register, value))
                    continue
                await self.master.wait_write()
                done = await self.master.read(register, 4)
                if done.resp != OKAY:
                    self.faults.append(Fault(self.now_ps(), register, "register read"))
                data = int.from_bytes(done.data, "little") if done.resp == OKAY else 0xFFFFFFFF
                self._answers.append((answer, self.now_ps(), data))
                self._control[self._host_next] = 0

    async def _write(self, register: int, value: int) -> None:
        done = await self.master.write(register, value.to_bytes(4, "little"))
        if done.resp != OKAY:
            self.faults.append(Fault(self.now_ps(), register, "register write"))

    def _collect_answers(self) -> None:
        while self._answers:
            answer, time_ps, data = self._answers.popleft()
            answer(time_ps, data)

    # -- what happened

    def inject(self, kind: int, addr: int, length: int = 1, skip: int = 0, count: int = 0) -> None:
        """As ``SimulatedWorld.inject``."""
        self.memory_model.rules.append(_Rule(kind, addr, addr + length, skip, count))

    def finish(self) -> None:
        """As ``SimulatedWorld.finish``; the sink on the wire must have seen what the capture has."""
        super().finish()
        taken = self._taken
        while not self.sink.empty():
            taken.append(bytes(self.sink.recv_nowait().tdata))
        captured = [frame.data for frame in self.capture.frames[: len(taken)]]
        if taken != captured or len(self.capture.frames) - len(taken) > 1:
            raise WorldError(f"the sink took {len(taken)} frames, the capture {len(self.capture.frames)}, or others")


class MemoryModel:
    """Host memory's AXI port: every read in flight with a latency of its own, ids interleaved beat by beat."""

    def __init__(self, world: HostileWorld, seed: int) -> None:
        dut = world.dut
        self.rules: list[_Rule] = []
        self.peak_reads = 0
        self._world = world
        self._random = Random(seed)
        self._width = len(dut.m_axi_rdata) // 8
        self._limit = world.settings.max_reads
        self._stall = world.hostility.stall
        self._latency_ps = 1000 * world.hostility.max_latency_ns
        self._takes: list[tuple[int, int, _Read]] = []
        self._turn = 0
        self._reads: list[deque[_Read]] = [deque() for _ in range(IDS)]
        self._writes: deque[_Write] = deque()
        self._responses: deque[_Write] = deque()
        self._arready = self._awready = self._wready = self._rvalid = self._bvalid = False

    async def run(self) -> None:
        """Every edge: take what the device offers, then decide what it sees at the next one."""
        dut = self._world.dut
        clk = RisingEdge(dut.clk)
        period_ps = self._world.settings.period_ps
        now_ps = -period_ps
        while True:
            await clk
            now_ps += period_ps
            if self._awready and dut.m_axi_awvalid.value == 1:
                self._take_write(now_ps)
            if self._wready and dut.m_axi_wvalid.value == 1:
                self._take_beat(now_ps)
            if self._arready and dut.m_axi_arvalid.value == 1:
                self._take_read(now_ps)
            while self._takes and self._takes[0][0] <= now_ps:
                self._take_bytes(heappop(self._takes)[2], now_ps)
            if self._rvalid and dut.m_axi_rready.value == 1:
                self._rvalid = False
            if self._bvalid and dut.m_axi_bready.value == 1:
                self._bvalid = False
            self._drive(now_ps)

    def _moves(self) -> bool:
        return self._random.random() >= self._stall

    def _due(self, now_ps: int) -> int:
        return now_ps + self._random.randint(0, self._latency_ps)

    def _drive(self, now_ps: int) -> None:
        dut = self._world.dut
        in_flight = sum(map(len, self._reads))
        self.peak_reads = max(self.peak_reads, in_flight)
        self._arready = self._moves() and in_flight < self._limit
        dut.m_axi_arready.value = self._arready
        self._awready = self._moves()
        dut.m_axi_awready.value = self._awready
        self._wready = bool(self._writes) and self._moves()
        dut.m_axi_wready.value = self._wready
        if not self._rvalid:
            ready = [i for i, queue in enumerate(self._reads) if queue and queue[0].due_ps <= now_ps]
            if ready and self._moves():
                self._send_beat(self._random.choice(ready))
            dut.m_axi_rvalid.value = self._rvalid
        if not self._bvalid:
            if self._responses and self._responses[0].due_ps <= now_ps and self._moves():
                write = self._responses.popleft()
                dut.m_axi_bid.value = write.id
                dut.m_axi_bresp.value = write.response
                self._bvalid = True
            dut.m_axi_bvalid.value = self._bvalid

    # -- reads

    def _take_read(self, now_ps: int) -> None:
        dut = self._world.dut
        due_ps = self._due(now_ps)
        read = _Read(int(dut.m_axi_araddr.value), int(dut.m_axi_arlen.value) + 1, due_ps)
        self._reads[int(dut.m_axi_arid.value)].append(read)
        self._turn += 1
        heappush(self._takes, (self._random.randint(now_ps, due_ps), self._turn, read))

    def _take_bytes(self, read: _Read, now_ps: int) -> None:
        fails = self._fails(READ, read.addr, read.beats)
        faulty_line = -1
        for beat, fail in enumerate(fails):
            addr = self._beat_addr(read.addr, beat)
            lanes = addr % self._width
            response, data = SLVERR, b""
            if not fail:
                try:
                    data = self._world.memory.device_read(addr, self._width - lanes)
                    response = OKAY
                except DmaFault:
                    if addr // LINE != faulty_line:
                        self._fault(now_ps, addr, READ)
                    faulty_line = addr // LINE
            word = int.from_bytes(data, "little") << 8 * lanes
            read.data.append((word, response))

    def _send_beat(self, id: int) -> None:
        dut, queue = self._world.dut, self._reads[id]
        read = queue[0]
        word, response = read.data[read.sent]
        read.sent += 1
        last = read.sent == read.beats
        if last:
            queue.popleft()
        dut.m_axi_rid.value = id
        dut.m_axi_rdata.value = word
        dut.m_axi_rresp.value = response
        dut.m_axi_rlast.value = last
        self._rvalid = True

    # -- writes

    def _take_write(self, now_ps: int) -> None:
        dut = self._world.dut
        write = _Write(int(dut.m_axi_awid.value), int(dut.m_axi_awaddr.value), int(dut.m_axi_awlen.value) + 1)
        write.fails = self._fails(WRITE, write.addr, write.beats)
        self._writes.append(write)

    def _take_beat(self, now_ps: int) -> None:
        dut, write = self._world.dut, self._writes[0]
        word = self._beat_addr(write.addr, write.got) & ~(self._width - 1)
        strobes = int(dut.m_axi_wstrb.value)
        if write.fails[write.got]:
            write.response = SLVERR
        elif strobes:
            data = int(dut.m_axi_wdata.value).to_bytes(self._width, "little")
            try:
                for lane in range(self._width):
                    if strobes >> lane & 1:
                        self._world.memory.device_write(word + lane, data[lane : lane + 1])
            except DmaFault:
                write.response = SLVERR
                self._fault(now_ps, word, WRITE)
        write.got += 1
        if write.got == write.beats:
            self._writes.popleft()
            write.due_ps = self._due(now_ps)
            self._responses.append(write)

    # -- both

    def _beat_addr(self, addr: int, beat: int) -> int:
        return (addr & ~(self._width - 1)) + beat * self._width if beat else addr

    def _fails(self, kind: int, addr: int, beats: int) -> list[bool]:
        end = self._beat_addr(addr, beats)
        hits = [rule for rule in self.rules if rule.hits(kind, addr, end)]
        return [
            any(self._beat_addr(addr, i) < rule.high and self._beat_addr(addr, i + 1) > rule.low for rule in hits)
            for i in range(beats)
        ]

    def _fault(self, now_ps: int, addr: int, kind: int) -> None:
        self._world.faults.append(Fault(now_ps, addr, KINDS[kind]))
