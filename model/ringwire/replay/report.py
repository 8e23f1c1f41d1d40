"""What a replay found: figures, and a verdict that names everything that was not as it must be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.table import Table

from ringwire.checks.names import MEANINGS
from ringwire.faults import CLASSES
from ringwire.replay.config import ReplayConfig
from ringwire.replay.survey import UNTOUCHED, Survey
from ringwire.rig.values import show_rate


@dataclass(slots=True)
class Measured:
    """What the simulated world showed; comes out of the simulator's process."""

    packets: int = 0
    """Packets handed to the stack; a super-packet counts once."""
    frames: int = 0
    """Frames on the wire."""
    bytes: int = 0
    """Their bytes, padded, without FCS."""
    dropped_packets: int = 0
    dropped_frames: int = 0
    """Frames that the dropped packets would have become."""
    late_packets: int = 0
    """Packets that the device dropped because their launch time had passed."""
    wire_utilisation: float = 0.0
    """Share of the time from the first frame to the last that the wire was busy, 0 to 1."""
    bql_limit: int | None = None
    """Highest byte queue limit that any queue reached; None with BQL off."""
    interrupts: int = 0
    descriptors: int = 0
    """Descriptors that the device fetched."""
    doorbells: int = 0
    requeues: int = 0
    """Packets that a qdisc took back from the driver."""
    sender_waits: int = 0
    """Times the sender had to wait for room in its socket buffer."""
    simulated_ns: int = 0
    """From the first packet to the last completion."""
    simulated_cycles: int | None = None
    """Clock edges that were simulated, without those that the clock stood still for; None on the twin."""
    wall_s: float = 0.0
    """The same stretch on the wall's clock, without building and starting."""
    printed: str = ""
    """What the lines of ``--config`` and ``--then`` printed."""
    problems: list[str] = field(default_factory=list)
    """Everything that a replay must not show; empty is the verdict ok."""


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """A replay's outcome."""

    config: ReplayConfig
    survey: Survey
    measured: Measured

    @property
    def ok(self) -> bool:
        return not self.measured.problems

    @property
    def bugs(self) -> list[str]:
        """Names of what the watch found, causes before what follows from them."""
        named = (line.partition(":")[0] for line in self.measured.problems)
        return list(dict.fromkeys(name for name in named if name in MEANINGS))

    @property
    def frames_per_interrupt(self) -> float:
        return self.measured.frames / self.measured.interrupts if self.measured.interrupts else 0.0

    @property
    def cycles_per_wall_s(self) -> float | None:
        """Simulated clock cycles a second of the wall's clock."""
        cycles = self.measured.simulated_cycles
        return None if cycles is None else self._per_second(cycles)

    @property
    def frames_per_wall_s(self) -> float:
        return self._per_second(self.measured.frames)

    def _per_second(self, count: int) -> float:
        return count / self.measured.wall_s if self.measured.wall_s else 0.0

    def as_json(self) -> dict[str, Any]:
        """Everything, for programs: figures flat, and how they came about under ``config`` and ``capture``."""
        config = self.config
        figures = asdict(self.measured)
        problems = figures.pop("problems")
        return {
            "verdict": "ok" if self.ok else "failed",
            "problems": problems,
            "bugs": self.bugs,
            "classes": {name: CLASSES[name].number for name in self.bugs if name in CLASSES},
            **figures,
            "frames_per_interrupt": self.frames_per_interrupt,
            "frames_per_wall_s": self.frames_per_wall_s,
            "cycles_per_wall_s": self.cycles_per_wall_s,
            "capture": {"packets": self.survey.packets, **self.survey.kinds()},
            "config": {
                "capture": str(config.capture),
                "sim": config.sim,
                "mtu": config.mtu,
                "line_rate_bps": config.line_rate_bps,
                "width": config.width,
                "clock_mhz": config.clock_mhz,
                "queues": config.queues,
                "ring": config.ring,
                "qdisc": config.qdisc or None,
                "txqueuelen": config.txqueuelen,
                "bql": config.bql,
                "tso": config.tso,
                "csum": config.csum,
                "pace": config.pace,
                "sndbuf": config.sndbuf,
                "mem_latency_ns": config.mem_latency_ns,
                "tx_usecs": config.tx_usecs,
                "tx_frames": config.tx_frames,
                "cpl_threshold": config.cpl_threshold,
                "cpl_timer_ns": config.cpl_timer_ns,
                "report_every": config.report_every,
                "napi_budget": config.napi_budget,
                "watchdog_ms": config.watchdog_ms,
                "weights": list(config.weights) or None,
                "priorities": list(config.priorities) or None,
                "select_queue": config.select_queue or None,
                "drop_late": config.drop_late,
                "cpus": config.cpus,
                "free_host": config.free_host,
                "driver": config.driver or None,
                "dma_order_ns": config.dma_order_ns,
                "doorbell_loss": config.doorbell_loss,
                "doorbell_delay": config.doorbell_delay,
                "fault": config.fault or None,
                "jump": config.jump,
                "seed": config.seed,
            },
        }

    def rows(self) -> Iterator[tuple[str, str]]:
        """(name, value) of what a person wants to see."""
        found, counts = self.measured, self.survey.counts
        yield "frames", f"{found.frames:,}"
        yield "bytes", f"{found.bytes:,}"
        yield "packets", f"{found.packets:,}, {counts.tcp_super:,} of them super-packets"
        drops = f"{found.dropped_packets:,}"
        if found.dropped_frames > found.dropped_packets:
            drops += f" packets, {found.dropped_frames:,} frames"
        yield "drops", drops
        if found.late_packets:
            yield "dropped late", f"{found.late_packets:,}"
        kinds = self.survey.kinds()
        if self.survey.untouched:
            named = ", ".join(f"{kinds[name]:,} {name}" for name in UNTOUCHED if kinds[name])
            yield "passed untouched", f"{self.survey.untouched:,} ({named})"
        if counts.udp_without_checksum:
            yield "UDP without checksum", f"{counts.udp_without_checksum:,}"
        yield "wire utilisation", f"{found.wire_utilisation:.1%} of {show_rate(self.config.line_rate_bps)}bit/s"
        yield "BQL limit reached", "off" if found.bql_limit is None else f"{found.bql_limit:,} bytes"
        yield "interrupts", f"{found.interrupts:,}"
        yield "packets an interrupt", f"{self.frames_per_interrupt:.2f}"
        yield "descriptors", f"{found.descriptors:,}"
        yield "simulated time", show_time(found.simulated_ns)
        cycles = self.cycles_per_wall_s
        yield "cycles a wall second", "none: the twin has no clock" if cycles is None else f"{cycles:,.0f}"
        yield "frames a wall second", f"{self.frames_per_wall_s:,.0f}"

    def verdict(self) -> str:
        """``ok``, or what was wrong, a line each, and what classes of bugs that is."""
        if self.ok:
            return "ok"
        classes = [
            f"class {CLASSES[name].number} of docs/bugs.md: {CLASSES[name].title}"
            for name in self.bugs
            if name in CLASSES
        ]
        return "\n".join(("FAILED", *self.measured.problems, *classes))

    def table(self, *more: tuple[str, str]) -> Table:
        """The rows, further ones and the verdict, for a terminal."""
        config = self.config
        device = f"{config.sim}, {config.width} bits at {config.clock_mhz:g} MHz, {config.queues} queue"
        title = f"{config.capture.name} on {device}{'s' if config.queues > 1 else ''}"
        table = Table(title=title, show_header=False, title_justify="left", title_style="bold")
        table.add_column(style="dim")
        table.add_column(overflow="fold")
        for row in (*self.rows(), *more):
            table.add_row(*row)
        table.add_row("verdict", self.verdict(), style="green" if self.ok else "red")
        return table


def show_time(time_ns: float) -> str:
    """``16.2 us``, ``1.25 s``."""
    for scale, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "us")):
        if time_ns >= scale:
            return f"{time_ns / scale:.4g} {unit}"
    return f"{time_ns:.4g} ns"
