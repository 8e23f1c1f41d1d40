"""The behavioural twin, driven by hand: registers, frames and their times, completions, interrupts, errors, reset."""

from __future__ import annotations

import random
from collections.abc import Coroutine
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringwire.host.cpu import HostCosts
from ringwire.host.world import Stuck, drive
from ringwire.nic.descriptors import Completion, CplFlag, DescFlag, Status
from ringwire.nic.pacer import ClockGrid, byte_time, wire_bytes
from ringwire.nic.registers import (
    GLOBAL_OFFSETS,
    GLOBAL_REGISTERS,
    ID_VALUE,
    MAX_BUFFER,
    MAX_DESCRIPTORS,
    MAX_FRAME,
    QUEUE_REGISTERS,
    VERSION_VALUE,
    Access,
    Stat,
    queue_register,
    stat_register,
)
from ringwire.nic.twin import TwinConfig
from ringwire.nic.twin_world import TwinWorld, WireFrame
from tests.raw_queue import EOP, REPORT, TSTAMP, RawQueue, payloads, read, start

G100 = 100_000_000_000


def run(test: Coroutine[Any, Any, None]) -> None:
    drive(test)


def world(**knobs: Any) -> TwinWorld:
    """A twin behind a host whose work takes no time, but for register reads, of which tests wait for many."""
    return TwinWorld(TwinConfig(**knobs), costs=replace(HostCosts.free(), read_ns=100), wake_on_frame=True)


def padded(frames: list[bytes]) -> list[bytes]:
    return [frame.ljust(60, b"\0") for frame in frames]


def sent(wire: list[WireFrame], queue: int = 0) -> list[bytes]:
    return [frame.data for frame in wire if frame.queue == queue]


# -- registers


def test_registers_read_what_they_are_documented_to_read() -> None:
    async def test() -> None:
        w = world(queues=4, data_bits=256)
        expected = {register.name: register.reset for register in GLOBAL_REGISTERS}
        expected |= {"CAPS": 4 | 32 << 8 | 64 << 16, "CAPS_FRAME": MAX_FRAME, "STATUS": 1}
        assert (expected["ID"], expected["VERSION"]) == (ID_VALUE, VERSION_VALUE)
        found = {register.name: await read(w, register.offset) for register in GLOBAL_REGISTERS}
        assert found == expected
        for queue in range(4):
            q = {register.name: await read(w, 0x1000 + 0x100 * queue + register.offset) for register in QUEUE_REGISTERS}
            assert q == {register.name: register.reset for register in QUEUE_REGISTERS} | {"Q_STATUS": 1}
        assert await read(w, 0x1400) == 0xFFFFFFFF
        assert await read(w, 0x0FC) == 0xFFFFFFFF
        assert w.device.refused == 2

    run(test())


def test_values_out_of_range_are_refused_and_change_nothing() -> None:
    async def test() -> None:
        w = world()
        q = RawQueue(w, log2=7)
        before = {register.name: await q.get(register.name.removeprefix("Q_")) for register in QUEUE_REGISTERS}
        refused = [
            ("RING_LOG2", 5),
            ("RING_LOG2", 16),
            ("RING_LO", 64),
            ("CPL_LO", 8),
            ("HEAD_LO", 2),
            ("CPL_THRESHOLD", 0),
            ("CPL_THRESHOLD", 17),
            ("IRQ_MASK", 2),
            ("MOD_FRAMES", 1 << 15),
            ("MOD_NS", 1 << 31),
            ("CTRL", 4),
            ("STATUS", 1),
            ("HEAD", 0),
            ("FETCHED", 0),
            ("CPL_WRITTEN", 0),
        ]
        for name, value in refused:
            q.put(name, value)
        for address, value in ((0, 1), (0x20000, 0), (GLOBAL_OFFSETS["CTRL"], 8), (GLOBAL_OFFSETS["STATUS"], 0)):
            q.port.write(address, value)
        after = {register.name: await q.get(register.name.removeprefix("Q_")) for register in QUEUE_REGISTERS}
        assert after == before
        assert w.device.refused == len(refused) + 4

    run(test())


def test_configuration_is_refused_while_the_queue_is_enabled_resetting_or_at_work() -> None:
    config = [register for register in QUEUE_REGISTERS if register.access is Access.CONFIG]
    assert len(config) == 7

    async def attempt(q: RawQueue) -> bool:
        before = {register.name: await q.get(register.name.removeprefix("Q_")) for register in config}
        for register in config:
            q.put(register.name.removeprefix("Q_"), 7 if register.name == "Q_RING_LOG2" else 1 << 9)
        after = {register.name: await q.get(register.name.removeprefix("Q_")) for register in config}
        changed = {name for name in after if after[name] != before[name]}
        assert changed in (set(), set(after)), changed
        return bool(changed)

    async def test() -> None:
        w = world()
        start(w, 1_000_000)
        q = RawQueue(w)
        q.packet(bytes(1000))
        q.doorbell()
        q.enable()
        assert not await attempt(q), "enabled"
        await w.run(lambda: len(w.wire) == 1, 10_000_000, "the frame")
        q.put("CTRL", 0)
        assert not await attempt(q), "disabled, with a frame on the wire"
        q.put("CTRL", 2)
        assert await q.get("CTRL") == 2
        assert not await attempt(q), "in reset"
        await w.pause(20_000_000)
        assert (await q.get("CTRL"), await q.get("STATUS")) == (0, 1)
        assert await attempt(q)

    run(test())


def test_statistics_count_what_happened_and_are_64_bits_wide() -> None:
    async def test() -> None:
        w = world()
        start(w, G100)
        q = RawQueue(w)
        for frame in payloads([60, 1514, 33]):
            q.packet(frame, flags=REPORT)
        q.post(w.memory.base, 0, EOP)
        q.doorbell()
        q.enable()
        await q.completed(4)
        counts = {stat: await read(w, stat_register(stat)) for stat in Stat}
        expected = dict.fromkeys(Stat, 0)
        expected |= {Stat.TX_FRAMES: 3, Stat.TX_BYTES: 60 + 1514 + 60, Stat.DESC_FETCHED: 4, Stat.CPL_WRITTEN: 4}
        expected |= {Stat.DOORBELLS: 1, Stat.ERR_BAD_LENGTH: 1, Stat.READ_REQUESTS: counts[Stat.READ_REQUESTS]}
        assert counts == expected
        assert 3 <= counts[Stat.READ_REQUESTS] <= 6
        w.device.stats[Stat.TX_BYTES] = (5 << 32) + 7
        assert await read(w, stat_register(Stat.TX_BYTES)) == 7
        w.device.stats[Stat.TX_BYTES] = 9 << 32
        assert await read(w, stat_register(Stat.TX_BYTES) + 4) == 5, "the high half is that of the low half's read"

    run(test())


# -- frames and their times


@given(
    st.lists(st.lists(st.integers(1, 700), min_size=1, max_size=8), min_size=1, max_size=20),
    st.sampled_from([64, 512]),
    st.integers(0, 2**16),
)
@settings(max_examples=40, deadline=None)
def test_every_packet_leaves_whole_in_order_and_padded(packets: list[list[int]], data_bits: int, seed: int) -> None:
    async def test() -> None:
        w = world(data_bits=data_bits)
        start(w)
        draw = random.Random(seed)
        q = RawQueue(w, log2=8)
        frames = []
        for sizes in packets:
            fragments = [draw.randbytes(size) for size in sizes]
            q.packet(*fragments)
            frames.append(b"".join(fragments))
            if draw.random() < 0.3:
                q.doorbell()
        q.doorbell()
        q.enable()
        completions = await q.completed(len(packets))
        assert sent(w.wire) == padded(frames)
        assert [c.status for c in completions] == [Status.OK] * len(packets)
        ends = [sum(len(sizes) for sizes in packets[: n + 1]) % 256 for n in range(len(packets))]
        assert [c.ring_index for c in completions] == ends
        assert w.memory.faults == 0

    run(test())


@pytest.mark.parametrize(
    ("rate_bps", "clock_ps"),
    [
        (1_000_000, 4000),
        (7_654_321, 3103),
        (1_000_000_000, 6400),
        (25_000_000_000, 6400),
        (G100, 4000),
        (G100, 3103),
    ],
)
def test_a_backlogged_wire_keeps_to_the_exact_schedule_by_less_than_a_clock(rate_bps: int, clock_ps: int) -> None:
    # the first is long enough on the wire for the others to be there when their turn comes
    sizes = [9000] + [60, 1514, 61, 900, 1500, 64, 300, 1] * 5

    async def test() -> None:
        w = world(clock_ps=clock_ps)
        start(w, rate_bps)
        q = RawQueue(w)
        for frame in payloads(sizes):
            q.packet(frame)
        q.doorbell()
        q.enable()
        await w.run(lambda: len(w.wire) == len(sizes), 10**12, "all frames")
        due = Fraction(w.wire[0].start_ps)
        for start_ps, size in zip((frame.start_ps for frame in w.wire), sizes, strict=True):
            assert 0 <= start_ps - due < clock_ps + 1, (start_ps, float(due))
            assert start_ps % clock_ps == 0
            due += Fraction(8 * 10**12, rate_bps) * wire_bytes(size)

    run(test())


@given(st.lists(st.tuples(st.integers(60, 1514), st.integers(0, 30_000)), min_size=2, max_size=20))
@settings(max_examples=40, deadline=None)
def test_no_frame_starts_before_the_one_before_has_had_its_time(arrivals: list[tuple[int, int]]) -> None:
    async def test() -> None:
        w = world()
        start(w, 1_000_000_000)
        q = RawQueue(w)
        q.enable()
        posted = []
        for size, pause_ns in arrivals:
            posted.append(w.timeline.now_ns)
            q.packet(bytes(size))
            q.doorbell()
            await w.pause(pause_ns)
        await w.run(lambda: len(w.wire) == len(arrivals), 10**9, "all frames")
        free = 0
        for frame, when in zip(w.wire, posted, strict=True):
            earliest = max(free, when * 1000)
            assert earliest <= frame.start_ps
            # an idle wire is not kept waiting: two reads of memory and a few clocks
            assert frame.start_ps <= max(free, when * 1000 + 1_000_000 + 40 * 4000) + 4000
            free = frame.start_ps + 8000 * wire_bytes(len(frame.data)) - 4000

    run(test())


def test_without_a_pacer_the_bus_is_the_limit() -> None:
    async def test() -> None:
        w = world()
        start(w)
        q = RawQueue(w)
        sizes = [60, 64, 65, 1514, 128]
        for size in sizes:
            q.packet(bytes(size))
        q.doorbell()
        q.enable()
        await q.completed(len(sizes))
        gaps = [b.start_ps - a.start_ps for a, b in pairwise(w.wire)]
        # the data bus brings as many beats as leave, so the frames follow each other without a gap
        assert gaps[-1] == 24 * 4000
        assert all(gap >= 4000 * -(-size // 64) for gap, size in zip(gaps, sizes, strict=False))

    run(test())


@given(st.integers(1, 10**12), st.integers(0, 10**6), st.integers(1, 10**5))
def test_clock_edges_are_found_exactly(stamp: int, phase_ps: int, period_ps: int) -> None:
    grid = ClockGrid(period_ps, phase_ps)
    edge = grid.edge_of_stamp(stamp)
    assert (edge - phase_ps) % period_ps == 0
    assert grid.stamp(edge) >= stamp > grid.stamp(edge - period_ps)


@given(st.integers(1, 10**12))
def test_byte_time_is_rounded_up(rate_bps: int) -> None:
    exact = Fraction(8 * 10**9 << 40, rate_bps)
    assert 0 <= byte_time(rate_bps) - exact < 1


def test_queues_take_turns_frame_by_frame() -> None:
    async def test() -> None:
        w = world(queues=4)
        start(w, 1_000_000_000)
        queues = [RawQueue(w, queue) for queue in range(4)]
        for q in queues:
            for frame in payloads([100] * (3 + q.queue)):
                q.packet(frame)
            q.doorbell()
        for q in queues:
            q.enable()
        await w.run(lambda: len(w.wire) == 18, 10**9, "all frames")
        order = [frame.queue for frame in w.wire]
        turns = [n for n, queue in enumerate(order) if queue == 3]
        assert max(b - a for a, b in pairwise(turns)) <= 4
        for q in queues:
            assert order.count(q.queue) == 3 + q.queue
        assert order[-2:] == [3, 3] or order[-3:] == [2, 3, 3]

    run(test())


def test_a_late_frame_of_another_queue_waits_behind_what_the_bound_allows_only() -> None:
    async def ahead(bound: int) -> int:
        w = world(queues=2)
        start(w, 1_000_000_000, bound=bound)
        bulk, sparse = RawQueue(w, 0), RawQueue(w, 1)
        for _ in range(40):
            bulk.packet(bytes(1514))
        bulk.doorbell()
        bulk.enable()
        sparse.enable()
        await w.run(lambda: len(w.wire) == 3, 10**9, "three frames of the bulk queue")
        sparse.packet(bytes(100))
        sparse.doorbell()
        posted_at = len(w.wire)
        await w.run(lambda: len(sent(w.wire, 1)) == 1, 10**9, "the sparse frame")
        return next(n for n, frame in enumerate(w.wire) if frame.queue == 1) - posted_at

    async def test() -> None:
        assert await ahead(2 * wire_bytes(1514)) <= 2
        assert await ahead(0) >= 30, "without a bound the frame buffer is a queue"

    run(test())


# -- completions


def test_a_completion_is_there_when_the_fcs_has_ended_or_at_fetch_if_told() -> None:
    async def first_seen(at_fetch: bool) -> tuple[int, int]:
        w = world()
        start(w, 10_000_000, complete_at_fetch=at_fetch)
        q = RawQueue(w)
        q.packet(bytes(1000))
        q.doorbell()
        q.enable()
        q.put("CPL_ARM", 0)
        await w.run(lambda: bool(q.interrupts), 10**9, "the interrupt")
        return q.interrupts[0], w.wire[0].start_ps // 1000

    async def test() -> None:
        seen, begun = await first_seen(at_fetch=False)
        end = begun + 800 * 1004
        assert end + 500 <= seen <= end + 510, "its write takes 500 ns"
        seen, begun = await first_seen(at_fetch=True)
        assert seen < begun + 1000

    run(test())


def test_the_time_stamp_is_that_of_the_first_beat() -> None:
    async def test() -> None:
        w = world(clock_ps=3103)
        start(w, G100)
        q = RawQueue(w)
        for size, flags in ((60, REPORT), (1514, REPORT | TSTAMP), (200, TSTAMP)):
            q.packet(bytes(size), flags=flags)
        q.packet(bytes(99), flags=REPORT)
        q.doorbell()
        q.enable()
        found = await q.completed(3)
        stamps = [frame.start_ps * 65536 // 1000 for frame in w.wire]
        expected = [
            Completion(stamps[0], 1, Status.OK, CplFlag(0), 1, 1),
            Completion(stamps[1], 2, Status.OK, CplFlag.TSTAMP, 1, 1),
            Completion(stamps[3], 4, Status.OK, CplFlag(0), 1, 1),
        ]
        assert found == expected

    run(test())


def test_phase_alternates_and_counts_run_on_over_many_passes_of_the_rings() -> None:
    async def test() -> None:
        w = world()
        start(w)
        q = RawQueue(w)
        q.enable()
        total = 64 * 9 + 5
        done = 0
        while done < total:
            batch = min(random.Random(done).randint(1, 40), total - done)
            for frame in payloads([60 + done % 50] * batch):
                q.packet(frame)
            q.doorbell()
            found = await q.completed(batch)
            assert [c.phase for c in found] == [1 - ((done + n) // 64 & 1) for n in range(batch)]
            assert [c.ring_index for c in found] == [(done + n + 1) % 64 for n in range(batch)]
            done += batch
            q.put("CPL_CONSUMED", q.consumed & 0xFFFF)
        assert await q.get("HEAD") == total % 64
        assert await q.get("CPL_WRITTEN") == total

    run(test())


def test_a_slot_is_not_used_again_before_it_is_consumed() -> None:
    async def test() -> None:
        w = world()
        start(w)
        q = RawQueue(w)
        q.enable()
        for _ in range(2):
            for _ in range(40):
                q.packet(bytes(60))
            q.doorbell()
            await w.pause(100_000)
        assert await q.get("CPL_WRITTEN") == 60, "the last four slots are for events"
        first = q.seen()
        assert len(first) == 60
        assert len(w.wire) == 60
        q.put("CPL_CONSUMED", 60)
        await w.pause(100_000)
        assert len(q.seen()) == 20
        assert len(w.wire) == 80

    run(test())


def test_refused_doorbells_never_fill_the_completion_ring() -> None:
    async def test() -> None:
        w = world()
        start(w)
        q = RawQueue(w)
        q.enable()
        for _ in range(70):
            q.put("TAIL", 64)
        await w.pause(10_000)
        assert await q.get("CPL_WRITTEN") == len(q.seen()) == 63
        q.put("CPL_CONSUMED", 63)
        found = await q.completed(1)
        assert [(c.ring_index, c.status, c.phase) for c in found] == [(0, Status.BAD_DOORBELL, 1)]
        await w.pause(10_000)
        assert (q.seen(), w.device.stats[Stat.ERR_BAD_DOORBELL]) == ([], 70)

    run(test())


@pytest.mark.parametrize("timer_ns", [0, 20_000])
def test_completions_are_gathered_by_number_or_time_and_an_error_flushes_them(timer_ns: int) -> None:
    async def test() -> None:
        w = world()
        start(w)
        q = RawQueue(w)
        q.put("CPL_THRESHOLD", 4)
        q.put("CPL_TIMER_NS", timer_ns)
        q.enable()
        for _ in range(6):
            q.packet(bytes(60))
        q.doorbell()
        await w.pause(10_000)
        assert await q.get("CPL_WRITTEN") == 4
        await w.pause(40_000)
        assert await q.get("CPL_WRITTEN") == (6 if timer_ns else 4)
        q.packet(bytes(60))
        q.post(w.memory.base, 0, EOP)
        q.doorbell()
        await w.pause(10_000)
        assert await q.get("CPL_WRITTEN") == 8
        q.packet(bytes(60))
        q.doorbell()
        await w.pause(5_000)
        q.put("CTRL", 0)
        await w.pause(5_000)
        assert await q.get("CPL_WRITTEN") == 9, "a queue that stands has nothing to wait for"

    run(test())


def test_head_write_back_reports_in_a_record_and_errors_in_the_ring() -> None:
    async def test() -> None:
        w = world()
        start(w)
        q = RawQueue(w, head_write_back=True)
        q.enable()
        for n in range(70):
            if n % 10 == 9:
                q.post(w.memory.base, 0, EOP)
            else:
                q.packet(bytes(60))
            if n == 39:
                q.doorbell()
                await w.pause(10_000)
                assert q.head.view.tolist() == [40, 0, 40, 0, 0, 0, 0, 0]
                q.put("CPL_CONSUMED", 40)
        q.doorbell()
        await w.pause(10_000)
        assert q.head.view.tolist() == [6, 0, 70, 0, 0, 0, 0, 0]
        errors = q.seen()
        assert [(c.ring_index, c.status, c.segments) for c in errors] == [
            (n % 64, Status.BAD_LENGTH, 0) for n in (10, 20, 30, 40, 50, 60, 70)
        ]
        assert await q.get("CPL_WRITTEN") == 70
        assert w.device.stats[Stat.CPL_WRITTEN] == 7
        assert len(w.wire) == 63

    run(test())


def test_an_event_does_not_move_the_index_of_the_head_record() -> None:
    """BAD_DOORBELL carries the tail: taken for the head it would have software free what is being sent."""

    async def test() -> None:
        w = world()
        start(w, 1_000_000, bound=1)
        q = RawQueue(w, head_write_back=True)
        q.enable()
        for _ in range(3):
            q.packet(bytes(60))
        q.doorbell()
        q.put("TAIL", 64)
        await w.pause(5_000)
        assert q.head.view.tolist() == [0, 0, 1, 0, 0, 0, 0, 0]
        assert [(c.ring_index, c.status) for c in q.seen()] == [(3, Status.BAD_DOORBELL)]
        await w.run(lambda: len(w.wire) == 3, 10**9, "two frames sent, one on the wire")
        q.packet(bytes(100), bytes(100))
        w.memory.forbid(q.ring.addr + 4 * 16)
        q.doorbell()
        await w.pause(10_000_000)
        assert q.head.view.tolist() == [3, 0, 5, 0, 0, 0, 0, 0]
        assert [(c.ring_index, c.status) for c in q.seen()] == [(4, Status.DESC_READ)]

    run(test())


# -- interrupts


async def interrupts_of(frames: int, ns: int, gaps_ns: list[int]) -> tuple[list[int], list[int]]:
    """Interrupt times, and times at which completions became visible, of single packets at these gaps; never armed
    again."""
    w = world()
    start(w)
    q = RawQueue(w)
    q.put("MOD_FRAMES", frames)
    q.put("MOD_NS", ns)
    q.enable()
    q.put("CPL_ARM", 0)
    seen = []
    for gap in gaps_ns:
        q.packet(bytes(60))
        q.doorbell()
        await w.pause(gap)
        seen.append(w.wire[-1].start_ps // 1000 + 500)
    await w.pause(500_000)
    return q.interrupts, seen


@pytest.mark.parametrize(
    ("frames", "ns", "after", "delay_ns"),
    [(0, 0, 0, 0), (1, 0, 0, 0), (3, 0, 2, 0), (3, 50_000, 2, 0), (8, 7_000, 0, 7_000), (0, 7_000, 0, 7_000)],
)
def test_an_armed_interrupt_fires_once_after_so_many_or_so_long(
    frames: int, ns: int, after: int, delay_ns: int
) -> None:
    async def test() -> None:
        fired, seen = await interrupts_of(frames, ns, [3000] * 5)
        assert len(fired) == 1
        assert 0 <= fired[0] - (seen[after] + delay_ns) <= 10

    run(test())


@pytest.mark.parametrize("register", ["CPL_CONSUMED", "CPL_ARM"])
def test_moderation_starts_anew_when_software_has_consumed_all(register: str) -> None:
    async def test() -> None:
        w = world()
        start(w)
        q = RawQueue(w)
        q.put("MOD_NS", 50_000)
        q.enable()
        q.put("CPL_ARM", 0)
        for _ in range(2):
            q.packet(bytes(60))
            q.doorbell()
            await w.pause(20_000)
            if len(w.wire) == 1:
                assert len(q.seen()) == 1
                q.put(register, 1)
        await w.pause(200_000)
        assert len(q.interrupts) == 1
        assert 0 <= q.interrupts[0] - (w.wire[1].start_ps // 1000 + 500 + 50_000) <= 10

    run(test())


def test_an_interrupt_takes_its_way_to_the_cpu() -> None:
    async def test() -> None:
        costs = replace(HostCosts.free(), read_ns=100, interrupt_delay_ns=777)
        w = TwinWorld(costs=costs)
        start(w)
        q = RawQueue(w)
        q.enable()
        q.put("CPL_ARM", 0)
        q.packet(bytes(60))
        q.doorbell()
        await w.pause(50_000)
        assert [when - w.wire[0].start_ps // 1000 for when in q.interrupts] == [4 + 500 + 777]

    run(test())


def test_frames_without_time_never_interrupt_for_fewer() -> None:
    async def test() -> None:
        fired, _ = await interrupts_of(6, 0, [3000] * 5)
        assert fired == []

    run(test())


def test_an_unarmed_queue_is_silent_and_arming_it_late_fires_at_once_whatever_moderation_says() -> None:
    async def test() -> None:
        w = world()
        start(w)
        q = RawQueue(w)
        q.put("MOD_FRAMES", 100)
        q.put("MOD_NS", 1_000_000)
        q.enable()
        q.packet(bytes(60))
        q.doorbell()
        await w.pause(50_000)
        assert q.interrupts == []
        q.put("CPL_ARM", 0)
        await w.pause(10)
        assert len(q.interrupts) == 1
        q.put("CPL_ARM", 1)
        await w.pause(50_000)
        assert len(q.interrupts) == 1, "nothing is there beyond what is consumed"

    run(test())


@pytest.mark.parametrize("arm_delay_ns", [0, 1, 5])
@pytest.mark.parametrize("offset_ns", range(-12, 13, 3))
def test_no_completion_is_missed_however_it_falls_between_poll_and_arm(offset_ns: int, arm_delay_ns: int) -> None:
    """The classic race: the last look at the ring, then a completion, then the arm."""

    async def test() -> None:
        w = world(read_latency_ns=100, write_latency_ns=100)
        start(w)
        q = RawQueue(w)
        q.enable()
        q.put("CPL_ARM", 0)
        q.packet(bytes(60))
        q.doorbell()
        await w.run(lambda: bool(q.interrupts), 100_000, "the interrupt that starts polling")
        assert len(q.seen()) == 1
        q.packet(bytes(60))
        q.doorbell()
        await w.run(lambda: len(w.wire) == 2, 100_000, "the frame")
        visible_ns = w.wire[1].start_ps // 1000 + 4 + 100
        await w.pause(visible_ns + offset_ns - w.timeline.now_ns)
        taken = len(q.seen())
        await w.pause(arm_delay_ns)
        q.put("CPL_ARM", 1 + taken)
        await w.pause(10_000)
        assert taken + len(q.seen()) == 1
        assert len(q.interrupts) == (1 if taken else 2)

    run(test())


def test_a_masked_interrupt_is_held_back_and_sent_when_the_mask_goes_unless_software_was_faster() -> None:
    async def test() -> None:
        w = world()
        start(w)
        q = RawQueue(w)
        q.put("IRQ_MASK", 1)
        q.enable()
        q.put("CPL_ARM", 0)
        q.packet(bytes(60))
        q.doorbell()
        await w.pause(50_000)
        assert q.interrupts == []
        q.put("IRQ_MASK", 0)
        await w.pause(10)
        assert len(q.interrupts) == 1
        q.put("IRQ_MASK", 1)
        q.put("CPL_ARM", 1)
        q.packet(bytes(60))
        q.doorbell()
        await w.pause(50_000)
        q.put("CPL_ARM", 2)
        q.put("IRQ_MASK", 0)
        await w.pause(50_000)
        assert len(q.interrupts) == 1, "what it would announce has been consumed"

    run(test())


def test_errors_are_not_moderated() -> None:
    async def test() -> None:
        w = world()
        start(w)
        q = RawQueue(w)
        q.put("MOD_FRAMES", 100)
        q.put("MOD_NS", 1_000_000)
        q.enable()
        q.put("CPL_ARM", 0)
        q.packet(bytes(60))
        q.post(w.memory.base, MAX_BUFFER + 1, EOP)
        q.doorbell()
        await w.pause(50_000)
        assert len(q.interrupts) == 1

    run(test())


# -- errors

CASES: list[tuple[str, Status, list[tuple[int, int]]]] = [
    ("length 0", Status.BAD_LENGTH, [(60, 0), (0, 0), (60, EOP)]),
    ("length 16385", Status.BAD_LENGTH, [(MAX_BUFFER + 1, EOP)]),
    ("length 65535", Status.BAD_LENGTH, [(65535, EOP)]),
    ("a reserved flag", Status.BAD_FLAGS, [(60, 0), (60, 1 << 5), (60, EOP)]),
    ("every reserved flag", Status.BAD_FLAGS, [(60, 0x7FE0 | EOP)]),
    ("an offload descriptor in second place", Status.BAD_FLAGS, [(60, 0), (60, DescFlag.OFFLOAD), (60, EOP)]),
    ("a frame of 16,641 bytes", Status.TOO_LONG, [(MAX_BUFFER, 0), (257, EOP)]),
    (
        "64 descriptors and none of them the last, then a flag",
        Status.TOO_MANY_DESC,
        [(1, 0)] * 64 + [(1, 1 << 5 | EOP)],
    ),
    ("65 descriptors", Status.TOO_MANY_DESC, [(1, 0)] * MAX_DESCRIPTORS + [(1, EOP)]),
    ("200 descriptors", Status.TOO_MANY_DESC, [(1, 0)] * 199 + [(1, EOP)]),
    ("65 descriptors, then another error", Status.TOO_MANY_DESC, [(1, 0)] * 70 + [(0, 1 << 7), (1, EOP)]),
    ("two errors, the first counts", Status.BAD_LENGTH, [(0, 0), (60, 1 << 6), (60, EOP)]),
    ("two errors, the other way round", Status.BAD_FLAGS, [(60, 1 << 6), (0, 0), (60, EOP)]),
    ("too long, then too many", Status.TOO_LONG, [(MAX_BUFFER, 0), (MAX_BUFFER, 0)] + [(1, 0)] * 70 + [(1, EOP)]),
]


@pytest.mark.parametrize(("status", "descriptors"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_an_illegal_packet_is_dropped_whole_and_named_and_its_neighbours_leave(
    status: Status, descriptors: list[tuple[int, int]]
) -> None:
    async def test() -> None:
        w = world()
        start(w)
        q = RawQueue(w, log2=9)
        frames = payloads([100, 200])
        q.packet(frames[0])
        for length, flags in descriptors:
            q.post(w.memory.map(bytes(max(1, min(length, MAX_BUFFER)))), length, flags)
        q.packet(frames[1])
        q.doorbell()
        q.enable()
        found = await q.completed(3)
        outcome = [(c.ring_index, c.status, c.segments) for c in found]
        last = 1 + len(descriptors)
        assert outcome == [(1, Status.OK, 1), (last, status, 0), (last + 1, Status.OK, 1)]
        assert sent(w.wire) == frames
        errors = {stat: w.device.stats[stat] for stat in Stat if stat >= Stat.ERR_BAD_LENGTH}
        wanted = Stat[f"ERR_{status.name}"]
        assert errors == {stat: int(stat is wanted) for stat in errors}
        assert await q.get("STATUS") == 1

    run(test())


@pytest.mark.parametrize("sizes", [[MAX_BUFFER, 256], [1] * MAX_DESCRIPTORS, [1]])
def test_the_largest_and_the_smallest_legal_packets_leave(sizes: list[int]) -> None:
    async def test() -> None:
        w = world()
        start(w)
        q = RawQueue(w, log2=7)
        fragments = payloads(sizes)
        q.packet(*fragments)
        q.doorbell()
        q.enable()
        assert [c.status for c in await q.completed(1)] == [Status.OK]
        assert sent(w.wire) == padded([b"".join(fragments)])

    run(test())


def test_a_failed_payload_read_kills_that_packet_only() -> None:
    async def test() -> None:
        w = world()
        start(w, G100)
        q = RawQueue(w)
        frames = payloads([100, 3000, 300, 400])
        q.packet(frames[0])
        bad = q.packet(frames[1][:1000], frames[1][1000:])
        q.packet(frames[2])
        w.memory.forbid(bad[1] + 1500)
        gone = q.packet(frames[3])
        w.memory.unmap(gone[0])
        q.doorbell()
        q.enable()
        found = await q.completed(4)
        assert [(c.ring_index, c.status) for c in found] == [
            (1, Status.OK),
            (3, Status.READ),
            (4, Status.OK),
            (5, Status.READ),
        ]
        assert sent(w.wire) == [frames[0], frames[2]]
        assert w.device.stats[Stat.ERR_READ] == w.memory.faults == 2
        # what it had committed is free again: the wire goes on as before
        q.packet(frames[0])
        q.doorbell()
        await q.completed(1)

    run(test())


def test_a_failed_descriptor_read_stops_its_queue_only_until_a_reset() -> None:
    async def test() -> None:
        w = world(queues=2)
        start(w, G100)
        q, other = RawQueue(w, 0), RawQueue(w, 1)
        frames = payloads([100] * 12)
        q.packet(frames[0])
        q.packet(*frames[1:3])
        q.packet(*frames[3:7])  # descriptors 3 to 6, of which 4 on are in a line that fails
        for frame in frames[7:]:
            q.packet(frame)
        w.memory.forbid(q.ring.addr + 4 * 16)
        q.put("CPL_ARM", 0)
        q.doorbell()
        q.enable()
        found = await q.completed(3)
        assert [(c.ring_index, c.status, c.segments) for c in found] == [
            (1, Status.OK, 1),
            (3, Status.OK, 1),
            (4, Status.DESC_READ, 0),
        ]
        assert await q.get("STATUS") == 0b011
        assert len(q.interrupts) == 1
        q.doorbell()
        other.packet(frames[5])
        other.doorbell()
        other.enable()
        await other.completed(1)
        await w.pause(100_000)
        assert q.seen() == []
        assert sent(w.wire, 0) == padded([frames[0], frames[1] + frames[2]])
        w.memory.allow(q.ring.addr + 4 * 16)
        q.put("CTRL", 2)
        await w.pause(10_000)
        assert (await q.get("CTRL"), await q.get("STATUS"), await q.get("HEAD")) == (0, 1, 0)
        q.start_again()
        q.packet(frames[8])
        q.doorbell()
        q.enable()
        assert [c.status for c in await q.completed(1)] == [Status.OK]

    run(test())


def test_a_failed_completion_write_stops_the_queue_in_error() -> None:
    async def test() -> None:
        w = world()
        start(w)
        q = RawQueue(w)
        w.memory.forbid(q.completions.addr + 64)
        for _ in range(8):
            q.packet(bytes(60))
        q.doorbell()
        q.enable()
        await w.pause(50_000)
        assert (await q.get("STATUS")) & 2
        assert w.device.stats[Stat.WRITE_ERRORS] >= 1
        assert [c.ring_index for c in q.seen()] == [1, 2, 3, 4]
        q.put("CTRL", 2)
        await w.pause(50_000)
        assert (await q.get("CTRL"), await q.get("STATUS")) == (0, 1)

    run(test())


@pytest.mark.parametrize("tail", [64, 65, 0xFFFF, 0x10000, 0xFFFFFFFF])
def test_a_doorbell_beyond_the_ring_is_refused_and_reported(tail: int) -> None:
    async def test() -> None:
        w = world()
        start(w)
        q = RawQueue(w)
        frame = payloads([80])[0]
        q.put("TAIL", tail)  # a queue that does not run has nowhere to report to
        q.packet(frame)
        q.doorbell()
        q.enable()
        q.put("CPL_ARM", 0)
        q.put("TAIL", tail)
        found = await q.completed(2)
        assert sorted((c.ring_index, c.status, c.segments) for c in found) == [
            (1, Status.OK, 1),
            (1, Status.BAD_DOORBELL, 0),
        ]
        assert await q.get("STATUS") == 0b101
        assert w.device.stats[Stat.ERR_BAD_DOORBELL] == w.device.refused == 2
        assert sent(w.wire) == [frame]
        assert len(q.interrupts) == 1

    run(test())


@pytest.mark.parametrize("count", [3, 0xFFFF, 0x10002])
@pytest.mark.parametrize("register", ["CPL_CONSUMED", "CPL_ARM"])
def test_consuming_more_than_there_is_is_refused_and_reported(register: str, count: int) -> None:
    async def test() -> None:
        w = world()
        start(w)
        q = RawQueue(w)
        q.enable()
        for _ in range(2):
            q.packet(bytes(60))
        q.doorbell()
        await q.completed(2)
        q.put(register, count)
        found = await q.completed(1)
        assert [(c.ring_index, c.status) for c in found] == [(2, Status.BAD_DOORBELL)]
        assert q.interrupts == []
        assert w.device.refused == 1

    run(test())


def test_a_half_posted_packet_holds_up_its_own_queue_only() -> None:
    async def test() -> None:
        w = world(queues=2)
        start(w)
        q, other = RawQueue(w, 0), RawQueue(w, 1)
        q.enable()
        other.enable()
        first, second, frame = payloads([50, 70, 90])
        q.post(w.memory.map(first), 50, 0)
        q.doorbell()
        other.packet(frame)
        other.doorbell()
        await other.completed(1)
        await w.pause(100_000)
        assert sent(w.wire, 0) == []
        assert not (await q.get("STATUS")) & 1
        q.post(w.memory.map(second), 70, EOP | REPORT)
        q.doorbell()
        await q.completed(1)
        assert sent(w.wire, 0) == [first + second]

    run(test())


# -- enable, drain, reset


@pytest.mark.parametrize("fragments", [1, 3])
def test_no_more_is_fetched_ahead_than_there_is_room_to_keep(fragments: int) -> None:
    async def test() -> None:
        w = world()
        start(w, 1_000_000, bound=100)
        q = RawQueue(w, log2=11)
        for _ in range(2000 // fragments):
            q.packet(*[bytes(60 // fragments)] * fragments)
        q.doorbell()
        q.enable()
        await w.run(lambda: len(w.wire) == 3, 10**10, "three frames")
        taken = 5 * fragments
        assert w.device.prefetch <= await q.get("FETCHED") <= w.device.prefetch + taken

    run(test())


def test_what_was_fetched_of_a_half_posted_packet_is_fetched_again_after_a_pause() -> None:
    async def test() -> None:
        w = world()
        start(w)
        q = RawQueue(w)
        q.enable()
        first, second = payloads([70, 80])
        q.post(w.memory.map(first), 70, 0)
        q.doorbell()
        await w.pause(10_000)
        q.put("CTRL", 0)
        await w.pause(10_000)
        q.enable()
        await w.pause(10_000)
        q.post(w.memory.map(second), 80, EOP | REPORT)
        q.doorbell()
        await q.completed(1)
        assert sent(w.wire) == [first + second]

    run(test())


def test_a_queue_that_is_disabled_ends_between_packets_and_goes_on_where_it_was() -> None:
    async def test() -> None:
        w = world()
        start(w, 100_000_000, bound=2000)
        q = RawQueue(w)
        frames = payloads([1000] * 20)
        for frame in frames:
            q.packet(frame)
        q.doorbell()
        q.enable()
        await w.run(lambda: len(w.wire) == 5, 10**9, "five frames")
        q.put("CTRL", 0)
        await w.run(lambda: w.device.queues[0].idle, 10**9, "the queue to drain")
        drained = len(w.wire)
        assert 5 <= drained <= 8
        assert await q.get("HEAD") == await q.get("CPL_WRITTEN") == drained
        await w.pause(10**6)
        assert len(w.wire) == drained
        q.enable()
        await q.completed(20)
        assert sent(w.wire) == frames

    run(test())


@given(st.integers(0, 400_000), st.integers(0, 2**16), st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_reset_at_any_time_accounts_for_every_packet_once(when_ns: int, seed: int, at_fetch: bool) -> None:
    async def test() -> None:
        w = world(queues=2)
        start(w, 1_000_000_000, complete_at_fetch=at_fetch, bound=6000)
        draw = random.Random(seed)
        q, other = RawQueue(w, 0, log2=7), RawQueue(w, 1, log2=7)
        for queue in (q, other):
            queue.enable()
        frames: list[bytes] = []
        bad = 0
        for _ in range(40):
            if draw.random() < 0.1:
                q.post(w.memory.base, 0, EOP)
                bad += 1
                frames.append(b"")
            else:
                frame = draw.randbytes(draw.randint(60, 1514))
                q.packet(frame)
                frames.append(frame)
            other.packet(bytes(draw.randint(60, 1514)))
        q.doorbell()
        other.doorbell()
        await w.pause(when_ns)
        q.put("CTRL", 2)
        reset_ps = w.timeline.now_ns * 1000
        while (await q.get("CTRL")) & 2:
            assert w.timeline.now_ns < 10**9
        found = q.seen()
        assert [c.ring_index for c in found] == list(range(1, len(found) + 1)), "each packet once, in order"
        good = [n for n, c in enumerate(found) if c.status is Status.OK]
        left = sent(w.wire, 0)
        if at_fetch:
            assert left == [frames[n] for n in good][: len(left)], "some that were fetched were dropped"
        else:
            assert left == [frames[n] for n in good]
        for n, c in enumerate(found):
            assert c.status in ((Status.BAD_LENGTH,) if not frames[n] else (Status.OK, Status.ABORTED))
        assert all(frame.start_ps <= reset_ps for frame in w.wire if frame.queue == 0), "nothing leaves after a reset"
        aborted = [n for n, c in enumerate(found) if c.status is Status.ABORTED]
        assert not aborted or good == [] or max(good) < min(aborted), "nothing leaves once one is dropped"
        assert await q.get("STATUS") == 1
        assert (await q.get("HEAD"), await q.get("FETCHED"), await q.get("CPL_WRITTEN")) == (0, 0, 0)
        # it starts again from nothing, and the other queue has not noticed
        w.wire.clear()
        q.start_again()
        again = payloads([70, 71])
        for frame in again:
            q.packet(frame)
        q.doorbell()
        q.enable()
        assert [(c.ring_index, c.status, c.phase) for c in await q.completed(2)] == [
            (1, Status.OK, 1),
            (2, Status.OK, 1),
        ]
        await w.run(lambda: len(sent(w.wire, 0)) == 2, 10**9, "both frames")
        assert sent(w.wire, 0) == again
        await w.run(lambda: w.device.next_ps() is None, 10**9, "the device to fall silent")
        assert await other.get("HEAD") == 40
        assert {c.status for c in other.seen()} == {Status.OK}
        assert w.device._committed == w.device._buffered == 0

    run(test())


def test_stuck_names_what_was_waited_for_and_the_state_of_the_parts() -> None:
    async def test() -> None:
        w = world()
        w.on_stuck.append(lambda: "queue 0: asleep\nqueue 1: asleep too")
        with pytest.raises(Stuck, match="waited 1000 ns, until 1000 ns, for a frame\n  queue 0: asleep\n  queue 1"):
            await w.run(lambda: bool(w.wire), 1000, "a frame")

    run(test())


@pytest.mark.parametrize(("knob", "value"), [("queues", 3), ("data_bits", 100)])
def test_an_instance_that_cannot_be_built_is_refused(knob: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"{knob} is one of .*{value}"):
        TwinConfig(**{knob: value})


def test_one_seed_repeats_a_run_to_the_byte() -> None:
    async def once() -> tuple[list[WireFrame], list[int], list[Completion]]:
        w = TwinWorld(TwinConfig(queues=2))
        start(w, G100)
        q = RawQueue(w)
        for frame in payloads(range(60, 110)):
            q.packet(frame)
        q.doorbell()
        q.enable()
        q.put("CPL_ARM", 0)
        found = await q.completed(50)
        return w.wire, q.interrupts, found

    assert drive(once()) == drive(once())


def test_queue_register_addresses_are_those_of_the_map() -> None:
    assert queue_register("TAIL", 3) == 0x1324
