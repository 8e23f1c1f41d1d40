"""The dump of a queue that hangs: Intel's fields, then the ring, read by eye and by those who search logs."""

from __future__ import annotations

import re
from collections.abc import Callable

from ringwire.conformance.packets import transport
from ringwire.driver.config import DriverConfig
from ringwire.driver.dump import hang
from ringwire.driver.recovery import read_state
from ringwire.host.world import drive
from ringwire.nic.registers import queue_register
from ringwire.nic.twin_world import TwinWorld
from tests.driver_bench import MS, DriverBench

GBIT = 1_000_000_000
FIELDS = """\
eth0 tx-0: Tx Unit Hang
  Tx Queue             <0>
  TDH                  <{head:x}>
  TDT                  <{told:x}>
  next_to_use          <{use:x}>
  next_to_clean        <{clean:x}>
buffer_info[next_to_clean]
  time_stamp           <{stamp:x}>
  next_to_watch        <{watch:x}>
  jiffies              <{jiffies:x}>
  next_to_watch.status <{status:x}>
registers of the queue
"""


async def dumped(bench: DriverBench[TwinWorld]) -> str:
    """What the driver would log now."""
    found: list[dict[str, int]] = []
    ring = bench.driver.rings[0]
    read_state(ring, found.append)
    await bench.world.run(lambda: bool(found), MS, "the registers")
    return hang(ring.snapshot(), found[0])


async def stuck(config: DriverConfig, send: Callable[[DriverBench[TwinWorld]], None]) -> DriverBench[TwinWorld]:
    """Three packets are sent, and then the device hears of no doorbell any more."""
    bench = await DriverBench(TwinWorld(), config).up()
    for _ in range(3):
        bench.send(100)
        await bench.all_done()
    await bench.world.pause(1234 * MS)
    bench.driver.rings[0]._tail_register = 0x0FC
    bench.dev.tx_queues[0].dql.adj_limit = 1 << 20
    send(bench)
    await bench.world.pause(2500 * MS)
    return bench


def test_the_fields_are_intels_and_the_ring_follows() -> None:
    def send(bench: DriverBench[TwinWorld]) -> None:
        bench.send(1000, 514)
        bench.xmit(transport(bytes(3000), mss=1448, tci=100))
        bench.xmit(transport(bytes(50), tci=7), more=True)

    async def test() -> None:
        bench = await stuck(DriverConfig(line_rate_bps=GBIT), send)
        text = await dumped(bench)
        posted = 1234
        fields = FIELDS.format(
            head=3, told=7, use=8, clean=3, stamp=posted, watch=4, jiffies=bench.dev.jiffies(), status=0
        )
        assert text.startswith(fields)
        lines = text.removeprefix(fields).splitlines()
        assert [line.split()[0] for line in lines[:5]] == ["CTRL", "STATUS", "HEAD", "FETCHED", "CPL_WRITTEN"]
        assert "  HEAD                 <3>" in lines
        assert re.fullmatch(r"eth0 tx-0: .* in flight; stopped \d+ us ago, timeouts so far: 0", lines[5])
        assert lines[6:8] == [
            "ring of 256 descriptors, 5 of them in flight",
            "  slot address          length flags              asks for",
        ]
        shown = [
            re.sub(r"[0-9a-f]{16}", "ADDRESS", re.sub(r"posted \d+ us", "posted T us", line)) for line in lines[8:]
        ]
        assert shown == [
            "  packet of 1514 bytes, slots 3 to 4, posted T us ago",
            "     3 ADDRESS   1000  <- next_to_clean, TDH",
            "     4 ADDRESS    514 EOP REPORT",
            "  packet of 3054 bytes, slots 5 to 6, posted T us ago",
            "     5                         OFFLOAD            TCP4, mss 1448, header 54, l3 14, l4 34",
            "     6 ADDRESS   3054 EOP REPORT VLAN    tag 0x0064",
            "  packet of 104 bytes, slots 7 to 7, posted T us ago",
            "     7 ADDRESS    104 EOP REPORT CSUM VLAN checksum at 34 + 16, tag 0x0007  <- TDT",
            "completions from 3, the next to be taken",
            *(f"     {slot} not written" for slot in (3, 4, 5, 6)),
        ]

    drive(test())


def test_of_a_full_ring_both_ends_are_shown() -> None:
    def send(bench: DriverBench[TwinWorld]) -> None:
        for _ in range(200):
            bench.send(60)

    async def test() -> None:
        lines = (await dumped(await stuck(DriverConfig(), send))).splitlines()
        slots = [line.split()[0] for line in lines if re.match(r" +[0-9a-f]+ [0-9a-f]{16} ", line)]
        assert slots == [f"{slot:x}" for slot in [*range(3, 35), *range(171, 203)]]
        gap = lines.index("  ... 136 more ...")
        assert lines[gap - 1].split()[0] == "22" and lines[gap + 2].split()[0] == "ab"

    drive(test())


def test_a_report_that_nobody_saw_shows_in_the_status() -> None:
    async def test(config: DriverConfig, said: str) -> None:
        bench = await DriverBench(TwinWorld(), config).up()
        bench.world.port().write(queue_register("IRQ_MASK", 0), 1)
        bench.send(60)
        await bench.world.pause(5000 * MS)
        text = await dumped(bench)
        fields = FIELDS.format(head=1, told=1, use=1, clean=0, stamp=0, watch=0, jiffies=bench.dev.jiffies(), status=1)
        assert text.startswith(fields)
        assert said in text
        bench.world.port().write(queue_register("IRQ_MASK", 0), 0)
        await bench.all_done()
        idle = await dumped(bench)
        assert "  next_to_watch.status <0>\n" in idle and "\nring of 256 descriptors, 0 of them in flight\n" in idle
        bench.check()

    drive(test(DriverConfig(), "\n     0 up to 1, OK\n     1 not written\n"))
    drive(test(DriverConfig(head_write_back=True), "\nhead record: index 1, 1 reports, 0 of them taken"))
