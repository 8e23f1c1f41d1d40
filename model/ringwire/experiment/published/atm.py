"""What a packet takes of a line of ATM cells, and what a shaper makes of that."""

from __future__ import annotations

from ringwire.experiment.published.study import Figure, Run, Settings, Study, begins_ns, flow
from ringwire.experiment.results import Results

RATE_BPS = 1_000_000
ACK = 40
"""Bytes of IP: a bare acknowledgement."""
CELL = 53
"""Bytes, of which 48 are the packet's and its encapsulation's: in PPPoA 10 more than IP (PPP and AAL5, VC multiplexed,
RFC 2684), 4 less than Ethernet's 14."""
KEPT = 100 * 100 / 2430
"""Percent of the packets without linklayer that the modem's buffer of 100 keeps."""
BURST_NS = 100_000_000
"""More than tokens of 2 kB last at twice the rate."""
CELLS_ONLY: Settings = (
    ("setup.lines", "tc qdisc add dev eth0 root stab linklayer atm tbf rate 1mbit burst 2k limit 10k"),
)
BY_BYTES = Run("atm", (("setup.lines", "tc qdisc add dev eth0 root tbf rate 1mbit burst 2k limit 10k"),))
BY_CELLS = Run("atm")
HTB = Run(
    "atm",
    (
        (
            "setup.lines",
            "tc qdisc add dev eth0 root handle 1: htb default 10\n"
            "tc class add dev eth0 parent 1: classid 1:10 htb rate 1mbit overhead 10 linklayer atm",
        ),
    ),
)


def sized(size: int, settings: Settings = ()) -> Run:
    """Frames of this size."""
    return Run("atm", (("flow.packets.size", size), *settings))


def charged(results: Results) -> float:
    """Bytes that a frame is charged: the shaper's rate times the mean time from frame to frame on the wire."""
    begins = [time_ns for time_ns in begins_ns(results, "packets") if time_ns > BURST_NS]
    return (begins[-1] - begins[0]) / (len(begins) - 1) * RATE_BPS / 8e9


def reduced(results: Results) -> float:
    """Share of the line that is not IP, in percent."""
    return 100 * (1 - ACK / charged(results))


def lost(results: Results) -> float:
    """Share of what was on the wire that the line's buffer had no room for, in percent."""
    row = flow(results, "packets")
    return float(100 * (1 - row["arrived"] / row["sent"]))


def exactly(what: str, run: Run, count: float, published: float | None = None, why: str = "") -> Figure:
    """A frame's charge; its begins are whole clock edges, so that a mean of hundreds is off by millionths."""
    held = (count - 1e-3, count + 1e-3)
    return Figure(what, "bytes", run, charged, held, published, why, digits=3)


ATM = Study(
    key="atm",
    title="Cells on the line, bytes in the shaper",
    source="tc-stab(8); J. D. Brouer, Optimization of TCP/IP Traffic Across Shared ADSL (thesis)",
    text=(
        "A shaper at the rate of a DSL line, here 1 Mbit/s behind 100 Mbit/s Ethernet, has to count what the line "
        "sends: cells of 53 bytes for each 48 of the packet and its encapsulation. With `linklayer atm` frames leave "
        "as far apart as cells take, by the wire's own time stamps; without it the line gets more than it carries and "
        "the modem drops the rest."
    ),
    figures=(
        exactly("charge of 100 bytes, no overhead", sized(100, CELLS_ONLY), 159, 159, "three cells"),
        exactly("100 bytes in PPPoA (overhead -4)", sized(100), 106, None, "96 bytes fill two cells"),
        exactly("101 bytes in PPPoA", sized(101), 159, None, "one byte more, one cell more"),
        exactly("1514 bytes in PPPoA", sized(1514), 32 * CELL, None, "1510 bytes in 32 cells"),
        exactly("an acknowledgement (40 bytes of IP)", BY_CELLS, 2 * CELL, None, "50 bytes in two cells"),
        exactly("the same, htb with overhead and linklayer", HTB, 2 * CELL, None, "64 bytes in two cells"),
        Figure(
            "share of the line that an acknowledgement wastes", "%", BY_CELLS, reduced, (62.2, 62.3), 62, "1 - 40 / 106"
        ),
        Figure(
            "an acknowledgement's losses on the line",
            "%",
            BY_CELLS,
            lost,
            (0, 0),
            None,
            "the shaper sends what the line carries",
        ),
        exactly("an acknowledgement without linklayer", BY_BYTES, 14 + ACK, None, "the frame's bytes"),
        Figure(
            "its losses on the line, without linklayer",
            "%",
            BY_BYTES,
            lost,
            (100 * (1 - 54 / 106) - KEPT - 0.5, 100 * (1 - 54 / 106)),
            None,
            "the line carries 54 / 106 of it, and its buffer keeps 100 of 2,430 packets",
        ),
    ),
)
