"""Moderation that adapts: each branch of the rule, and what it does to a light load and to bulk on the twin."""

from __future__ import annotations

import pytest

from ringwire.driver.adaptive import LEAST_NS, MOST_NS, AdaptiveModeration, bulk_ns, next_wait_ns
from ringwire.driver.config import ConfigError, DriverConfig
from ringwire.host.world import drive
from ringwire.nic.registers import queue_register
from ringwire.nic.twin import TwinConfig
from ringwire.nic.twin_world import TwinWorld
from ringwire.tools.ethtool import Ethtool
from tests.driver_bench import MS, DriverBench

GBIT = 1_000_000_000


@pytest.mark.parametrize(
    ("wait_us", "packets", "size", "expected_us"),
    [
        (50, 0, 0, 52),
        (126, 0, 0, 126),
        (126, 1, 60, 10.2),
        (10, 3, 3 * 1514, 60.691),
        (10, 1, 8999, 63),
        (10, 1, 9000, 12),
        (10, 3, 9000, 12),
        (10, 4, 240, 12),
        (125, 47, 47 * 60, 126),
        (50, 48, 48 * 60, 50),
        (50, 95, 95 * 60, 50),
        (50, 96, 96 * 60, 25),
        (15, 255, 255 * 60, 10),
        (50, 256, 256 * 60, 20.4),
        (50, 300, 300 * 1514, 121.383),
        (50, 300, 300 * 9014, 126),
    ],
)
def test_the_wait_follows_packets_and_bytes_of_an_interrupt(
    wait_us: int, packets: int, size: int, expected_us: float
) -> None:
    assert next_wait_ns(wait_us * 1000, packets, size) == round(expected_us * 1000)


def test_no_traffic_leads_out_of_bounds() -> None:
    for size in range(60, 262_144, 97):
        assert LEAST_NS <= bulk_ns(size) // 2 <= bulk_ns(size) <= MOST_NS


def test_what_comes_before_a_wait_is_over_counts_with_the_next() -> None:
    adaptive = AdaptiveModeration(1_000, 100, 100_000)
    assert adaptive.after(1_000 + LEAST_NS - 1, 102, 100_120) == LEAST_NS
    assert adaptive.after(1_000 + LEAST_NS, 104, 100_240) == LEAST_NS + 2_000, "four packets, which is not few"
    assert adaptive.after(1_000 + 2 * LEAST_NS + 1_999, 105, 100_300) == LEAST_NS + 2_000, "early again"
    assert adaptive.after(99_000, 105, 100_300) == 10_200, "one packet"


def test_frames_may_be_counted_where_the_driver_sees_to_the_wait() -> None:
    DriverConfig(mod_frames=8, adaptive_tx=True)
    with pytest.raises(ConfigError, match="mod_frames needs mod_ns"):
        DriverConfig(mod_frames=8)


async def bench_of(adaptive: bool, world: TwinWorld | None = None) -> DriverBench[TwinWorld]:
    """One queue at 1 Gb/s, on which a frame of 1514 bytes takes 12.3 us."""
    world = TwinWorld(TwinConfig(), wake_on_frame=True) if world is None else world
    bench = DriverBench(world, DriverConfig(line_rate_bps=GBIT))
    Ethtool([bench.dev]).run(f"ethtool -C eth0 adaptive-tx {'on' if adaptive else 'off'}")
    return await bench.up()


def test_a_light_load_is_answered_soon_and_bulk_seldom() -> None:
    async def bulk(adaptive: bool) -> tuple[int, DriverBench[TwinWorld]]:
        bench = await bench_of(adaptive)
        for _ in range(600):
            bench.send(1514)
        await bench.all_done()
        wire = bench.world.wire
        taken_ns = (wire[-1].start_ps - wire[0].start_ps) / 1000
        assert taken_ns == pytest.approx(599 * 1538 * 8, rel=0.03), "the wire did not run dry meanwhile"
        bench.check()
        return bench.world.interrupts, bench

    async def test() -> None:
        at_once, _ = await bulk(adaptive=False)
        interrupts, bench = await bulk(adaptive=True)
        assert at_once == 600 and interrupts < 80
        ring, run = bench.driver.rings[0], Ethtool([bench.dev]).run
        assert ring.knobs.moderation_ns > 100_000
        for number in range(12):
            sent = bench.send(60)
            start_ns = bench.world.timeline.now_ns
            await bench.world.run(lambda sent=sent: sent.freed, MS, "the packet's end")  # type: ignore[misc]
            took_ns = bench.world.timeline.now_ns - start_ns
            if number:
                assert 10_000 < took_ns < 15_000, "a short frame's wait, and what wire and host take"
            await bench.world.pause(MS)
        assert ring.knobs.moderation_ns == 10_200
        assert "     tx0_moderation_ns: 10200\n" in run("ethtool -S eth0")
        run("ethtool -C eth0 adaptive-tx off tx-usecs 3")
        await bench.world.pause(5_000)
        assert bench.world.device.read(queue_register("MOD_NS", 0)) == 3_000
        bench.check()

    drive(test())


def test_the_register_is_written_when_the_wait_changes_and_a_reset_leaves_the_wait() -> None:
    async def test() -> None:
        world = TwinWorld(TwinConfig(), wake_on_frame=True)
        written: list[int] = []
        post_write = world.post_write

        def note(due_ps: int, register: int, value: int) -> None:
            if register == queue_register("MOD_NS", 0):
                written.append(value)
            post_write(due_ps, register, value)

        world.post_write = note  # type: ignore[method-assign]
        bench = await bench_of(adaptive=True, world=world)
        assert written == [LEAST_NS]
        written.clear()
        for size in (60, 60, 60, 1514, 1514, 60):
            bench.send(size)
            await bench.all_done()
            await bench.world.pause(MS)
        assert written == [10_200, 60_691, 10_200]
        assert bench.world.interrupts == 6
        bench.driver.reset_queue(0)
        await bench.world.pause(MS)
        assert written == [10_200, 60_691, 10_200, 10_200]
        assert bench.world.device.read(queue_register("MOD_NS", 0)) == 10_200
        bench.check()

    drive(test())
