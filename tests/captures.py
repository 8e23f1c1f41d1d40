"""Capture files made on the spot, in every format that a user may bring. Frames come from ``tests.frames``."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

from ringwire.pcap import read_capture

REAL_MIX = Path(__file__).parent.parent / "model" / "ringwire" / "data" / "real_mix.pcap"
REAL_MIX_WIRE = REAL_MIX.with_suffix(".wire.pcap")
EPOCH_NS = 1_700_000_000_000_000_000
Stamped = tuple[int, bytes]
"""(time in ns since the epoch, bytes without FCS)"""


def stamped(frames: Iterable[bytes], gap_ns: int = 1000) -> list[Stamped]:
    """Frames ``gap_ns`` apart."""
    return [(EPOCH_NS + number * gap_ns, frame) for number, frame in enumerate(frames)]


def pcap(
    frames: Iterable[Stamped], *, order: str = "<", nanoseconds: bool = False, linktype: int = 1, snaplen: int = 262_144
) -> bytes:
    """A classic pcap file; frames are cut at ``snaplen``."""
    tick, magic = (1, 0xA1B23C4D) if nanoseconds else (1000, 0xA1B2C3D4)
    out = [struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, snaplen, linktype)]
    for time_ns, frame in frames:
        seconds, rest = divmod(time_ns, 10**9)
        kept = frame[:snaplen]
        out += [struct.pack(f"{order}IIII", seconds, rest // tick, len(kept), len(frame)), kept]
    return b"".join(out)


def pcapng(frames: Iterable[Stamped], *, order: str = "<") -> bytes:
    """A pcapng file of one Ethernet interface with nanosecond time stamps."""
    out = [_block(order, 0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1))]
    resolution = struct.pack(f"{order}HHB3x", 9, 1, 9) + struct.pack(f"{order}HH", 0, 0)
    out.append(_block(order, 1, struct.pack(f"{order}HHI", 1, 0, 0) + resolution))
    for time_ns, frame in frames:
        head = struct.pack(f"{order}IIIII", 0, time_ns >> 32, time_ns & 0xFFFFFFFF, len(frame), len(frame))
        out.append(_block(order, 6, head + frame + bytes(-len(frame) % 4)))
    return b"".join(out)


def _block(order: str, kind: int, body: bytes) -> bytes:
    size = len(body) + 12
    return struct.pack(f"{order}II", kind, size) + body + struct.pack(f"{order}I", size)


def wire_frames(path: Path) -> list[Stamped]:
    """(time in ns, bytes) of every frame of a pcap file."""
    return [(frame.time_ns, frame.data) for frame in read_capture(path)]


def flows(frames: Sequence[Stamped]) -> dict[bytes, list[bytes]]:
    """Frames by flow, each in order and padded to 60 bytes: by addresses, protocol and ports, or MACs and type."""
    found: dict[bytes, list[bytes]] = {}
    for _, frame in frames:
        kind = frame[12:14]
        if kind == b"\x08\x00":
            key = frame[23:24] + frame[26:34] + (frame[34:38] if frame[23] in (6, 17) else b"")
        elif kind == b"\x86\xdd":
            key = frame[20:21] + frame[22:54] + (frame[54:58] if frame[20] in (6, 17) else b"")
        else:
            key = frame[:14]
        found.setdefault(key, []).append(frame.ljust(60, b"\0"))
    return found
