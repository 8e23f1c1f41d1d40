"""Super-packets of every shape that a host may send, drawn by hypothesis, and what software makes of them.

A packet is drawn by its structure (protocol, lengths, MSS, where it is divided), which shrinks to the simplest that
still fails; what fills it comes from one number.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from itertools import pairwise
from random import Random

from hypothesis import strategies as st

from ringwire import gso
from ringwire.nic.descriptors import DescFlag, SegType, pack_offload
from ringwire.nic.pacer import MIN_FRAME
from ringwire.nic.registers import MAX_BUFFER, MAX_HEADER, MAX_MSS, MAX_PAYLOAD
from ringwire.packet import IPV6_HLEN
from ringwire.skb import CsumFlag, GsoType, Skb
from scripts.record_gso import OUTER, TAG, padding
from tests.conformance.test_gso_device import Post
from tests.frames import TCP, UDP, Frame, balanced

QUEUES = 4
MOST_PACKETS = 100
"""Of a batch."""
MOST_SEGMENTS = 250
"""Or so, but for USO, of which software cuts fewer; how many more there may be is another test's."""
MOST_CUTS = 30
MOST_UDP = 65_000
"""Bytes of a datagram's payload, whatever options its IP header has."""
FIN_PSH = 0x09
DF = 0x4000
USUAL_MSS = (536, 1220, 1448, 1460, 8948)
GSO_TYPES = {
    SegType.TCP4: GsoType.TCPV4,
    SegType.TCP6: GsoType.TCPV6,
    SegType.UDP4: GsoType.UDP_L4,
    SegType.UDP6: GsoType.UDP_L4,
    SegType.UFO4: GsoType.UDP,
}
SIX = (SegType.TCP6, SegType.UDP6)


class Fill(Enum):
    """What a payload's bytes are."""

    ZEROS = 0
    ONES = 1
    """All bits set: sums that carry the most."""
    RANDOM = 2
    SUM_ZERO = 3
    """Random, but so that the first segment's checksum comes to 0."""


@dataclass(frozen=True)
class Super:
    """A packet to be cut."""

    kind: SegType = SegType.TCP4
    payload: int = 1
    """Bytes behind its TCP or UDP header."""
    mss: int = 1
    tags: int = 0
    """802.1Q and 802.1ad headers in the frame."""
    tci: int | None = None
    """Of a tag that the device is to insert."""
    ip_words: int = 0
    """Of IPv4 options, 4 bytes each, or of IPv6 extension headers, 8 bytes each."""
    tcp_words: int = 0
    """Of TCP options, 4 bytes each."""
    flags: int = 0
    seq: int = 0
    ident: int = 0
    id_fixed: bool = False
    partial: bool = False
    """The checksum is left to a device behind."""
    fill: Fill = Fill.ZEROS
    seed: int = 0
    """Of ports, addresses, options and random bytes."""
    cuts: tuple[int, ...] = ()
    """Where it is divided into fragments, bytes."""
    more_cuts: int = 0
    """As many further places, which come from the seed."""
    queue: int = 0

    @property
    def protocol(self) -> int:
        return TCP if self.kind in (SegType.TCP4, SegType.TCP6) else UDP

    def frame(self) -> Frame:
        """The packet, with the sum of its pseudo-header as checksum; UFO has it complete, as the driver makes it."""
        random, six, tcp = Random(self.seed), self.kind in SIX, self.protocol == TCP
        hops = random.randint(0, self.ip_words)
        chain = [padding(*each) for each in ((0, 8 * hops), (60, 8 * (self.ip_words - hops))) if each[1]]
        frame = Frame(
            6 if six else 4,
            self.protocol,
            vlans=((), (TAG,), (OUTER, TAG))[self.tags],
            ip_options=b"" if six else random.randbytes(4 * self.ip_words),
            extensions=tuple(chain) if six else (),
            l4_options=random.randbytes(4 * self.tcp_words) if tcp else b"",
            source=random.randbytes(16 if six else 4),
            destination=random.randbytes(16 if six else 4),
            ports=(random.randrange(2**16), random.randrange(2**16)),
            seq=self.seq,
            ack=random.randrange(2**32),
            flags=self.flags,
            reserved=random.randrange(2**4),
            urgent=random.randrange(2**16),
            ident=self.ident,
            fragment=DF if self.id_fixed else random.choice((0, DF)),
            tos=random.randrange(2**8),
            flow_label=random.randrange(2**20),
            # BIG TCP
            ip_len=0 if self.payload > MOST_UDP else None,
        )
        filled = {Fill.ZEROS: b"\0", Fill.ONES: b"\xff"}.get(self.fill)
        frame.payload = random.randbytes(self.payload) if filled is None else filled * self.payload
        if self.fill is Fill.SUM_ZERO and min(self.mss, self.payload) > 1 and self.kind is not SegType.UFO4:
            more = self.payload > self.mss
            first = replace(
                frame, payload=frame.payload[: self.mss], flags=self.flags & ~FIN_PSH if more else self.flags
            )
            frame.payload = balanced(first).payload + frame.payload[self.mss :]
        return frame.completed(0xFFFF) if self.kind is SegType.UFO4 else frame

    def header(self, frame: Frame) -> int:
        """Bytes of the header that each segment has."""
        return frame.l4 if self.kind is SegType.UFO4 else frame.payload_at

    def offload(self, frame: Frame) -> bytes:
        """The descriptor that asks for it to be cut."""
        return pack_offload(
            self.kind,
            self.mss,
            self.header(frame),
            frame.l3,
            frame.l4,
            id_fixed=self.id_fixed,
            csum_partial=self.partial,
        )

    def wanted(self) -> list[bytes]:
        """Its segments by ``ringwire.gso``, as they are on the wire."""
        frame = self.frame()
        data = frame.build()
        if len(data) - self.header(frame) > self.mss:
            skb = Skb(
                len(data),
                (data,),
                csum_flags=CsumFlag.NEEDS_CSUM,
                csum_start=frame.l4,
                csum_offset=frame.csum_offset,
                gso_type=GSO_TYPES[self.kind],
                gso_size=self.mss,
                gso_fixed_id=self.id_fixed,
                hdr_len=frame.payload_at,
            )
            out = [one.linear() for one in gso.segment(skb, complete=not self.partial)]
        elif self.kind is SegType.UFO4:
            out = [replace(frame, fragment=0).build()]
        else:
            # software never sees such a one as a super-packet; the device knows no difference
            out = [data if self.partial else frame.completed(0 if self.protocol == TCP else 0xFFFF).build()]
        if self.tci is not None:
            tag = b"\x81\x00" + self.tci.to_bytes(2, "big")
            out = [one[:12] + tag + one[12:] for one in out]
        return [one.ljust(MIN_FRAME, b"\0") for one in out]

    def post(self) -> Post:
        """It as it is handed to the device."""
        frame = self.frame()
        data = frame.build()
        more = Random(self.seed).choices(range(1, len(data)), k=self.more_cuts)
        cuts = sorted({*self.cuts, *more, *range(MAX_BUFFER, len(data), MAX_BUFFER)})
        pieces = tuple(data[begin:end] for begin, end in pairwise([0, *cuts, len(data)]))
        return Post(pieces, self.offload(frame), 0 if self.tci is None else DescFlag.VLAN, (self.tci or 0) << 16)


@dataclass(frozen=True)
class Batch:
    """Packets that are posted as soon as their queue has room."""

    packets: tuple[Super, ...]
    rate_bps: int = 0
    """0: the pacer is open."""
    jitter_ns: int = 0
    read_stalls: float = 0.0


FULL = 40
"""Segments of a packet that are all full, at most."""


def evenly(low: int, high: int) -> st.SearchStrategy[int]:
    """A number of a range, each as likely: hypothesis's own are mostly small ones."""
    byte = st.integers(0, 2**8 - 1)
    return st.tuples(byte, byte).map(lambda drawn: low + (drawn[0] << 8 | drawn[1]) * (high - low + 1) // 2**16)


FEW, SOME, MANY, MOST = evenly(1, 200), evenly(200, 3_000), evenly(3_000, 20_000), evenly(MOST_UDP, MAX_PAYLOAD)


def sizes(turn: int) -> st.SearchStrategy[int]:
    """Bytes of payload, 100 turns: mostly few, now and then as many as there may be."""
    return FEW if turn < 40 else SOME if turn < 85 else MANY if turn < 98 else MOST


def fit(drawn: Super) -> Super:
    """The legal packet that is nearest to one drawn without care.

    ``mss`` below 0 stands for as many full segments; ``cuts`` may lie behind the end, and then count from the start.
    """
    ufo, six, tcp = drawn.kind is SegType.UFO4, drawn.kind in SIX, drawn.protocol == TCP
    payload = min(drawn.payload, MAX_PAYLOAD if tcp else MOST_UDP)
    to_cut = payload + 8 * ufo
    least = -(-to_cut // (gso.UDP_MAX_SEGMENTS if not (tcp or ufo) else MOST_SEGMENTS))
    mss = min(max(drawn.mss if drawn.mss > 0 else to_cut // -drawn.mss, least), MAX_MSS)
    tcp_words = drawn.tcp_words if tcp else 0
    l4_hlen = 20 + 4 * tcp_words if tcp else 8
    room = MAX_HEADER - 14 - 4 * drawn.tags - IPV6_HLEN - l4_hlen
    ip_words = min(drawn.ip_words, room // 8 if six else 10)
    total = 14 + 4 * drawn.tags + (IPV6_HLEN + 8 * ip_words if six else 20 + 4 * ip_words) + l4_hlen + payload
    return replace(
        drawn,
        payload=payload,
        mss=max(8, mss & ~7) if ufo else mss,
        ip_words=ip_words,
        tcp_words=tcp_words,
        flags=drawn.flags if tcp else 0,
        seq=drawn.seq if tcp else 0,
        ident=0 if six else drawn.ident,
        cuts=tuple(sorted({1 + cut % (total - 1) for cut in drawn.cuts})),
    )


def near(end: int) -> st.SearchStrategy[int]:
    """A number below ``end``, often one that wraps in a few segments."""
    return st.integers(0, end - 1) | st.integers(end - 255, end - 1)


SUPERS = st.builds(
    Super,
    kind=st.sampled_from(list(GSO_TYPES)),
    payload=st.integers(0, 99).flatmap(sizes),
    mss=evenly(1, 200) | st.sampled_from(USUAL_MSS) | st.integers(-FULL, -1) | evenly(1, MAX_MSS),
    tags=st.integers(0, 2),
    tci=st.none() | st.integers(0, 2**16 - 1),
    ip_words=st.just(0) | st.integers(0, 20),
    tcp_words=st.integers(0, 10),
    flags=st.integers(0, 2**8 - 1),
    seq=near(2**32),
    ident=near(2**16),
    id_fixed=st.booleans(),
    partial=st.booleans(),
    fill=st.sampled_from(Fill),
    seed=st.integers(0, 2**16 - 1),
    cuts=st.lists(st.integers(0, 150) | evenly(0, MAX_PAYLOAD), max_size=6),
    more_cuts=st.just(0) | st.integers(0, MOST_CUTS),
    queue=st.integers(0, QUEUES - 1),
).map(fit)
"""What is drawn is little, and strategies are made once: 100 packets are as much as hypothesis keeps of an example."""


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """Mostly of :data:`MOST_PACKETS` packets.

    Whether there is one more is drawn before each, and not how many there are: so they can be left out one by one.
    """
    knobs = draw(RATES), draw(JITTERS), draw(STALLS)
    packets: list[Super] = []
    while len(packets) < MOST_PACKETS and (draw(ONE_MORE) or draw(ONE_MORE)):
        packets.append(draw(SUPERS))
    return Batch(tuple(packets), *knobs)


RATES = st.sampled_from((0, 10**10, 10**11))
JITTERS = st.sampled_from((0, 300))
STALLS = st.sampled_from((0.0, 0.3))
ONE_MORE = st.integers(0, 2**8 - 1)
"""Twice 0: no more. Once would be often, as hypothesis likes what is at an end of a range."""
