"""Record what the running Linux kernel makes of super-packets, as a file of vectors (format ``txoracle-gso-1``).

Tunnels are beyond that format: their cases have ``tunnel``, with the kind and the place of the inner IP header.
"""

from __future__ import annotations

import argparse
import gzip
import json
import platform
import re
import struct
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

from ringwire.skb import GsoType
from scripts.kernel_lab import KernelLab, LabError, Request
from tests.frames import GRE, TCP, UDP, Frame, Shell, balanced

FIN, PSH, ACK, URG, ECE, CWR = 0x01, 0x08, 0x10, 0x20, 0x40, 0x80
DF = 0x4000
LOOSE_UDP = 0
"""Fragment field of a datagram that may be cut into fragments."""


class RecordError(Exception):
    """The record can't be made; the text is one line."""


def octets(size: int) -> bytes:
    """Payload that tells places apart and compresses well: a period of 251 bytes, which is a prime."""
    return (bytes(n * n % 251 for n in range(251)) * (size // 251 + 1))[:size]


NOPS = b"\1" * 39 + b"\0"
RECORD_ROUTE = bytes((7, 39, 4)) + bytes(37)
STAMPS = b"\1\1\10\n" + bytes(range(1, 9))
TCP_FULL = b"\1\1\5\42" + bytes(range(100, 132)) + b"\1\1\1\0"
"""40 bytes: SACK blocks and padding."""
TAG, OUTER = (0x8100, 0x6005), (0x88A8, 100)
ROUTING = (43, bytes((0, 2, 2, 1, 0, 0, 0, 0)) + bytes(range(200, 216)))
"""Type 2 with a hop left, whose address is the pseudo-header's."""


def padding(number: int, size: int) -> tuple[int, bytes]:
    """A hop-by-hop (0) or destination (60) options header of ``size`` bytes, a multiple of 8 up to 256: PadN alone."""
    return number, bytes((0, size // 8 - 1, 1, size - 4)) + bytes(size - 4)


def jumbo(payload: int) -> tuple[int, bytes]:
    """The hop-by-hop header of a jumbogram with ``payload`` bytes behind it (RFC 2675)."""
    return 0, bytes((0, 0, 0xC2, 4)) + struct.pack("!I", payload + 8)


def big(version: int, payload: int, marked: bool = False, **fields: Any) -> Frame:
    """A BIG TCP packet: its IP length is 0; over IPv6 maybe marked with a jumbo payload option."""
    extensions = (jumbo(payload + 20),) if marked else ()
    return Frame(version, payload=octets(payload), ip_len=0, extensions=extensions, **fields)


def requests() -> Iterator[tuple[str, Request]]:
    """(group, request) of every case. Nothing is random; small packets come in both modes."""
    for group, request in _both_modes():
        yield group, request
        yield group, replace(request, partial=True)
    yield from _flags()
    yield from _large()
    yield from _tunnels()


def _both_modes() -> Iterator[tuple[str, Request]]:
    tags: tuple[tuple[tuple[int, int], ...], ...] = ((), (TAG,), (OUTER, TAG))

    for protocol, vlans in product((TCP, UDP), tags):
        frame = Frame(4, protocol, octets(1600), vlans, l4_options=TCP_FULL if protocol == TCP else b"")
        yield "longhdr", Request(replace(frame, ip_options=NOPS), 536)
        frame = Frame(6, protocol, octets(1600), vlans, l4_options=frame.l4_options)
        yield "longhdr", Request(replace(frame, extensions=(padding(0, 16), padding(60, 64))), 333)
    yield "longhdr", Request(Frame(payload=octets(7), ip_options=NOPS, l4_options=TCP_FULL, vlans=tags[2]), 1)
    # 254 bytes are the most, up to 256, that the alignment of the headers allows.
    longest = Frame(6, payload=octets(999), l4_options=TCP_FULL[:36])
    yield "longhdr", Request(replace(longest, extensions=(padding(0, 144),)), 400)
    yield "longhdr", Request(replace(longest, extensions=(padding(60, 144),)), 400)
    routed = (padding(0, 24), ROUTING, padding(60, 128))
    yield "longhdr", Request(Frame(6, payload=octets(999), extensions=routed, final=ROUTING[1][8:]), 400)
    yield "longhdr", Request(Frame(6, UDP, octets(999), extensions=(padding(0, 64), padding(60, 128))), 400)

    for version in (4, 6):
        for count in (2, 128):
            yield "uso", Request(Frame(version, UDP, octets(count)), 1)
        for vlans in tags[1:]:
            yield "uso", Request(Frame(version, UDP, octets(3), vlans=vlans), 1)
            yield "uso", Request(Frame(version, UDP, octets(4001), vlans=vlans, fragment=LOOSE_UDP), 1000)
        yield "exact", Request(Frame(version, UDP, octets(3000)), 1000)
        yield "tail", Request(Frame(version, UDP, octets(3001)), 1000)
        for l4_options in (b"", STAMPS):
            yield "exact", Request(Frame(version, payload=octets(2000), l4_options=l4_options, flags=ACK | PSH), 500)
            yield "tail", Request(Frame(version, payload=octets(2001), l4_options=l4_options, flags=ACK | FIN), 500)
        yield "tail", Request(Frame(version, payload=octets(2)), 1)
        for seq in (2**32 - 1, 2**32 - 500, 2**32 - 501, 2**32 - 1000):
            yield "seqwrap", Request(Frame(version, payload=octets(1501), seq=seq), 500)

    for ident, protocol, fragment in product((0xFFFF, 0xFFFE), (TCP, UDP), (0, DF)):
        yield "ipid", Request(Frame(protocol=protocol, payload=octets(401), ident=ident, fragment=fragment), 100)

    datagram = Frame(4, UDP, octets(3000), fragment=LOOSE_UDP)
    for size in (1, 7, 8, 999, 1001, 1480, 1504, 3000, 3007):
        short = replace(datagram, payload=octets(50)) if size < 9 else datagram
        yield "ufo", Request(short, size, GsoType.UDP)
    for frame in (
        replace(datagram, ip_options=NOPS),
        replace(datagram, ip_options=RECORD_ROUTE, vlans=(TAG,)),
        replace(datagram, ip_options=b"\1\1\1\0", vlans=(OUTER, TAG)),
        replace(datagram, vlans=(TAG,), payload=octets(2993)),
        replace(datagram, fragment=DF, ident=0xFFFF, payload=octets(2992)),
    ):
        yield "ufo", Request(frame, 1000, GsoType.UDP)

    yield from _zero_sums()

    for version, vlans in product((4, 6), tags):
        # A length of its own keeps the first segment's sum from being the whole packet's.
        frame = Frame(version, payload=octets(1303), vlans=vlans, l4_options=STAMPS)
        yield "fullcsum", Request(frame, 400, asks_csum=False)
        yield "csumonly", Request(frame)
        yield "fits", Request(frame, 1303 + len(STAMPS))
    routed_on = Frame(6, payload=octets(1303), extensions=(ROUTING,), final=ROUTING[1][8:])
    yield "fullcsum", Request(routed_on, 400, asks_csum=False)


def _zero_sums() -> Iterator[tuple[str, Request]]:
    """Sums that come out as zero: whole L4 checksums, pseudo-header sums, IPv4 header checksums."""
    for version, protocol in product((4, 6), (TCP, UDP)):
        first = balanced(Frame(version, protocol, octets(64), fragment=LOOSE_UDP))
        yield "zero", Request(first)
        cut = replace(first, payload=first.payload + octets(33))
        yield "zero", Request(cut, 64)
        if (version, protocol) == (4, UDP):
            yield "zero", Request(first, 40, GsoType.UDP)
        no_source = replace(cut, source=bytes(len(cut.source)))
        pseudo = 0xFFFF - protocol - cut.l4_hlen - 64
        yield "zero", Request(replace(no_source, destination=pseudo.to_bytes(len(cut.source), "big")), 64)
    for protocol in (TCP, UDP):
        frame = Frame(4, protocol, octets(300), ident=0)
        shorter = replace(frame, payload=frame.payload[:100]).build()
        ident = int.from_bytes(shorter[frame.l3 + 10 : frame.l3 + 12], "big")
        yield "zero", Request(replace(frame, ident=ident - 1), 100)


def _flags() -> Iterator[tuple[str, Request]]:
    """Every set of CWR, ECE, FIN, PSH and URG on two, three and many segments, in turn of each version and mode."""
    for number, (cwr, ece, fin, psh, urg, payload) in enumerate(
        product((0, CWR), (0, ECE), (0, FIN), (0, PSH), (0, URG), (128, 129, 700))
    ):
        frame = Frame(
            6 if number % 2 else 4,
            payload=octets(payload),
            flags=ACK | cwr | ece | fin | psh | urg,
            urgent=77 if urg else 0,
            reserved=number % 16,
        )
        yield "flags", Request(frame, 64, ecn=bool(cwr) and number % 4 < 2, partial=number % 8 > 3)


def _large() -> Iterator[tuple[str, Request]]:
    """Up to what Linux gives a socket (524,280 bytes), few of each: the bytes of a record add up."""
    for version, size in ((4, 8949), (6, 9000), (4, 16384), (6, 32768), (4, 60_001)):
        partial = size in (9000, 16384)
        yield "bigmss", Request(Frame(version, payload=octets(65_400)), size, partial=partial)
    # The longest frames that the lengths of IPv4 and IPv6 can tell.
    yield "bigmss", Request(big(4, 66_000), 65_535 - 40)
    yield "bigmss", Request(big(4, 66_000, ip_options=NOPS, l4_options=TCP_FULL), 65_535 - 120)
    yield "bigmss", Request(big(6, 66_000, marked=True), 65_535 - 20, partial=True)
    for version, size in ((4, 20_000), (6, 63_000)):
        yield "uso", Request(Frame(version, UDP, octets(65_000), vlans=(TAG,)), size, partial=version == 6)
    for size in (1480, 65_000):
        yield "ufo", Request(Frame(4, UDP, octets(65_507), fragment=LOOSE_UDP), size, GsoType.UDP)

    for marked in (True, False):
        yield "bigtcp", Request(big(6, 65_536, marked), 1428)
        yield "bigtcp", Request(big(6, 70_001, marked), 8948, partial=True)
        yield "bigtcp", Request(big(6, 262_144, marked), 32_768)
    # From 65,537 bytes on, IPv6 header included, Linux looks for the option.
    for payload in (65_468, 65_469):
        yield "bigtcp", Request(big(6, payload, marked=True), 9000)
    yield "bigtcp", Request(big(6, 524_280, marked=True), 60_000)
    yield "bigtcp", Request(big(6, 70_001, marked=True, vlans=(TAG,)), 8948)
    stated = replace(big(6, 70_001, marked=True), ip_len=1)
    yield "bigtcp", Request(stated, 8948)
    for payload in (65_536, 262_144):
        yield "bigtcp", Request(big(4, payload), 8948, partial=payload == 65_536)


VXLAN = bytes.fromhex("0800000000012300")
GENEVE = bytes.fromhex("0100655800012300 01028000")
"""With an option of no length."""
KEYED = bytes.fromhex("20006558 00000123")
"""A GRE header with a key, before an Ethernet frame."""


def gre(version: int) -> bytes:
    """A GRE header right before an IP header."""
    return b"\0\0" + (b"\x08\0" if version == 4 else b"\x86\xdd")


def shells(version: int) -> Iterator[Shell]:
    """Tunnels of every kind that the kernel can be asked about, around a packet of an IP version."""
    for outer_version in (4, 6):
        outer = Frame(outer_version, source=bytes(range(90, 94 if outer_version == 4 else 106)), ident=0xFFFE)
        if outer_version == 4:
            # An IPv6 packet goes without a checksum only by the user's word (RFC 6935).
            yield Shell(replace(outer, protocol=UDP, ports=(50_000, 4789), checksum=0), VXLAN, True)
        yield Shell(replace(outer, protocol=UDP, ports=(50_001, 4789)), VXLAN, True)
        yield Shell(replace(outer, protocol=UDP, ports=(50_002, 6081), tos=3), GENEVE, True)
        yield Shell(replace(outer, protocol=GRE), gre(version))
        yield Shell(replace(outer, protocol=GRE), KEYED, True)
        yield Shell(replace(outer, protocol=0, tos=0x2E << 2))


def _tunnels() -> Iterator[tuple[str, Request]]:
    for version in (4, 6):
        frame = Frame(version, payload=octets(3001), l4_options=STAMPS, flags=ACK | PSH | FIN | CWR, seq=2**32 - 1000)
        for shell in shells(version):
            yield "tunnel", Request(frame, 1000, shell=shell)
            if shell.ethernet and shell.outer.protocol == UDP:
                yield "tunnel", Request(replace(frame, vlans=(TAG,)), 1000, ecn=True, shell=shell)
                yield "tunnel", Request(Frame(version, UDP, octets(3001)), 999, shell=shell)
                yield "tunnel", Request(frame, 1000, shell=replace(shell, outer=replace(shell.outer, vlans=(TAG,))))
                yield "tunnel", Request(frame, 1000, partial=True, shell=shell)
            if version == 4 and shell.outer.protocol != UDP and not shell.ethernet:
                options = replace(shell, outer=replace(shell.outer, ip_options=NOPS))
                yield "tunnel", Request(frame, 7, shell=options if shell.outer.version == 4 else shell)


def params(request: Request) -> dict[str, object]:
    """How the input was built, in the words of the other files of this format; payload is :func:`octets`."""
    frame = request.frame
    said: dict[str, object] = {
        "v": frame.version,
        "l4": "udp" if frame.protocol == UDP else "tcp",
        "sport": frame.ports[0],
        "dport": frame.ports[1],
        "seq": frame.seq,
        "ack": frame.ack,
        "flags": frame.flags,
        "urg": frame.urgent,
        "tos": frame.tos,
        "ipid": frame.ident,
        "df": int(bool(frame.fragment & DF)),
        "flow": frame.flow_label,
        "mss": request.size,
        "src": frame.source.hex(),
        "dst": frame.destination.hex(),
        "payload_len": len(frame.payload),
    }
    where_it_applies: dict[str, object] = {
        "vlan": frame.vlans,
        "ipopt": frame.ip_options.hex(),
        "ext": [(number, header.hex()) for number, header in frame.extensions],
        "tcpopt": frame.l4_options.hex(),
        "ae": frame.reserved,
        "ecnflag": int(request.ecn),
        "ufo": int(request.gso_type == GsoType.UDP),
        "nogso": int(request.size == 0),
        "fullcsum": int(not request.asks_csum),
    }
    said |= {name: value for name, value in where_it_applies.items() if value}
    if frame.ip_len is not None:
        said["ip_len"] = frame.ip_len
    return said


def case(number: int, group: str, request: Request) -> dict[str, Any]:
    """A case but for what comes out."""
    kind = f"{'udp' if request.frame.protocol == UDP else 'tcp'}{request.frame.version}"
    entry = {
        "name": f"{group}-{kind}-{number:04}",
        "group": group,
        "mode": "partial" if request.partial else "full",
        "params": params(request),
        "vnet": request.vnet,
        "in": request.data.hex(),
    }
    return entry if request.tunnel is None else entry | {"tunnel": request.tunnel}


def record(name: str) -> dict[str, Any]:
    """The document of the set ``name``; :class:`RecordError` names a packet that the kernel refuses."""
    cases = []
    with KernelLab() as lab:
        for number, (group, request) in enumerate(requests(), 1):
            entry = case(number, group, request)
            outcomes = lab.ask(request)
            if not outcomes:
                raise RecordError(f"{entry['name']}: the kernel refuses the packet")
            entry["out"] = [outcome.data.hex() for outcome in outcomes]
            if request.partial:
                entry["out_vnet"] = [outcome.vnet for outcome in outcomes]
            cases.append(entry)
    return {
        "format": "txoracle-gso-1",
        "set": name,
        "kernel": platform.release(),
        "producer": "scripts/record_gso.py (TAP+bridge, software GSO)",
        "cases": cases,
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.record_gso", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path, help="gso_<set>.json.gz, which is written; needs root and /dev/net/tun")
    path: Path = parser.parse_args().file
    named = re.fullmatch(r"gso_(\w+)\.json\.gz", path.name)
    if not named:
        print(f"record_gso: {path}: allowed: names like gso_more.json.gz", file=sys.stderr)
        return 2
    try:
        document = record(named[1])
        text = json.dumps(document, separators=(",", ":")).encode()
        path.write_bytes(gzip.compress(text, mtime=0))
    except (LabError, RecordError, OSError) as error:
        print(f"record_gso: {error}", file=sys.stderr)
        return 1
    frames = sum(len(entry["out"]) for entry in document["cases"])
    print(f"{path}: {len(document['cases'])} cases, {frames:,} frames, {path.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
