"""A sender behind a socket's send buffer: writes wait for room, and room comes back as packets leave.

The buffer counts ``Skb.truesize`` from the write to the packet's end (sent and completed, or dropped), as Linux's
sk_wmem_alloc does; a writer that had to wait goes on when less than half of it is in use (sock_writeable,
net/core/sock.c of Linux 6.12). So a source is drained as fast as the device takes it, and nothing is lost here.
Time stamps of what was sent come back through the error queue (SO_TIMESTAMPING, :mod:`ringwire.timestamping`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from ringwire.netdev.device import Clock, NetDevice
from ringwire.netdev.xmit import dev_queue_xmit
from ringwire.qdisc.base import XMIT_CN, XMIT_SUCCESS
from ringwire.skb import Skb, linear_truesize
from ringwire.timestamping import ErrorQueue, StampKind, Timestamping, TxTimestamp, checked

WMEM_DEFAULT = 212_992
"""Bytes of a socket's send buffer (sysctl net.core.wmem_default)."""
SNDBUF_MIN = 4608
"""Linux takes less for this (SOCK_MIN_SNDBUF)."""


class Socket:
    """Feeds packets to a device as fast as its send buffer allows.

    ``sndbuf`` in bytes of truesize. Packets without a truesize get that of one linear buffer; ``priority``, if
    given, overrides theirs (SO_PRIORITY). ``clock`` is that of the CPU which the sender runs on, the device's by
    default; each write is charged ``syscall_ns`` there. After ``batch`` writes in a row other work may go first.
    The packets' ``destructor`` is the socket's; ``on_free`` is told of each packet that ends. ``timestamping`` is
    what :meth:`set_timestamping` takes; the stamps wait in ``error_queue``. ``transmit`` hands a packet to the stack,
    in place of dev_queue_xmit.
    """

    def __init__(
        self,
        dev: NetDevice,
        sndbuf: int = WMEM_DEFAULT,
        *,
        priority: int | None = None,
        clock: Clock | None = None,
        syscall_ns: int = 0,
        batch: int = 64,
        on_free: Callable[[Skb], None] | None = None,
        timestamping: int = Timestamping.NONE,
        transmit: Callable[[Skb], int] | None = None,
    ) -> None:
        if batch < 1:
            raise ValueError(f"a batch is at least one write, not {batch}")
        self.dev = dev
        self._transmit = partial(dev_queue_xmit, dev=dev) if transmit is None else transmit
        self.sndbuf = max(sndbuf, SNDBUF_MIN)
        self.priority = priority
        self.syscall_ns = syscall_ns
        self.batch = batch
        self.on_free = on_free
        self.wmem = 0
        """Bytes of truesize in the send buffer, the qdisc and the ring together."""
        self.packets = 0
        """Packets written."""
        self.bytes = 0
        self.dropped = 0
        """Packets that a write found refused below (a full qdisc)."""
        self.waits = 0
        """Times the writer had to wait."""
        self.error_queue = ErrorQueue()
        self.timestamping = Timestamping.NONE
        self._key = 0
        """The next packet's number for OPT_ID."""
        self.set_timestamping(timestamping)

        self._clock: Clock = dev.clock if clock is None else clock
        self._sources: deque[tuple[Iterator[Skb], Callable[[], None] | None]] = deque()
        self._waiting = False
        self._scheduled = False
        self._destructor = self._free

    @property
    def idle(self) -> bool:
        """Whether all sources are exhausted; packets may still be on their way."""
        return not self._sources

    def set_timestamping(self, options: int) -> None:
        """setsockopt SO_TIMESTAMPING, for packets written from now on; OPT_ID begins with 0 when it is switched on.

        Without TX_HARDWARE those packets are stamped whose ``wants_timestamp`` says so, as with a control message.
        Keys number packets, as a datagram socket's do. ValueError, one line, for what makes no sense.
        """
        before, self.timestamping = self.timestamping, checked(options)
        if Timestamping.OPT_ID not in before:
            self._key = 0

    def send(self, source: Iterable[Skb] | Callable[[], Skb | None], on_done: Callable[[], None] | None = None) -> None:
        """Write all packets of a source, an iterable or a function that gives None at the end.

        Returns at once: the writes are a job of the clock's. Sources follow each other in order of the calls;
        ``on_done`` is called when this one's last packet has been written.
        """
        packets = iter(source, None) if callable(source) else iter(source)
        self._sources.append((packets, on_done))
        self._resume()

    def _resume(self) -> None:
        if not self._scheduled and not self._waiting:
            self._scheduled = True
            self._clock.call_at(self._clock.now_ns(), self._write)

    def _write(self) -> None:
        self._scheduled = False
        dev, sndbuf, priority, syscall_ns = self.dev, self.sndbuf, self.priority, self.syscall_ns
        for _ in range(self.batch):
            if not self._sources:
                return
            if self.wmem >= sndbuf:
                self._waiting = True
                self.waits += 1
                return
            source, on_done = self._sources[0]
            skb = next(source, None)
            if skb is None:
                self._sources.popleft()
                if on_done is not None:
                    on_done()
                continue
            if not skb.truesize:
                skb.truesize = linear_truesize(skb.len)
            if priority is not None:
                skb.priority = priority
            if syscall_ns:
                dev.charge(syscall_ns)
            skb.destructor = self._destructor
            self.wmem += skb.truesize
            self.packets += 1
            self.bytes += skb.len
            if self.timestamping:
                self._ask_for_stamps(skb)
            if self._transmit(skb) not in (XMIT_SUCCESS, XMIT_CN):
                self.dropped += 1
        self._resume()

    def _ask_for_stamps(self, skb: Skb) -> None:
        options, key = self.timestamping, 0
        if Timestamping.TX_HARDWARE in options:
            skb.wants_timestamp = True
        if Timestamping.OPT_ID in options and (skb.wants_timestamp or Timestamping.TX_SCHED in options):
            key, self._key = self._key, self._key + 1 & 0xFFFFFFFF
        if skb.wants_timestamp and Timestamping.RAW_HARDWARE in options:
            skb.on_stamp = partial(self._stamped, key)
        if Timestamping.TX_SCHED in options:
            self._report(TxTimestamp(key, StampKind.SCHED, self.dev.now_ns(), 0.0, skb))

    def _stamped(self, key: int, skb: Skb) -> None:
        """The driver has handed a packet's stamp back."""
        self._report(TxTimestamp(key, StampKind.SND, 0, skb.wire_ns, skb))

    def _report(self, message: TxTimestamp) -> None:
        without = Timestamping.OPT_TSONLY in self.timestamping
        self.error_queue.put(message._replace(skb=None) if without else message)

    def _free(self, skb: Skb) -> None:
        """A packet has ended: its room is free, and a waiting writer goes on once half of the buffer is."""
        self.wmem -= skb.truesize
        if self.on_free is not None:
            self.on_free(skb)
        if self._waiting and self.wmem < self.sndbuf >> 1:
            self._waiting = False
            self._resume()
