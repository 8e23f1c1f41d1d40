"""The socket buffer: what travels from a socket to the driver.

Checksum and segmentation requests use the fields of ``virtio_net_hdr`` (virtio 1.2, section 5.1.6), so that a
capture, a recorded vector and the driver describe a packet in the same words.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, IntFlag

from ringwire.sock import Sock


class GsoType(IntEnum):
    """``virtio_net_hdr.gso_type`` without the ECN flag."""

    NONE = 0
    TCPV4 = 1
    UDP = 3
    """UDP fragmentation offload: IPv4 fragments of one datagram."""
    TCPV6 = 4
    UDP_L4 = 5
    """UDP segmentation offload: one datagram a segment."""


GSO_ECN = 0x80
"""Flag or'd to ``gso_type`` on the wire format: the TCP header carries CWR."""


class CsumFlag(IntFlag):
    """``virtio_net_hdr.flags``, which end at 255."""

    NONE = 0
    NEEDS_CSUM = 1
    """The field at ``csum_start + csum_offset`` holds the pseudo-header sum and is to be completed."""
    NEEDS_CRC32C = 256
    """The field, of four bytes and zero, is to hold SCTP's CRC32c (RFC 9260), which no device here makes."""


class Tunnel(IntEnum):
    """What a packet is wrapped in; a checksum of the wrapping covers all that is in it."""

    NONE = 0
    UDP = 1
    """VXLAN, Geneve and the like, without a checksum of their own."""
    UDP_CSUM = 2
    GRE = 3
    GRE_CSUM = 4
    IPIP = 5
    """IP right behind IP."""


_SK_BUFF = 256
_SHARED_INFO = 320
_HEADROOM = 128
_SMALL_HEAD = 704


def linear_truesize(length: int) -> int:
    """Memory that Linux 6.12 charges for a packet of ``length`` bytes in one buffer, in bytes (x86-64).

    The buffer holds head room, the bytes and the shared info; it comes from the small-head cache or else from
    the next power of two (net/core/skbuff.c, kmalloc_reserve), and the sk_buff itself is added.
    """
    need = _HEADROOM + length + _SHARED_INFO
    return _SK_BUFF + (_SMALL_HEAD if need <= _SMALL_HEAD else max(1024, 1 << (need - 1).bit_length()))


@dataclass(slots=True, eq=False)
class Skb:
    """One packet on its way out.

    ``data`` holds the frame's bytes (Ethernet header first, no FCS) as one or more fragments in order;
    it may be empty where only the packet's figures matter (recorded qdisc traces).
    Lengths are bytes, times nanoseconds.
    """

    len: int
    data: tuple[bytes | memoryview, ...] = ()
    id: int = 0
    """Caller's number for this packet: flows through to statistics and recorded traces."""

    csum_flags: CsumFlag = CsumFlag.NONE
    csum_start: int = 0
    csum_offset: int = 0
    gso_type: GsoType = GsoType.NONE
    gso_ecn: bool = False
    gso_fixed_id: bool = False
    """All TCP segments have the IPv4 id of the packet, which must not allow fragments."""
    gso_size: int = 0
    gso_segs: int = 0
    hdr_len: int = 0
    """All headers, to the end of the TCP or UDP header whose data is cut; meaningful where ``gso_size`` is set."""
    tunnel: Tunnel = Tunnel.NONE
    """If not NONE, checksum and segmentation are asked for the packet inside."""
    inner_l3: int = 0
    """First byte of the IP header inside the tunnel."""

    priority: int = 0
    hash: int = 0
    mark: int = 0
    tc_index: int = 0
    """What a discipline or filter has noted for others (dsmark, gred): 16 bits."""
    tos: int = 0
    """IPv4 TOS byte or IPv6 traffic class; the low two bits are ECN."""
    vlan_tci: int | None = None
    queue_mapping: int = 0
    iif: int = 0
    """``ifindex`` of the device that it came in on, 0: it was made here (skb_iif)."""
    at_ingress: bool = False
    """The filters for what comes have it: ``pkt_len`` is without the link header."""
    tstamp: int = 0
    """Earliest departure time (EDT) on the host's clock, 0 = none."""
    enqueued_ns: int = 0
    qdisc_note: int = 0
    """What one discipline that holds the packet has to remember of it (its part of qdisc_skb_cb)."""
    pkt_len: int = 0
    """What a qdisc charges (qdisc_pkt_len): ``len`` plus the headers of further segments, then stab."""
    truesize: int = 0
    wants_timestamp: bool = False
    wire_ns: float = 0.0
    """First beat on the wire, handed back on completion where ``wants_timestamp`` is set; see :meth:`stamp`."""

    sk: Sock | None = None
    """The socket that sent it, where one is modelled; fq and etf look at it."""
    destructor: Callable[[Skb], None] | None = None
    """Called once when the packet is freed (sent or dropped): a socket's write memory."""
    on_stamp: Callable[[Skb], None] | None = None
    """Told of the stamp: a socket's error queue."""

    @property
    def is_gso(self) -> bool:
        return self.gso_size > 0

    def linear(self) -> bytes:
        """All fragments as one byte string."""
        return bytes(self.data[0]) if len(self.data) == 1 else b"".join(self.data)

    def stamp(self, wire_ns: float) -> None:
        """skb_tstamp_tx: the device's stamp, which a driver hands back before it frees the packet."""
        self.wire_ns = wire_ns
        if self.on_stamp is not None:
            self.on_stamp(self)

    def free(self) -> None:
        """Release the packet; the destructor runs exactly once."""
        destructor, self.destructor = self.destructor, None
        if destructor is not None:
            destructor(self)
