"""The simulated world by itself: memory, time, registers, interrupts and the wire, with a puppet as the device."""

from __future__ import annotations

import hashlib
from random import Random
from typing import Any

import pytest

from ringwire.cosim.build import SIMULATORS
from ringwire.cosim.capture import WireFrame
from ringwire.cosim.hostmem import NEVER
from ringwire.cosim.run import SimulationFailed
from ringwire.cosim.world import FastWorld, Fault, WorldSettings
from tests import cosim_jobs as puppet
from tests.cosim_jobs import Puppet, on_puppet

BOTH = pytest.mark.parametrize("sim", SIMULATORS)
PERIOD_PS = 4000
SLOW_PS = 3103
"""A period that is no whole number of nanoseconds: 322.3 MHz."""


def edge_from(time_ps: int, period_ps: int) -> int:
    return -(-time_ps // period_ps) * period_ps


# -- the road through the world


async def road(world: FastWorld, beat_bytes: int) -> tuple[int, list[WireFrame], bytes, int]:
    """A register write, a read of memory, a frame on the wire, an interrupt back."""
    device = Puppet(world)
    device.read(0, beats=256 // beat_bytes)
    await world.pause(2_000)
    word = await device.get(puppet.WORD)
    device.frame(200, queue=3)
    await world.pause(1_000)
    device.set(puppet.IRQ, 0)
    await device.interrupted()
    return word, world.capture.frames, bytes(device.memory.mem[:200]), world.interrupts


@BOTH
@pytest.mark.parametrize("data_w", [64, 128, 256, 512])
def test_bytes_travel_from_memory_to_the_wire_at_every_width(sim: str, data_w: int) -> None:
    word, frames, sent, interrupts = on_puppet(sim, road, data_w // 8, data_w=data_w)
    beats = -(-200 // (data_w // 8))
    assert word == int.from_bytes(sent[:4], "little")
    assert [(f.data, f.queue, f.end_ps - f.start_ps) for f in frames] == [(sent, 3, (beats - 1) * PERIOD_PS)]
    assert interrupts == 1


# -- one run, whatever the simulator and whether the clock stops


async def many_things(world: FastWorld, seed: int) -> dict[str, Any]:
    """Reads, writes, frames, interrupts, deadlines and register reads at random times, and all that came of them."""
    random = Random(seed)
    device = Puppet(world)
    log: list[Any] = []
    world.listen(0, world.cpus[0], lambda: log.append(("interrupt", world.cpus.now_ns())))

    def act() -> None:
        now_ns = world.timeline.now_ns
        kind = random.randrange(7)
        offset = random.randrange(0, 8192, 4)
        if kind == 0:
            device.read(
                offset & ~4095, beats=1 << random.randrange(7), bursts=random.randint(1, 4), id=random.randrange(2)
            )
        elif kind == 1:
            device.write(offset & ~63, strobes=random.getrandbits(64))
        elif kind == 2:
            device.frame(random.randint(60, 2000))
        elif kind == 3:
            device.set(puppet.IRQ, 0, after_ns=random.randrange(500))
        elif kind == 4:
            device.at((now_ns + random.randrange(2000) << 16) + random.randrange(65536))
            device.set(puppet.DEADLINE, 1)
        elif kind == 5:
            device.set(puppet.DELAY, random.randint(1, 100))
        else:
            register = random.choice((puppet.BEATS, puppet.ORDER, puppet.RESPONSES, puppet.NO_REGISTER))
            world.post_read(world.now_ps(), register, lambda time, value: log.append((register, time, value)))
        world.timeline.call_at(now_ns + random.randint(1, 3000), act)

    device.read(0, beats=64, bursts=4)
    await world.pause(3_000)
    world.memory.forbid(device.memory.addr + 7000, 600)
    world.timeline.call_at(3_001, act)
    await world.pause(150_000)
    skipped = world.count("skipped_edges")
    faults, world.faults = world.faults, []
    return {
        "log": log,
        "frames": world.capture.frames,
        "faults": faults,
        "memory": hashlib.sha256(device.memory.mem).hexdigest(),
        "counts": {name: world.count(name) for name in ("reads", "read_beats", "writes", "write_beats", "frames")},
        "now_ps": world.now_ps(),
        "grid": world.edges + skipped,
        "skipped": skipped,
    }


@pytest.mark.parametrize("period_ps", [PERIOD_PS, SLOW_PS, 6400])
def test_runs_are_the_same_on_both_simulators_and_with_the_clock_stopping_or_not(period_ps: int) -> None:
    runs = {
        (sim, jumps): on_puppet(
            sim, many_things, 5, jumps=jumps, period_ps=period_ps, jitter_ns=700, read_stalls=0.2, seed=9
        )
        for sim in SIMULATORS
        for jumps in (True, False)
    }
    skipped = {key: run.pop("skipped") for key, run in runs.items()}
    first = runs["verilator", False]
    for key, run in runs.items():
        for field, expected in first.items():
            assert run[field] == expected, f"{field} differs between {('verilator', False)} and {key}"
    assert skipped["verilator", True] == skipped["icarus", True] > first["grid"] // 3
    assert skipped["verilator", False] == skipped["icarus", False] == 0
    assert len(first["log"]) > 20 and len(first["frames"]) > 5
    assert {fault.kind for fault in first["faults"]} == {"read", "write", "register read"}


async def count_down(world: FastWorld, rule: int) -> int:
    device = Puppet(world)
    device.set(puppet.BREAK, rule)
    device.set(puppet.DELAY, 500)
    await device.interrupted()
    return world.now_ps()


def test_a_device_that_says_it_is_quiet_while_it_counts_is_told_apart() -> None:
    truth = on_puppet("verilator", count_down, 0, jumps=True)
    assert on_puppet("verilator", count_down, puppet.FALSELY_QUIET, jumps=False) == truth
    with pytest.raises(SimulationFailed, match="Stuck: waited 1000000 ns"):
        on_puppet("verilator", count_down, puppet.FALSELY_QUIET, jumps=True)


# -- time


async def wake_up(world: FastWorld, deadline: int) -> tuple[list[int], list[int]]:
    """Times at which the host wakes that wanted to at each of 50 nanoseconds, and of a deadline's interrupt."""
    device = Puppet(world)
    device.at(deadline)
    device.set(puppet.DEADLINE, 1)
    interrupts: list[int] = []
    world.interrupt = lambda time_ps, vector: interrupts.append(time_ps)  # type: ignore[method-assign]
    woken = []
    for to_ns in range(100, 150):
        await world.advance(to_ns)
        woken.append(world.now_ps())
    await world.pause(100_000)
    return woken, interrupts


@BOTH
@pytest.mark.parametrize("jumps", [True, False])
def test_host_and_deadlines_wake_at_the_first_edge_not_before_their_time(sim: str, jumps: bool) -> None:
    deadline_ps = 1000 * SLOW_PS
    deadline = (deadline_ps << 16) // 1000
    woken, interrupts = on_puppet(sim, wake_up, deadline, jumps=jumps, period_ps=SLOW_PS)
    expected: list[int] = []
    for to_ns in range(100, 150):
        after = expected[-1] + SLOW_PS if expected else 0
        expected.append(max(edge_from(to_ns * 1000, SLOW_PS), after))
    assert woken == expected
    # The edge whose time of day is the deadline sets the puppet's interrupt, which the world sees one edge later.
    assert interrupts == [deadline_ps + SLOW_PS]


async def posts(world: FastWorld, _config: Any) -> list[int]:
    """Interrupt requests, the later ones posted first as by a CPU that is ahead."""
    interrupts: list[int] = []
    world.interrupt = lambda time_ps, vector: interrupts.append(time_ps)  # type: ignore[method-assign]
    for due_ns in (3_000, 1_000, 5_000, 2_000, 1_001, 4_000):
        world.post_write(due_ns * 1000, puppet.IRQ, 0)
    await world.pause(10_000)
    return interrupts


@BOTH
def test_posted_writes_land_in_order_of_time_and_not_before_it(sim: str) -> None:
    # An edge not before its time shows the write to the puppet, which takes it at the next, and pulses after that.
    landed = [t // 1000 - 2 * PERIOD_PS // 1000 for t in on_puppet(sim, posts)]
    assert landed == [1_000, 1_008, 2_000, 3_000, 4_000, 5_000]


# -- memory


async def read_timing(world: FastWorld, data_w: int) -> tuple[int, int]:
    """From request to first and to last beat, in edges; the burst has 16 beats."""
    device = Puppet(world)
    device.read(0, beats=16)
    times = {}
    for name, count in (("reads", 1), ("read_beats", 1), ("read_beats ", 16)):
        while world.count(name.strip()) < count:
            await world.advance(world.timeline.now_ns + 1)
        times[name] = world.now_ps()
    return (times["read_beats"] - times["reads"]) // PERIOD_PS, (times["read_beats "] - times["reads"]) // PERIOD_PS


@BOTH
@pytest.mark.parametrize("latency_ns", [0, 4, 6, 1000])
def test_the_first_beat_comes_the_latency_after_its_request_and_then_one_each_edge(sim: str, latency_ns: int) -> None:
    edges = -(-latency_ns * 1000 // PERIOD_PS)
    assert on_puppet(sim, read_timing, latency_ns=latency_ns) == (edges, edges + 15)


async def read_order(world: FastWorld, _config: Any) -> int:
    device = Puppet(world)
    device.read(0, beats=16, bursts=2, id=0)
    device.read(0, beats=4, id=1)
    await world.pause(3_000)
    return await device.get(puppet.ORDER)


@BOTH
def test_ids_are_answered_independently_and_take_turns(sim: str) -> None:
    order = f"{on_puppet(sim, read_order, latency_ns=400, data_w=64):032b}"
    assert order.count("1") == 4
    assert "1010101" in order


async def read_many(world: FastWorld, _config: Any) -> list[int]:
    device = Puppet(world)
    device.read(0, bursts=800)
    in_flight = []
    while await device.get(puppet.BEATS) < 800:
        in_flight.append(world.count("reads") - world.count("read_beats"))
        await world.pause(500)
    return in_flight


@pytest.mark.parametrize("max_reads", [1, 512, 1024])
def test_as_many_reads_are_in_flight_as_allowed(max_reads: int) -> None:
    in_flight = on_puppet("verilator", read_many, max_reads=max_reads, latency_ns=5_000 if max_reads > 1 else 50)
    assert max(in_flight) == min(max_reads, 800)


async def read_times(world: FastWorld, _config: Any) -> list[int]:
    """Edges at which each of 40 single-beat reads, sent a microsecond apart, was answered."""
    device = Puppet(world)
    for turn in range(40):
        device.set(puppet.COUNT, 1, after_ns=turn * 1_000)
        device.set(puppet.READ, 1, after_ns=turn * 1_000)
    times, beats = [], 0
    while beats < 40:
        await world.advance(world.timeline.now_ns + 1)
        if world.count("read_beats") > beats:
            beats += 1
            times.append(world.now_ps() // PERIOD_PS)
    world.faults.clear()
    await world.pause(1_000)
    world.faults.clear()
    return times


def test_jitter_is_drawn_from_the_seed_and_bounded() -> None:
    still = on_puppet("verilator", read_times, latency_ns=200, jitter_ns=0)
    one, again = (on_puppet("verilator", read_times, latency_ns=200, jitter_ns=400, seed=1) for _ in range(2))
    other = on_puppet("verilator", read_times, latency_ns=200, jitter_ns=400, seed=2)
    delays = [a - b for a, b in zip(one, still, strict=True)]
    assert one == again != other
    assert min(delays) >= 0 and max(delays) <= 100 and len(set(delays)) > 15


async def read_span(world: FastWorld, _config: Any) -> int:
    """Edges from the first to the last of 256 beats that are asked for at once."""
    Puppet(world).read(0, beats=64, bursts=4)
    edges = []
    while world.count("read_beats") < 256:
        await world.advance(world.timeline.now_ns + 1)
        if world.count("read_beats"):
            edges.append(world.now_ps() // PERIOD_PS)
    return edges[-1] - edges[0]


def test_stalls_hold_beats_back_by_their_chance() -> None:
    spans = [on_puppet("verilator", read_span, read_stalls=share, latency_ns=2_000) for share in (0.0, 0.3, 0.75)]
    assert spans[0] == 255
    assert 0.9 < spans[1] / (255 / 0.7) < 1.1 and 0.9 < spans[2] / (255 / 0.25) < 1.1


async def read_while_written(world: FastWorld, write_at_ns: int) -> int:
    device = Puppet(world)
    device.memory.mem[:4] = b"\1\0\0\0"
    device.read(0)
    while not world.count("reads"):
        await world.advance(world.timeline.now_ns + 1)
    if write_at_ns:
        await world.pause(write_at_ns)
    device.memory.mem[:4] = b"\2\0\0\0"
    await world.pause(2_000)
    return await device.get(puppet.WORD)


@BOTH
@pytest.mark.parametrize(("write_at_ns", "seen"), [(0, 2), (496, 2), (504, 1), (900, 1)])
def test_a_read_takes_its_bytes_half_the_latency_after_its_request(sim: str, write_at_ns: int, seen: int) -> None:
    assert on_puppet(sim, read_while_written, write_at_ns, latency_ns=1_000) == seen


async def write_progress(world: FastWorld, strobes: int) -> tuple[list[int], bytes, int, int]:
    """How many beats of a burst of 8 memory shows at each edge, the bytes at last, and when the response came."""
    device = Puppet(world)
    device.read(0, beats=8)
    await world.pause(5_000)
    before = 8192
    device.memory.mem[before : before + 512] = bytes(512)
    device.write(before, beats=8, strobes=strobes)
    shown = [0]
    while shown[-1] < 8:
        await world.advance(world.timeline.now_ns + 1)
        beats = [any(device.memory.mem[at : at + 64]) for at in range(before, before + 512, 64)]
        assert beats == sorted(beats, reverse=True)
        if sum(beats) or shown[-1]:
            shown.append(sum(beats))
    visible_ps = world.now_ps()
    while await device.get(puppet.RESPONSES) == 0:
        await world.advance(world.timeline.now_ns + 1)
    return shown, bytes(device.memory.mem[before : before + 512]), visible_ps, world.now_ps()


@BOTH
def test_writes_are_visible_beat_by_beat_and_answered_the_latency_later(sim: str) -> None:
    strobes = 0x00FF_0000_FFFF_0001
    shown, written, visible_ps, answered_ps = on_puppet(sim, write_progress, strobes, latency_ns=2_000)
    data = bytes(i * 7 + (i >> 8) & 0xFF for i in range(512))
    assert shown == list(range(9))
    assert written == bytes(byte if strobes >> i % 64 & 1 else 0 for i, byte in enumerate(data))
    assert 2_000 <= (answered_ps - visible_ps) / 1000 <= 2_060


# -- what goes wrong in memory


async def fault(world: FastWorld, config: tuple[str, int]) -> tuple[list[Fault], int, int, int]:
    kind, data_w = config
    device = Puppet(world)
    device.read(0, beats=64)
    await world.pause(2_000)
    world.memory.forbid(device.memory.addr + 4096 + 64, 128)
    if kind == "read":
        device.read(4096, beats=256 * 8 // data_w)
    else:
        device.write(4096, beats=256 * 8 // data_w)
    await world.pause(5_000)
    faults, world.faults = world.faults, []
    addr = faults[0].addr - device.memory.addr if faults else 0
    errors = await device.get(puppet.READ_ERRORS if kind == "read" else puppet.WRITE_ERRORS)
    return faults, addr, errors, world.count("faulty_beats")


@BOTH
@pytest.mark.parametrize("data_w", [64, 512])
@pytest.mark.parametrize("kind", ["read", "write"])
def test_an_access_outside_of_every_mapping_is_answered_with_an_error_and_named(
    sim: str, kind: str, data_w: int
) -> None:
    faults, addr, errors, beats = on_puppet(sim, fault, (kind, data_w), data_w=data_w)
    bad_beats = 128 * 8 // data_w
    lines = [4096 + 64, 4096 + 128]
    named = [f.addr - faults[0].addr + addr for f in faults]
    assert {f.kind for f in faults} == {kind}
    assert sorted({at & ~63 for at in named}) == lines
    assert beats == bad_beats
    assert errors == (bad_beats if kind == "read" else 1)
    assert all(2_000_000 < f.time_ps < 3_000_000 for f in faults)


async def stray(world: FastWorld, addr: int) -> None:
    device = Puppet(world)
    device.read(addr - device.memory.addr)
    await world.pause(2_000)


@BOTH
@pytest.mark.parametrize("addr", [0, WorldSettings().dma_base - 64, WorldSettings().dma_base + (64 << 20), 2**63])
def test_a_run_with_a_fault_that_nobody_expected_fails_by_its_address(sim: str, addr: int) -> None:
    with pytest.raises(SimulationFailed, match=rf"answered with an error: read at {addr:#x} at \d+ ps"):
        on_puppet(sim, stray, addr)


async def injected(world: FastWorld, kind: int) -> tuple[list[int], int, int]:
    """Errors after each of six bursts of four beats; those at the second and third line are to fail, twice, late."""
    device = Puppet(world)
    device.read(0, beats=4)
    await world.pause(2_000)
    addr = device.memory.addr + 64
    world.inject(kind, addr, 128, skip=2, count=2)
    errors = []
    for _ in range(6):
        if kind == 0:
            device.read(0, beats=4)
        else:
            device.write(0, beats=4)
        await world.pause(2_000)
        errors.append(await device.get(puppet.READ_ERRORS if kind == 0 else puppet.WRITE_ERRORS))
    world.inject(kind, addr)
    world.hostmem.inject_nothing()
    device.read(0, beats=4)
    device.write(0, beats=4)
    await world.pause(2_000)
    errors.append(await device.get(puppet.READ_ERRORS if kind == 0 else puppet.WRITE_ERRORS))
    return errors, world.count("injected_beats"), len(world.faults)


@BOTH
def test_reads_fail_where_and_when_an_injection_says(sim: str) -> None:
    assert on_puppet(sim, injected, 0) == ([0, 0, 2, 4, 4, 4, 4], 4, 0)


@BOTH
def test_writes_fail_where_and_when_an_injection_says(sim: str) -> None:
    assert on_puppet(sim, injected, 1) == ([0, 0, 1, 2, 2, 2, 2], 4, 0)


async def unaligned(world: FastWorld, _config: Any) -> bytes:
    device = Puppet(world)
    device.read(5, beats=2)
    await world.pause(2_000)
    device.frame(128)
    await world.pause(1_000)
    return world.capture.frames[0].data


@BOTH
def test_bytes_before_an_unaligned_start_are_not_given_away(sim: str) -> None:
    data = bytes(i * 7 + (i >> 8) & 0xFF for i in range(128))
    assert on_puppet(sim, unaligned) == b"\xdb" * 5 + data[5:]


# -- registers


async def echoes(world: FastWorld, _config: Any) -> list[int]:
    """Each value is read back right behind its writing; the device takes its time over writes."""
    device = Puppet(world)
    device.set(puppet.SLOW, 20)
    answers: list[int] = []
    for value in range(1, 6):
        device.set(puppet.ECHO, value)
        world.post_read(world.now_ps(), puppet.ECHO, lambda time, value: answers.append(value))
    await world.pause(10_000)
    return answers


@BOTH
def test_a_register_read_stays_behind_the_writes_before_it_and_before_those_after(sim: str) -> None:
    assert on_puppet(sim, echoes) == [1, 2, 3, 4, 5]


async def refused(world: FastWorld, _config: Any) -> tuple[int, list[Fault]]:
    device = Puppet(world)
    device.set(puppet.NO_REGISTER, 1)
    value = await device.get(puppet.NO_REGISTER)
    await world.pause(100)
    faults, world.faults = world.faults, []
    return value, faults


@BOTH
def test_a_refused_register_access_is_named_and_reads_as_all_ones(sim: str) -> None:
    value, faults = on_puppet(sim, refused)
    assert value == 0xFFFFFFFF
    assert [(f.kind, f.addr) for f in faults] == [("register write", 0x100), ("register read", 0x100)]


# -- the rings between world and host


async def flood(world: FastWorld, listens: bool) -> tuple[int, int, int]:
    """300 frames of 2,001 bytes into the smallest capture ring."""
    device = Puppet(world)
    device.read(0, beats=64)
    await world.pause(2_000)
    if not listens:
        world._frame_room = len(world.hostmem.frames)
    for turn in range(300):
        device.set(puppet.FRAME, 2_001, after_ns=turn * 200)
    await world.pause(100_000)
    frames = world.capture.frames
    return len(frames), sum(f.data == frames[0].data for f in frames), world.count("lost")


@BOTH
def test_a_small_capture_ring_wakes_the_host_before_it_is_full(sim: str) -> None:
    assert on_puppet(sim, flood, True, capture_bytes=1 << 17) == (300, 300, 0)


@BOTH
def test_frames_that_the_host_does_not_take_fail_the_run(sim: str) -> None:
    with pytest.raises(SimulationFailed, match=r"overflowed: lost \d+ frames; the first frame at \d+ ps"):
        on_puppet(sim, flood, False, capture_bytes=1 << 17)


async def full_ring(world: FastWorld, ring: str) -> None:
    """Make a ring look full, then have something put into it."""
    device = Puppet(world)
    control, word = world.hostmem.control, world.hostmem.word
    entries = getattr(world.hostmem, f"{ring}s").nbytes // (24 if ring == "fault" else 16)
    control[word(f"{ring}_tail")] = -entries & NEVER
    if ring == "interrupt":
        device.set(puppet.IRQ, 0)
    else:
        world.post_read(world.now_ps(), puppet.NO_REGISTER, lambda time, value: None)
    await world.pause(1_000)


@pytest.mark.parametrize("ring", ["interrupt", "answer", "fault"])
def test_no_record_is_lost_silently(ring: str) -> None:
    with pytest.raises(SimulationFailed, match=f"overflowed: lost 1 {ring}s$"):
        on_puppet("verilator", full_ring, ring)


async def all_vectors(world: FastWorld, vectors: int) -> list[int]:
    device = Puppet(world)
    seen: list[int] = []
    for vector in range(vectors):
        world.listen(vector, world.cpus[0], lambda vector=vector: seen.append(vector))  # type: ignore[misc]
        device.set(puppet.IRQ, vector, after_ns=100 * (vectors - vector))
    await world.pause(10_000)
    return seen


@BOTH
@pytest.mark.parametrize("queues", [1, 4, 16])
def test_every_queue_has_its_vector(sim: str, queues: int) -> None:
    assert on_puppet(sim, all_vectors, queues, queues=queues) == list(range(queues))[::-1]


async def frame_wakes(world: FastWorld, _config: Any) -> int:
    device = Puppet(world)
    device.read(0, beats=64)
    await world.pause(2_000)
    device.frame(64)
    await world.run(lambda: bool(world.capture.frames), 1_000_000, "a frame")
    return world.now_ps() - world.capture.frames[0].end_ps


@BOTH
def test_a_frame_wakes_a_host_that_asked_for_it(sim: str) -> None:
    assert on_puppet(sim, frame_wakes, wake_on_frame=True) == PERIOD_PS
    assert on_puppet(sim, frame_wakes, wake_on_frame=False) > 900_000_000


@pytest.mark.parametrize(
    ("knob", "value"),
    [
        ("period_ps", 1),
        ("latency_ns", -1),
        ("jitter_ns", -1),
        ("read_stalls", -0.1),
        ("read_stalls", 1.0),
        ("max_reads", 0),
        ("max_reads", 1025),
        ("memory_bytes", 100),
        ("dma_base", 3),
        ("capture_bytes", 1 << 10),
        ("capture_bytes", (1 << 20) + 8),
        ("cpus", 0),
    ],
)
def test_a_knob_out_of_range_is_refused_by_name(knob: str, value: int) -> None:
    with pytest.raises(ValueError, match=knob):
        WorldSettings(**{knob: value})  # type: ignore[arg-type]
