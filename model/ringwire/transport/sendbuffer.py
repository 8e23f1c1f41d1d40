"""The send buffer of a stream socket: what the application has written and the other end not yet acknowledged.

As tcp_sendmsg, sk_stream_memory_free, sk_stream_is_writeable and tcp_sndbuf_expand of Linux 6.12 count it: in bytes of
truesize, which is the payload and a head for each packet that it lies in.
"""

from __future__ import annotations

from collections import deque

from ringwire.transport.packet import HEAD_TRUESIZE

WMEM_DEFAULT = 16_384
WMEM_MAX = 4_194_304
"""sysctl net.ipv4.tcp_wmem."""
PACKET_OVERHEAD = 320 + 320
"""MAX_TCP_HEADER and skb_shared_info, as tcp_sndbuf_expand counts a packet's memory."""
_SK_BUFF = 256


class SendBuffer:
    """Sizes in bytes. ``fixed`` is what SO_SNDBUF has set; without it the buffer grows with the window."""

    __slots__ = ("_chunks", "_maximum", "fixed", "size", "unsent", "used", "written")

    def __init__(self, fixed: int | None = None, default: int = WMEM_DEFAULT, maximum: int = WMEM_MAX) -> None:
        self.fixed = fixed is not None
        self.size = default if fixed is None else fixed
        """sk_sndbuf."""
        self.used = 0
        """sk_wmem_queued: truesize of all that is written and not acknowledged."""
        self.unsent = 0
        """Bytes of payload that were never sent."""
        self.written = 0
        self._chunks: deque[list[int]] = deque()
        """[bytes, time of writing in ns] of packets to be, in order."""
        self._maximum = maximum

    @property
    def full(self) -> bool:
        """A writer has to wait."""
        return self.used >= self.size

    @property
    def writeable(self) -> bool:
        """A writer that waits may go on: a third of the buffer is free."""
        return self.size - self.used >= self.used >> 1

    @property
    def head(self) -> int:
        """Bytes of the first packet to be, 0: there is none."""
        return self._chunks[0][0] if self._chunks else 0

    @property
    def head_written_ns(self) -> int:
        """When it was written; there is one."""
        return self._chunks[0][1]

    @property
    def head_is_last(self) -> bool:
        return len(self._chunks) == 1

    def write(self, size: int, goal: int, now_ns: int) -> int:
        """Append up to ``size`` bytes to the last packet to be, which holds up to ``goal``, or to a new one.

        One packet at most; how many bytes were taken, 0: the buffer is full.
        """
        chunks = self._chunks
        if chunks and chunks[-1][0] < goal:
            taken = min(size, goal - chunks[-1][0])
            chunks[-1][0] += taken
        else:
            if self.used >= self.size:
                return 0
            taken = min(size, goal)
            chunks.append([taken, now_ns])
            self.used += HEAD_TRUESIZE
        self.used += taken
        self.unsent += taken
        self.written += taken
        return taken

    def take(self, size: int) -> None:
        """Cut ``size`` bytes off the first packet to be, as they are sent now."""
        first = self._chunks[0]
        if first[0] == size:
            self._chunks.popleft()
        else:
            first[0] -= size
            self.used += HEAD_TRUESIZE  # tso_fragment: the rest is a packet of its own
        self.unsent -= size

    def expand(self, mss: int, cwnd: int, reordering: int) -> None:
        """tcp_sndbuf_expand: room for two windows."""
        if self.fixed:
            return
        packet = (1 << (mss + PACKET_OVERHEAD - 1).bit_length()) + _SK_BUFF
        wanted = 2 * max(10, cwnd, reordering + 1) * packet
        if self.size < wanted:
            self.size = max(self.size, min(wanted, self._maximum))
