"""How flower's keys are printed; after tc/f_flower.c of iproute2 6.1."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from ringwire.filter.dissect import FIRST_FRAGMENT, FRAGMENT, IPPROTO_ICMP, IPPROTO_ICMPV6
from ringwire.filter.flower import FlowerParams
from ringwire.packet import IPPROTO_SCTP, IPPROTO_TCP, IPPROTO_UDP
from ringwire.tools.tc.addresses import format_mac, mask_bits
from ringwire.tools.tc.output import Output
from ringwire.tools.tc.protocols import format_protocol
from ringwire.tools.units import format_classid

ETHERTYPES = {0x0800: "ipv4", 0x86DD: "ipv6", 0x0806: "arp", 0x8035: "rarp"}
IP_PROTOCOLS = {
    IPPROTO_TCP: "tcp",
    IPPROTO_UDP: "udp",
    IPPROTO_SCTP: "sctp",
    IPPROTO_ICMP: "icmp",
    IPPROTO_ICMPV6: "icmpv6",
}


def show_flower(out: Output, handle: int, params: FlowerParams) -> None:
    """All but the actions."""
    keys = {name: (value, mask) for name, value, mask in params.keys}
    ranges = {name: (least, most) for name, least, most in params.ranges}
    out.item("handle", f"handle 0x{handle:x} ", handle)
    if params.classid:
        out.item("classid", f"classid {format_classid(params.classid)} ", format_classid(params.classid))
    if params.indev:
        out.item("indev", f"\n  indev {params.indev}", params.indev)
    inner = out.nested("keys")
    for field, name in (("vlans", "num_of_vlans"), ("vlan_id", "vlan_id"), ("vlan_prio", "vlan_prio")):
        if field in keys:
            inner.item(name, f"\n  {name} {keys[field][0]}", keys[field][0])
    if "vlan_next" in keys:
        _ethertype(inner, "vlan_ethtype", keys["vlan_next"][0])
    for field in ("cvlan_id", "cvlan_prio"):
        if field in keys:
            inner.item(field, f"\n  {field} {keys[field][0]}", keys[field][0])
    if "cvlan_tpid" in keys and "n_proto" in keys:
        _ethertype(inner, "cvlan_ethtype", keys["n_proto"][0])
    for field in ("dst_mac", "src_mac"):
        if field in keys:
            text = _mac(*keys[field])
            inner.item(field, f"\n  {field} {text}", text)
    if "n_proto" in keys:
        ethertype = keys["n_proto"][0]
        name = ETHERTYPES.get(ethertype, f"{ethertype:04x}")
        inner.item("eth_type", f"\n  eth_type {name}", name)
    if "ip_proto" in keys:
        number = keys["ip_proto"][0]
        name = IP_PROTOCOLS.get(number, f"{number:02x}")
        inner.item("ip_proto", f"\n  ip_proto {name}", name)
    for field, name in (("tos", "ip_tos"), ("ttl", "ip_ttl")):
        if field in keys:
            _masked(inner, name, *keys[field], 0xFF)
    for field, name in (("dst", "dst_ip"), ("src", "src_ip")):
        if field in keys:
            text = _address(*keys[field], keys["version"][0])
            inner.item(name, f"\n  {name} {text}", text)
    for field, name in (("dport", "dst_port"), ("sport", "src_port")):
        if field in keys:
            _masked(inner, name, *keys[field], 0xFFFF)
        if field in ranges:
            least, most = ranges[field]
            inner.item(name, f"\n  {name} {least}-{most}", {"start": least, "end": most})
    if "tcp_flags" in keys:
        text = "{:#x}/{:x}".format(*keys["tcp_flags"])
        inner.item("tcp_flags", f"\n  tcp_flags {text}", text)
    for field in ("type", "code"):
        if field in keys:
            value, mask = keys[field]
            text = str(value) if mask == 0xFF else f"{value}/{mask}"
            inner.item(f"icmp_{field}", f"\n  icmp_{field} {text}", text)
    if "ctl" in keys:
        _ip_flags(inner, *keys["ctl"])
    out.close("keys", inner)
    out.item("not_in_hw", "\n  not_in_hw", True)


def _ethertype(out: Output, name: str, ethertype: int) -> None:
    text = format_protocol(ethertype)
    out.item(name, f"\n  {name} {text}", text)


def _mac(address: int, mask: int) -> str:
    bits = mask_bits(mask, 48)
    if bits is None:
        return f"{format_mac(address)}/{format_mac(mask)}"
    return format_mac(address) + (f"/{bits}" if bits < 48 else "")


def _address(address: int, mask: int, version: int) -> str:
    size = 32 if version == 4 else 128
    bits = mask_bits(mask, size)
    text = str(IPv4Address(address) if version == 4 else IPv6Address(address))
    return text if bits == size else f"{text}/{bits}"


def _masked(out: Output, name: str, value: int, mask: int, whole: int) -> None:
    out.item(name, f"\n  {name} {value}", value)
    if mask != whole:
        out.item(f"{name}_mask", f"/{mask:#x}" if mask else "/0", f"{mask:x}")


def _ip_flags(out: Output, value: int, mask: int) -> None:
    words, flags = [], {}
    for bit, name in ((FRAGMENT, "frag"), (FIRST_FRAGMENT, "firstfrag")):
        if mask & bit:
            flags[name] = bool(value & bit)
            words.append(name if value & bit else f"no{name}")
    out.item("ip_flags", f"\n  ip_flags {'/'.join(words)}", flags)
