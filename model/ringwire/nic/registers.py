"""The register map: the single source of the Verilog header, the C header and ``docs/registers.md``.

Registers are 32 bits wide on AXI4-Lite, addresses in bytes. Global registers start at 0, the block of queue ``q`` at
``QUEUE_BASE + q * QUEUE_STRIDE``. Where an access says ``config``, the device refuses a write (SLVERR, register
unchanged) while that queue is enabled, in reset or still has work in flight.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

ID_VALUE = 0x52574E43
"""``ID`` reads as the letters RWNC."""
VERSION_VALUE = 0x00010000

QUEUE_BASE = 0x1000
QUEUE_STRIDE = 0x100
ADDRESS_BITS = 16

QUEUE_COUNTS = (1, 2, 4, 8, 16)
DATA_WIDTHS = (64, 128, 256, 512)
MIN_RING_LOG2, MAX_RING_LOG2 = 6, 15
"""A descriptor ring has 64 to 32,768 entries, one of which stays empty."""
RING_ALIGN = 128
"""Bytes; ring bases are multiples of this, so that a fetched group of 8 descriptors never crosses 4 KiB."""
MAX_DESCRIPTORS = 64
"""Descriptors a packet may have."""
MAX_BUFFER = 16384
"""Bytes one data descriptor may name."""
MAX_FRAME = 16640
"""Bytes of the largest wire frame, without FCS and without a tag that the device inserts."""
MAX_HEADER = 256
"""Bytes of header that the device repeats before each segment."""
MAX_MSS = 16383
MAX_PAYLOAD = 262144
"""Bytes that one packet may have behind its header when it is to be cut into segments."""
MAX_DATAGRAM = 65535
"""The same when it is to be cut into IPv4 fragments: more could not be numbered in 13 bits of 8 bytes."""
MAX_CPL_THRESHOLD = 16
MAX_PRIORITY = 7
MIN_WEIGHT, MAX_WEIGHT = 64, 262143
"""Bytes of a weighted queue's turn: a beat at least, so that a frame is soon paid for."""
TIME_FRACTION_BITS = 16
"""Times on the device's ports and in completions are unsigned 48.16 fixed point nanoseconds."""
BYTE_TIME_FRACTION_BITS = 40


class Access(IntEnum):
    """Who writes a register, and when."""

    RO = 0
    RW = 1
    CONFIG = 2
    """Read-write, but writable only while the queue is disabled and idle."""
    WO = 3
    """A doorbell: write only, reads as zero."""


@dataclass(frozen=True)
class Field:
    name: str
    lsb: int
    width: int
    text: str


@dataclass(frozen=True)
class Register:
    name: str
    offset: int
    access: Access
    text: str
    fields: tuple[Field, ...] = ()
    reset: int = 0


RO, RW, CONFIG, WO = Access.RO, Access.RW, Access.CONFIG, Access.WO

GLOBAL_REGISTERS: tuple[Register, ...] = (
    Register("ID", 0x000, RO, "Identification.", reset=ID_VALUE),
    Register("VERSION", 0x004, RO, "Major in the upper, minor in the lower half.", reset=VERSION_VALUE),
    Register(
        "CAPS",
        0x008,
        RO,
        "What this instance was built with.",
        (
            Field("QUEUES", 0, 8, "transmit queues"),
            Field("DATA_BYTES", 8, 8, "width of the data path, bytes a beat"),
            Field("MAX_DESC", 16, 8, "descriptors a packet may have"),
        ),
    ),
    Register("CAPS_FRAME", 0x00C, RO, "Largest wire frame, bytes without FCS."),
    Register(
        "CTRL",
        0x010,
        RW,
        "Global control.",
        (
            Field("ENABLE", 0, 1, "1: queues may send"),
            Field("COMPLETE_AT_FETCH", 1, 1, "1: a packet completes once it is in the frame buffer, not on the wire"),
            Field("PACER_OPEN", 2, 1, "1: tready alone rules when a frame may start"),
        ),
    ),
    Register(
        "STATUS",
        0x014,
        RO,
        "Global state.",
        (Field("IDLE", 0, 1, "nothing in flight in any queue, all completions written"),),
    ),
    Register("BYTE_TIME_LO", 0x018, RW, "Time of a byte on the wire, units of 2^-40 ns, bits 31..0."),
    Register("BYTE_TIME_HI", 0x01C, RW, "The same, bits 53..32."),
    Register(
        "COMMIT_BOUND",
        0x020,
        RW,
        "Wire bytes (with preamble, padding, FCS and inter-frame gap) that may be ahead of a frame, the one on the "
        "wire counted whole, when its read starts; 0 means no bound.",
    ),
    Register(
        "LAUNCH_LEAD",
        0x024,
        RW,
        "Nanoseconds before its launch time from which on a packet may be read: what memory and device take.",
        reset=4000,
    ),
)


class Stat(IntEnum):
    """Statistics counters, in the order of their registers; 64 bits each, cleared by reset only."""

    TX_FRAMES = 0
    TX_BYTES = 1
    DESC_FETCHED = 2
    READ_REQUESTS = 3
    CPL_WRITTEN = 4
    HEAD_WRITTEN = 5
    INTERRUPTS = 6
    DOORBELLS = 7
    WRITE_ERRORS = 8
    ERR_BAD_LENGTH = 9
    ERR_BAD_FLAGS = 10
    ERR_TOO_LONG = 11
    ERR_TOO_MANY_DESC = 12
    ERR_BAD_OFFLOAD = 13
    ERR_READ = 14
    ERR_DESC_READ = 15
    ERR_BAD_DOORBELL = 16
    ERR_ABORTED = 17
    ERR_BAD_CSUM = 18
    ERR_LATE = 19


STAT_BASE = 0x100
STAT_STRIDE = 8
STAT_DOC = "Reading the low half latches the high half, which follows it."

QUEUE_REGISTERS: tuple[Register, ...] = (
    Register(
        "Q_CTRL",
        0x00,
        RW,
        "Queue control. Clearing ENABLE stops the queue between packets; what has begun is completed (drain: wait "
        "for Q_STATUS.IDLE). RESET drops what has not begun to leave, reports it as ABORTED, and empties the rings.",
        (
            Field("ENABLE", 0, 1, "1: the queue may fetch and send"),
            Field("RESET", 1, 1, "write 1 to start a reset; reads 1 until it is done"),
        ),
    ),
    Register(
        "Q_STATUS",
        0x04,
        RO,
        "Queue state.",
        (
            Field("IDLE", 0, 1, "nothing of this queue is in flight and all its completions are visible"),
            Field("ERROR", 1, 1, "a descriptor read or a completion write failed: the queue stands until a reset"),
            Field("BAD_DOORBELL", 2, 1, "a doorbell was out of range since the last reset"),
        ),
    ),
    Register("Q_RING_LO", 0x08, CONFIG, "Descriptor ring address, bits 31..0; a multiple of 128."),
    Register("Q_RING_HI", 0x0C, CONFIG, "Descriptor ring address, bits 63..32."),
    Register("Q_RING_LOG2", 0x10, CONFIG, "Entries of both rings, as a power of two: 6 to 15.", reset=MIN_RING_LOG2),
    Register("Q_CPL_LO", 0x14, CONFIG, "Completion ring address, bits 31..0; a multiple of 128."),
    Register("Q_CPL_HI", 0x18, CONFIG, "Completion ring address, bits 63..32."),
    Register(
        "Q_HEAD_LO",
        0x1C,
        CONFIG,
        "Head write-back address, bits 31..0; a multiple of 8.",
        (Field("ENABLE", 0, 1, "1: reports write a head record here; only errors use the completion ring"),),
    ),
    Register("Q_HEAD_HI", 0x20, CONFIG, "Head write-back address, bits 63..32."),
    Register("Q_TAIL", 0x24, WO, "Doorbell: ring index one past the last posted descriptor."),
    Register(
        "Q_CPL_CONSUMED",
        0x28,
        WO,
        "Completions consumed so far, modulo 65,536 (with head write-back: COUNT of the head record).",
    ),
    Register("Q_CPL_ARM", 0x2C, WO, "The same, and arms the interrupt: it fires at once if there is more already."),
    Register("Q_IRQ_MASK", 0x30, RW, "Interrupt mask.", (Field("MASK", 0, 1, "1: hold the interrupt back"),)),
    Register("Q_MOD_FRAMES", 0x34, RW, "Moderation: interrupt after this many completions (0 and 1: each)."),
    Register(
        "Q_MOD_NS",
        0x38,
        RW,
        "Moderation: ... or this long after the first, nanoseconds; with 0 only Q_MOD_FRAMES counts if it is above 1.",
    ),
    Register("Q_CPL_THRESHOLD", 0x3C, RW, "Completions to gather before they are written: 1 to 16.", reset=1),
    Register("Q_CPL_TIMER_NS", 0x40, RW, "... or this long after the first, nanoseconds.", reset=0),
    Register("Q_HEAD", 0x44, RO, "Ring index up to which packets are done (sent, or dropped with an error)."),
    Register("Q_FETCHED", 0x48, RO, "Ring index up to which descriptors have been asked for."),
    Register("Q_CPL_WRITTEN", 0x4C, RO, "Completions visible in host memory so far, modulo 65,536."),
    Register(
        "Q_PRIORITY",
        0x50,
        RW,
        "Strict priority, 0 to 7: no frame of this queue is picked while a queue of a higher one has a frame to send; "
        "queues of one priority have their turns. It is the priority that PFC stops as well.",
        reset=0,
    ),
    Register(
        "Q_WEIGHT",
        0x54,
        RW,
        "Share among the weighted queues of its priority, as the bytes of a round: 64 to 262,143. Bytes are those of "
        "frames as they leave, without FCS. 0: not weighted, a frame a turn.",
        reset=0,
    ),
    Register(
        "Q_BYTE_TIME_LO",
        0x58,
        RW,
        "Rate limit: time of a byte, units of 2^-40 ns, bits 31..0; 0: no limit. Bytes are those of frames as they "
        "leave, without FCS. A queue that was held up makes up for one frame at most.",
    ),
    Register("Q_BYTE_TIME_HI", 0x5C, RW, "The same, bits 53..32."),
)

FAULT_SELECT = 0x0F00
"""Register that only builds of the RTL with FAULTS = 1 have: which :class:`RtlFault` is switched on."""


class RtlFault(IntEnum):
    """Bugs that can be switched on in such a build, one at a time; see ``ringwire.faults``."""

    NONE = 0
    COMPLETES_EARLY = 1
    READ_CLEARS = 2
    WRITE_BACK_WAITS = 3
    STALE_MSS = 4
    SHORT_FIFO = 5
    ADDRESS_HALF = 6
    HANG = 7
    CUT_THROUGH = 8


def queue_register(name: str, queue: int) -> int:
    """Byte address of a queue's register, ``name`` without its ``Q_``."""
    return QUEUE_BASE + queue * QUEUE_STRIDE + QUEUE_OFFSETS[name]


def stat_register(stat: Stat) -> int:
    """Byte address of the low half of a statistics counter."""
    return STAT_BASE + STAT_STRIDE * int(stat)


GLOBAL_OFFSETS = {r.name: r.offset for r in GLOBAL_REGISTERS}
QUEUE_OFFSETS = {r.name.removeprefix("Q_"): r.offset for r in QUEUE_REGISTERS}
