"""What the driver counts, as ``ethtool -S`` and ``ip -s link`` show it."""

from __future__ import annotations

from collections.abc import Iterable

from ringwire.driver.tx_ring import TxRing
from ringwire.netdev.ethtool_ops import LinkStats
from ringwire.nic.descriptors import Status

COUNTERS = ("dropped", "forgotten", "busy", "stops", "wakes", "doorbells", "polls", "resets")


def statistics(rings: Iterable[TxRing]) -> dict[str, int]:
    """Per queue what went well, and by name what did not."""
    found = {}
    for ring in rings:
        prefix = f"tx{ring.txq.index}_"
        for name in ("packets", "bytes"):
            found[prefix + name] = getattr(ring, "tx_" + name)
        for name in COUNTERS:
            found[prefix + name] = getattr(ring, name)
        found[prefix + "moderation_ns"] = ring.knobs.moderation_ns
        for status in Status:
            if status is not Status.OK:
                found[f"{prefix}error_{status.name.lower()}"] = ring.errors[status]
    return found


def link_stats(rings: Iterable[TxRing]) -> LinkStats:
    """Totals; packets that failed in the device are errors, those that a reset lost are drops."""
    known = list(rings)
    return LinkStats(
        tx_packets=sum(ring.tx_packets for ring in known),
        tx_bytes=sum(ring.tx_bytes for ring in known),
        tx_errors=sum(sum(ring.errors.values()) for ring in known),
        tx_dropped=sum(ring.dropped + ring.forgotten for ring in known),
    )
