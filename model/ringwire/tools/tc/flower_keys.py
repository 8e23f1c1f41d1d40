"""The words of flower's keys, each read as what was said before it allows; after tc/f_flower.c of iproute2 6.1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ringwire.filter.dissect import IPPROTO_ICMP, IPPROTO_ICMPV6
from ringwire.filter.flower import FlowerParams, control_flags
from ringwire.packet import ETH_P_IP, ETH_P_IPV6, IPPROTO_SCTP, IPPROTO_TCP, IPPROTO_UDP, VLAN_TYPES
from ringwire.qdisc.classify import ETH_P_ALL
from ringwire.tools.tc.addresses import parse_ipv4_prefix, parse_ipv6_prefix, parse_mac
from ringwire.tools.tc.errors import PARSE_STATUS, TcError, invarg, said, take
from ringwire.tools.tc.protocols import parse_protocol
from ringwire.tools.units import parse_classid, parse_decimal, parse_hex
from ringwire.tools.words import Word, Words

IP_PROTOCOLS = {
    "tcp": IPPROTO_TCP,
    "udp": IPPROTO_UDP,
    "sctp": IPPROTO_SCTP,
    "icmp": IPPROTO_ICMP,
    "icmpv6": IPPROTO_ICMPV6,
}
WITH_PORTS = (IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP)
NOT_MODELLED = (
    "hw_tc", "mpls", "mpls_label", "mpls_tc", "mpls_bos", "mpls_ttl", "pppoe_sid", "ppp_proto", "arp_tip", "arp_sip",
    "arp_op", "arp_tha", "arp_sha", "enc_key_id", "enc_dst_ip", "enc_src_ip", "enc_dst_port", "enc_tos", "enc_ttl",
    "geneve_opts", "vxlan_opts", "erspan_opts", "gtp_opts", "ct_state", "ct_zone", "ct_mark", "ct_label",
)  # fmt: skip
ALL_U8, ALL_U16 = 0xFF, 0xFFFF
VID, PRIO, TCP_FLAGS = 0x0FFF, 0x7, 0x0FFF
ALL_MAC = 0xFFFF_FFFF_FFFF

Key = tuple[str, int, int]


class FlowerLine:
    """What was said up to now: the words after depend on it."""

    def __init__(self, protocol: int) -> None:
        self.eth_type = 0 if protocol == ETH_P_ALL else protocol
        self.vlan_type = self.cvlan_type = 0
        """Ethertypes behind the tags."""
        self.vlans = 0
        self.ip_proto = -1
        self.keys: dict[str, tuple[int, int]] = {}
        self.ranges: dict[str, tuple[int, int]] = {}
        self.indev = ""
        self.classid = 0
        self.actions: tuple[Any, ...] = ()

    @property
    def inner(self) -> int:
        """The innermost ethertype that is named."""
        return self.cvlan_type or self.vlan_type or self.eth_type

    def tagged(self) -> bool:
        return self.vlans > 0 or self.eth_type in VLAN_TYPES

    def tagged_twice(self) -> bool:
        return self.vlans > 1 or self.vlan_type in VLAN_TYPES

    def params(self) -> FlowerParams:
        keys = self.keys
        ethertype = self.eth_type
        if ethertype and self.tagged():
            keys["vlan_tpid"] = ethertype, ALL_U16
            ethertype = self.vlan_type
            if ethertype:
                keys["vlan_next"] = ethertype, ALL_U16
                if self.tagged_twice():
                    keys["cvlan_tpid"] = ethertype, ALL_U16
                    ethertype = self.cvlan_type
        if ethertype:
            keys["n_proto"] = ethertype, ALL_U16
        if ethertype not in (ETH_P_IP, ETH_P_IPV6):
            for name in ("tos", "ttl"):
                keys.pop(name, None)
        if self.ip_proto != IPPROTO_TCP:
            keys.pop("tcp_flags", None)
        return FlowerParams(
            tuple((name, value, mask) for name, (value, mask) in keys.items()),
            tuple((name, *self.ranges[name]) for name in sorted(self.ranges)),
            self.indev,
            self.classid,
            self.eth_type,
            self.actions,
        )


def _illegal(word: Word, name: str, before: str = "") -> TcError:
    return TcError(word, f'{before}Illegal "{name}"', status=PARSE_STATUS)


def _read(word: Word, name: str, parse: Callable[[str], int], most: int) -> int:
    try:
        value = parse(word.text)
    except ValueError:
        raise _illegal(word, name) from None
    if not 0 <= value <= most:
        raise _illegal(word, name)
    return value


def _masked(
    word: Word, name: str, parse: Callable[[str], int], parse_mask: Callable[[str], int], most: int
) -> tuple[int, int]:
    """``VALUE[/MASK]``."""
    text, slash, mask = word.text.partition("/")
    value = _read(Word(text, word.column), name, parse, most)
    return value, _read(Word(mask, word.column + len(text) + 1), name, parse_mask, most) if slash else most


def read_classid(words: Words, line: FlowerLine) -> None:
    line.classid = _read(take(words), "classid", parse_classid, 0xFFFF_FFFF)


def _indev(words: Words, line: FlowerLine) -> None:
    line.indev = take(words).text


def _number_key(
    field: str, name: str, most: int, wanted: str, allowed: Callable[[FlowerLine], bool]
) -> Callable[..., None]:
    """A decimal number that only makes sense behind tags."""

    def read(words: Words, line: FlowerLine) -> None:
        word = take(words)
        if not allowed(line):
            raise said(word, f'Can\'t set "{name}" if {wanted}')
        line.keys[field] = _read(word, name, parse_decimal, most), most

    return read


_ONE_TAG = "ethertype isn't 802.1Q or 802.1AD and num_of_vlans is 0"
_TWO_TAGS = "inner vlan ethertype isn't 802.1Q or 802.1AD and num_of_vlans is less than 2"


def _num_of_vlans(words: Words, line: FlowerLine) -> None:
    line.vlans = _read(take(words), "num_of_vlans", parse_decimal, ALL_U8)
    line.keys["vlans"] = line.vlans, ALL_U8


def _vlan_ethtype(words: Words, line: FlowerLine) -> None:
    word = take(words)
    if not line.tagged():
        raise said(word, f'Can\'t set "vlan_ethtype" if {_ONE_TAG}')
    line.vlan_type = _ethertype(word, "vlan_ethtype")


def _cvlan_ethtype(words: Words, line: FlowerLine) -> None:
    word = take(words)
    if not line.tagged_twice():
        text = "ethertype isn't 802.1Q or 802.1AD and num_of_vlans less than 2"
        raise said(word, f'Can\'t set "cvlan_ethtype" if {text}')
    line.cvlan_type = _ethertype(word, "cvlan_ethtype")


def _ethertype(word: Word, name: str) -> int:
    try:
        return parse_protocol(word.text)
    except ValueError:
        raise invarg(word, f"invalid {name}") from None


def _mac(field: str) -> Callable[[Words, FlowerLine], None]:
    def read(words: Words, line: FlowerLine) -> None:
        word = take(words)
        text, slash, mask = word.text.partition("/")
        try:
            bits = ALL_MAC
            if slash:
                bits = parse_mac(mask) if ":" in mask else ALL_MAC << 48 - int(mask) & ALL_MAC
            line.keys[field] = parse_mac(text), bits
        except ValueError:
            raise _illegal(word, field) from None

    return read


def _ip_proto(words: Words, line: FlowerLine) -> None:
    word = take(words)
    if line.inner not in (ETH_P_IP, ETH_P_IPV6):
        raise _illegal(word, "ip_proto", 'Illegal "eth_type" for ip proto\n')
    name = next((each for each in IP_PROTOCOLS if each.startswith(word.text)), None)
    if name is None:
        line.ip_proto = _read(word, "ip_proto", parse_hex, ALL_U8)
    else:
        line.ip_proto = IP_PROTOCOLS[name]
        if (name == "icmp" and line.inner != ETH_P_IP) or (name == "icmpv6" and line.inner != ETH_P_IPV6):
            raise _illegal(word, "ip_proto", 'Illegal "eth_type" for ip proto\n')
    line.keys["ip_proto"] = line.ip_proto, ALL_U8


def _parse_decimal_or_hex(text: str) -> int:
    try:
        value = parse_decimal(text)
    except ValueError:
        return parse_hex(text)
    return value if value <= ALL_U8 else parse_hex(text)


def _octet(field: str, name: str) -> Callable[[Words, FlowerLine], None]:
    def read(words: Words, line: FlowerLine) -> None:
        line.keys[field] = _masked(take(words), name, _parse_decimal_or_hex, parse_hex, ALL_U8)

    return read


def _address(field: str, name: str) -> Callable[[Words, FlowerLine], None]:
    def read(words: Words, line: FlowerLine) -> None:
        word = take(words)
        try:
            if line.inner == ETH_P_IP:
                value, mask = parse_ipv4_prefix(word.text)
                if "/" in word.text and "." in word.text.partition("/")[2] and ~mask & mask >> 1:
                    raise ValueError
                size, version = 32, 4
            elif line.inner == ETH_P_IPV6:
                address, bits = parse_ipv6_prefix(word.text)
                value, mask = int(address), (1 << 128) - (1 << 128 - bits)
                size, version = 128, 6
            else:
                raise _illegal(word, name)
        except ValueError as error:
            if isinstance(error, TcError):
                raise
            raise said(word, f'Error: inet prefix is expected rather than "{word.text}".') from None
        if mask:
            line.keys[field] = value, mask & (1 << size) - 1
            line.keys["version"] = version, ALL_U8

    return read


def _parse_port(text: str) -> int:
    return parse_hex(text) if text.startswith("0x") else parse_decimal(text)


def _port(field: str, name: str) -> Callable[[Words, FlowerLine], None]:
    def read(words: Words, line: FlowerLine) -> None:
        word = take(words)
        if line.ip_proto not in WITH_PORTS:
            raise _illegal(word, name)
        least, dash, most = word.text.partition("-")
        line.keys.pop(field, None)
        line.ranges.pop(field, None)
        if not dash:
            line.keys[field] = _masked(word, name, _parse_port, _parse_port, ALL_U16)
            return
        low = _read(Word(least, word.column), name, _parse_port, ALL_U16)
        high = _read(Word(most, word.column + len(least) + 1), name, _parse_port, ALL_U16)
        if low >= high:
            raise _illegal(word, name, "max value should be greater than min value\n")
        line.ranges[field] = low, high

    return read


def _tcp_flags(words: Words, line: FlowerLine) -> None:
    line.keys["tcp_flags"] = _masked(take(words), "tcp_flags", parse_hex, parse_hex, TCP_FLAGS)


def _icmp(field: str) -> Callable[[Words, FlowerLine], None]:
    def read(words: Words, line: FlowerLine) -> None:
        word = take(words)
        if line.ip_proto not in (IPPROTO_ICMP, IPPROTO_ICMPV6):
            raise _illegal(word, f"icmp {field}")
        line.keys[field] = _masked(word, f"icmp {field}", parse_decimal, parse_decimal, ALL_U8)

    return read


def _ip_flags(words: Words, line: FlowerLine) -> None:
    word = take(words)
    found: dict[str, bool] = {}
    for part in word.text.split("/"):
        name = part.removeprefix("no")
        if name not in ("frag", "firstfrag"):
            raise _illegal(word, "ip_flags")
        found[name] = name == part
    flags = control_flags(found.get("frag"), found.get("firstfrag"))
    assert flags is not None
    line.keys["ctl"] = flags


def _nothing(words: Words, line: FlowerLine) -> None:
    """A word that asks for something of hardware, or of the log."""


KEYS: dict[str, Callable[[Words, FlowerLine], None]] = {
    "classid": read_classid,
    "ip_flags": _ip_flags,
    "indev": _indev,
    "verbose": _nothing,
    "skip_hw": _nothing,
    "skip_sw": _nothing,
    "num_of_vlans": _num_of_vlans,
    "vlan_id": _number_key("vlan_id", "vlan_id", VID, _ONE_TAG, FlowerLine.tagged),
    "vlan_prio": _number_key("vlan_prio", "vlan_prio", PRIO, _ONE_TAG, FlowerLine.tagged),
    "vlan_ethtype": _vlan_ethtype,
    "cvlan_id": _number_key("cvlan_id", "cvlan_id", VID, _TWO_TAGS, FlowerLine.tagged_twice),
    "cvlan_prio": _number_key("cvlan_prio", "cvlan_prio", PRIO, _TWO_TAGS, FlowerLine.tagged_twice),
    "cvlan_ethtype": _cvlan_ethtype,
    "dst_mac": _mac("dst_mac"),
    "src_mac": _mac("src_mac"),
    "ip_proto": _ip_proto,
    "ip_tos": _octet("tos", "ip_tos"),
    "ip_ttl": _octet("ttl", "ip_ttl"),
    "dst_ip": _address("dst", "dst_ip"),
    "src_ip": _address("src", "src_ip"),
    "dst_port": _port("dport", "dst_port"),
    "src_port": _port("sport", "src_port"),
    "tcp_flags": _tcp_flags,
    "type": _icmp("type"),
    "code": _icmp("code"),
}
"""In the order in which abbreviations are tried."""
ALONE = ("verbose", "skip_hw", "skip_sw")
