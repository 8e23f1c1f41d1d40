"""A first look through a capture: whether it can be replayed at all, and how much there is to do."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path

from ringwire.nic.pacer import wire_bytes
from ringwire.pcap import CaptureError
from ringwire.replay.config import ReplayConfig, ReplayError
from ringwire.replay.packets import write_packets
from ringwire.skb import Skb
from ringwire.traffic.capture import Capture, CaptureCounts

UNTOUCHED = ("fragments", "truncated", "malformed", "other")
"""Kinds of :class:`CaptureCounts` that go out as they came."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What a capture holds; ``frames`` and ``wire_bytes`` are those that its packets are to become."""

    packets: int
    frames: int
    wire_bytes: int
    """With preamble, padding, FCS and inter-frame gap."""
    span_ns: int
    """From the earliest time stamp to the latest."""
    first_ns: int
    """Time stamp of the first packet, which is not the earliest if stamps go back."""
    counts: CaptureCounts

    def kinds(self) -> dict[str, int]:
        """How many frames of the capture were of each kind; the trailers are no kind of their own."""
        return asdict(self.counts)

    @property
    def untouched(self) -> int:
        """Packets that nothing is completed in."""
        return sum(getattr(self.counts, kind.name) for kind in fields(self.counts) if kind.name in UNTOUCHED)


def survey(config: ReplayConfig, packets: Path) -> Survey:
    """Read all of the capture, and leave its packets in new files (:mod:`ringwire.replay.packets`).

    :class:`ReplayError` if it can't be replayed, or the packets take more room than there is.
    """
    capture = Capture(config.capture, mtu=config.mtu)
    count = frames = size = 0
    first = earliest = latest = 0
    try:
        for time_ns, skb in write_packets(packets, capture, config.cpus):
            if not count:
                first = earliest = latest = time_ns
            count += 1
            frames += segments(skb)
            size += wire_size(skb)
            earliest, latest = min(earliest, time_ns), max(latest, time_ns)
    except CaptureError as error:
        text = str(error)
        cure = "" if "allowed:" in text else "; needed: a whole pcap or pcapng file of Ethernet frames"
        raise ReplayError(text + cure) from None
    except OSError as error:
        where = f"{packets.parent}: {error.strerror or error}"
        raise ReplayError(f"{where}; the packets of {config.capture} need room there, or where TMPDIR says") from None
    if not count:
        raise ReplayError(f"{config.capture}: holds no packet; nothing to replay")
    return Survey(count, frames, size, latest - earliest, first, capture.counts)


def segments(skb: Skb) -> int:
    """Wire frames that a packet becomes."""
    return skb.gso_segs if skb.gso_size else 1


def wire_size(skb: Skb) -> int:
    """Bytes that a packet's frames take of the wire."""
    if not skb.gso_size:
        return wire_bytes(skb.len)
    whole = wire_bytes(skb.hdr_len + skb.gso_size)
    last = wire_bytes(skb.len - (skb.gso_segs - 1) * skb.gso_size)
    return (skb.gso_segs - 1) * whole + last
