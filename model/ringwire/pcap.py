"""Capture files: a streaming reader of Ethernet pcap and pcapng, and a writer of nanosecond pcap.

Formats: draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng. Read are pcap with microsecond or nanosecond time
stamps, and pcapng with any number of sections and interfaces, both in either byte order. Of pcapng, enhanced,
simple and (obsolete) packet blocks hold frames; all blocks but those and the descriptions are passed over.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, NoReturn, Self

LINKTYPE_ETHERNET = 1
MAX_FRAME = 262_144
"""Longest frame that is believed and written, bytes: the largest snap length of common capture tools."""
MAX_BLOCK = 16 * 1024 * 1024
"""Longest pcapng block that is believed, bytes."""

_PCAP_TICKS = {0xA1B2C3D4: 10**6, 0xA1B23C4D: 10**9}
"""Magic number: time stamp units in a second."""
_NANOSECOND_MAGIC = 0xA1B23C4D
_PCAP_VERSION = (2, 4)
_FCS_PRESENT = 0x0400_0000
_FCS_LEN = 4

_SECTION_HEADER = 0x0A0D0D0A
_INTERFACE_DESCRIPTION = 1
_OBSOLETE_PACKET = 2
_SIMPLE_PACKET = 3
_ENHANCED_PACKET = 6
_BYTE_ORDER_MAGIC = 0x1A2B3C4D
_BLOCK_OVERHEAD = 12
"""Type and both copies of the length."""
_IF_TSRESOL = 9
_IF_FCSLEN = 13
_IF_TSOFFSET = 14

_SECOND = 10**9
_RECORD = struct.Struct("<IIII")
"""Before each frame: seconds, nanoseconds, bytes that are here, bytes on the wire."""
_WRITE_BUFFER = 1 << 18
"""Bytes. Python's own buffer would be a system call for every five frames."""


class CaptureError(Exception):
    """A capture can't be used; the text is one line: what, where (byte, packet) and what is allowed."""


class CapturedFrame(NamedTuple):
    """One frame of a capture, without FCS."""

    time_ns: int
    """Nanoseconds since the epoch."""
    data: bytes
    """The bytes that the capture holds."""
    length: int
    """The frame's length on the wire; more than ``len(data)`` where the capture cut it (snaplen)."""


class _Interface(NamedTuple):
    """How the frames of an interface (of a pcap file: of all) are to be read."""

    ticks: int
    """Time stamp units in a second."""
    offset_s: int = 0
    fcs_len: int = 0
    snaplen: int = 0
    """0: no limit."""


def read_capture(path: str | os.PathLike[str]) -> Iterator[CapturedFrame]:
    """The frames of a pcap or pcapng file, one at a time, in the file's order.

    A simple packet block has no time stamp: its frame gets that of the frame before it.
    Raises :class:`CaptureError`; for a fault in the file, once the frames before it have been handed out.
    """
    try:
        with Path(path).open("rb") as stream:
            yield from read_stream(stream, str(path))
    except OSError as error:
        raise CaptureError(f"{path}: {error.strerror or error}") from None


def read_stream(stream: BinaryIO, name: str) -> Iterator[CapturedFrame]:
    """:func:`read_capture` of an open, buffered binary stream; errors call it ``name``."""
    source = _Source(stream, name)
    magic = source.take(4, "the magic number")
    for order in "<>":
        (value,) = struct.unpack(order + "I", magic)
        if value in _PCAP_TICKS:
            return _read_pcap(source, order, _PCAP_TICKS[value])
        if value == _SECTION_HEADER:
            return _read_pcapng(source, magic)
    source.fail(f"magic number {magic.hex()}; allowed: those of pcap and pcapng")


class _Source:
    """A stream, and where it stands for error messages."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream = stream
        self._name = name
        self._start = self._position = 0
        self._packets = 0
        self._in_packet = False

    def record(self, size: int, what: str, *, packet: bool = False) -> bytes:
        """The first ``size`` bytes of the next record or block; nothing at the end of the file."""
        self._start = self._position
        self._in_packet = False
        if packet:
            self.begin_packet()
        data = self._stream.read(size)
        self._position += len(data)
        if data and len(data) < size:
            self.fail(f"file ends within {what}, {len(data)} bytes of {size}")
        return data

    def begin_packet(self) -> None:
        """The record at hand is one more packet."""
        self._packets += 1
        self._in_packet = True

    def take(self, size: int, what: str) -> bytes:
        """The next ``size`` bytes of the record at hand, all of them."""
        data = self._stream.read(size)
        self._position += len(data)
        if len(data) < size:
            self.fail(f"file ends within {what}, {len(data)} bytes of {size}")
        return data

    def fail(self, what: str) -> NoReturn:
        packet = f", packet {self._packets}" if self._in_packet else ""
        raise CaptureError(f"{self._name}: byte {self._start}{packet}: {what}")


def _frame(source: _Source, interface: _Interface, time_ns: int, data: bytes, length: int) -> CapturedFrame:
    if len(data) > length:
        source.fail(f"captured length {len(data)}; allowed: up to the original length, {length}")
    length = max(length - interface.fcs_len, 0)
    return CapturedFrame(time_ns, data[:length], length)


def _check_linktype(source: _Source, linktype: int) -> None:
    if linktype != LINKTYPE_ETHERNET:
        source.fail(f"link type {linktype}; allowed: {LINKTYPE_ETHERNET}, Ethernet")


def _check_captured(source: _Source, size: int, limit: int) -> None:
    if size > limit:
        source.fail(f"captured length {size}; allowed: up to {limit}")


def _read_pcap(source: _Source, order: str, ticks: int) -> Iterator[CapturedFrame]:
    header = source.take(20, "the file header")
    major, minor, _zone, _accuracy, _snaplen, network = struct.unpack(order + "HHiIII", header)
    if (major, minor) != _PCAP_VERSION:
        source.fail(f"pcap version {major}.{minor}; allowed: 2.4")
    _check_linktype(source, network & 0xFFFF)
    # Ethernet's FCS is 4 bytes long, in whichever unit a writer counts them.
    interface = _Interface(ticks, fcs_len=_FCS_LEN if network & _FCS_PRESENT and network >> 28 else 0)
    unpack = struct.Struct(order + "IIII").unpack
    while header := source.record(16, "a packet header", packet=True):
        seconds, fraction, size, length = unpack(header)
        if fraction >= ticks:
            source.fail(f"fraction of a second {fraction}; allowed: below {ticks}")
        _check_captured(source, size, MAX_FRAME)
        time_ns = seconds * _SECOND + fraction * (_SECOND // ticks)
        yield _frame(source, interface, time_ns, source.take(size, "the packet"), length)


def _read_pcapng(source: _Source, magic: bytes) -> Iterator[CapturedFrame]:
    interfaces: list[_Interface] = []
    time_ns = 0
    for order, kind, body in _blocks(source, magic):
        if kind == _SECTION_HEADER:
            interfaces = []
        elif kind == _INTERFACE_DESCRIPTION:
            interfaces.append(_interface(source, order, body))
        elif kind == _SIMPLE_PACKET:
            (length,) = _fields(source, order + "I", body)
            interface = _lookup(source, interfaces, 0)
            size = min(length, interface.snaplen or length)
            _check_captured(source, size, min(MAX_FRAME, len(body) - 4))
            yield _frame(source, interface, time_ns, body[4 : 4 + size], length)
        elif kind in (_ENHANCED_PACKET, _OBSOLETE_PACKET):
            # The obsolete block has a count of drops beside a shorter interface number.
            layout = "IIIII" if kind == _ENHANCED_PACKET else "HxxIIII"
            number, high, low, size, length = _fields(source, order + layout, body)
            interface = _lookup(source, interfaces, number)
            _check_captured(source, size, min(MAX_FRAME, len(body) - 20))
            time_ns = (high << 32 | low) * _SECOND // interface.ticks + interface.offset_s * _SECOND
            yield _frame(source, interface, time_ns, body[20 : 20 + size], length)


def _blocks(source: _Source, head: bytes) -> Iterator[tuple[str, int, bytes]]:
    """Byte order, type and body of each block; ``head`` is the first one's type, a section header."""
    order = ""
    while head:
        rest = source.take(8, "a block")
        if head == _SECTION_HEADER.to_bytes(4):
            orders = {_BYTE_ORDER_MAGIC.to_bytes(4, "little"): "<", _BYTE_ORDER_MAGIC.to_bytes(4): ">"}
            if rest[4:] not in orders:
                source.fail(f"byte-order magic {rest[4:].hex()}; allowed: {' and '.join(m.hex() for m in orders)}")
            order = orders[rest[4:]]
        kind, size = struct.unpack(order + "II", head + rest[:4])
        if kind in (_ENHANCED_PACKET, _SIMPLE_PACKET, _OBSOLETE_PACKET):
            source.begin_packet()
        if size % 4 or not _BLOCK_OVERHEAD <= size <= MAX_BLOCK:
            source.fail(f"block length {size}; allowed: multiples of 4 from {_BLOCK_OVERHEAD} to {MAX_BLOCK}")
        body = rest[4:] + source.take(size - _BLOCK_OVERHEAD, "a block")
        if body[-4:] != rest[:4]:
            (again,) = struct.unpack(order + "I", body[-4:])
            source.fail(f"block length {size} at its start, {again} at its end; allowed: twice the same")
        if kind == _SECTION_HEADER:
            major, minor = _fields(source, order + "xxxxHHxxxxxxxx", body[:-4])
            if major != 1:
                source.fail(f"pcapng version {major}.{minor}; allowed: 1.x")
        yield order, kind, body[:-4]
        head = source.record(4, "a block")


def _fields(source: _Source, layout: str, body: bytes) -> tuple[int, ...]:
    size = struct.calcsize(layout)
    if len(body) < size:
        source.fail(f"block with {len(body)} bytes of content; allowed: {size} or more")
    return struct.unpack_from(layout, body)


def _lookup(source: _Source, interfaces: list[_Interface], number: int) -> _Interface:
    if number >= len(interfaces):
        source.fail(f"interface {number}; allowed: those described so far in the section, {len(interfaces)}")
    return interfaces[number]


def _interface(source: _Source, order: str, body: bytes) -> _Interface:
    linktype, snaplen = _fields(source, order + "HxxI", body)
    _check_linktype(source, linktype)
    ticks, offset_s, fcs_len = 10**6, 0, 0
    position = 8
    while position < len(body):
        code, size = _fields(source, order + "HH", body[position:])
        value = body[position + 4 : position + 4 + size]
        if code == 0:
            break
        wanted = {_IF_TSRESOL: 1, _IF_FCSLEN: 1, _IF_TSOFFSET: 8}.get(code, size)
        if len(value) != size or size != wanted:
            source.fail(f"interface option {code} of {size} bytes; allowed: {wanted}, within the block")
        if code == _IF_TSRESOL:
            exponent = value[0] & 0x7F
            ticks = 1 << exponent if value[0] & 0x80 else 10**exponent
        elif code == _IF_TSOFFSET:
            (offset_s,) = struct.unpack(order + "q", value)
        elif code == _IF_FCSLEN:
            fcs_len = _FCS_LEN if value[0] else 0
        position += 4 + size + -size % 4
    return _Interface(ticks, offset_s, fcs_len, snaplen)


class PcapWriter:
    """Writes a nanosecond pcap; the file appears under its name, whole, when the writer is closed.

    Until then the frames are in a temporary file beside it. Leaving a ``with`` block by an exception, or
    :meth:`discard`, removes that and leaves what stood under the name before.
    """

    _names = count()

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Raises :class:`CaptureError` where no file can be made, or something else than a file stands."""
        self.path = Path(path)
        try:
            # A link is followed, so that the file it leads to is replaced and not the link.
            self._target = self.path.resolve()
            if self._target.exists() and not self._target.is_file():
                raise CaptureError(f"{path}: not a regular file")
            self._temporary = self._target.with_name(f".{self._target.name}.{os.getpid()}-{next(self._names)}.tmp")
            self._stream = self._temporary.open("xb", buffering=_WRITE_BUFFER)
            self._stream.write(
                struct.pack("<IHHiIII", _NANOSECOND_MAGIC, *_PCAP_VERSION, 0, 0, MAX_FRAME, LINKTYPE_ETHERNET)
            )
        except (OSError, RuntimeError) as error:
            raise CaptureError(f"{path}: {getattr(error, 'strerror', None) or error}") from None

    def write(self, time_ns: int, frame: bytes | bytearray | memoryview, length: int | None = None) -> None:
        """Add a frame; ``length`` is its length on the wire where ``frame`` holds less of it."""
        seconds, fraction = divmod(time_ns, _SECOND)
        if not 0 <= seconds < 1 << 32:
            raise CaptureError(f"{self.path}: time {time_ns} ns; allowed: 0 to 2^32 seconds")
        if len(frame) > MAX_FRAME:
            raise CaptureError(f"{self.path}: frame of {len(frame)} bytes; allowed: up to {MAX_FRAME}")
        length = len(frame) if length is None else length
        try:
            self._stream.write(_RECORD.pack(seconds, fraction, len(frame), length))
            self._stream.write(frame)
        except OSError as error:
            raise CaptureError(f"{self.path}: {error.strerror or error}") from None

    def close(self) -> None:
        """Put the file in its place; nothing to do a second time."""
        if self._stream.closed:
            return
        try:
            self._stream.close()
            self._temporary.replace(self._target)
        except OSError as error:
            self._remove()
            raise CaptureError(f"{self.path}: {error.strerror or error}") from None

    def discard(self) -> None:
        """Give up what was written; nothing to do once closed."""
        if not self._stream.closed:
            with suppress(OSError):
                self._stream.close()
            self._remove()

    def _remove(self) -> None:
        self._temporary.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()
