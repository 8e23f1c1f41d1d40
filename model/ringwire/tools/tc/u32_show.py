"""How the keys of u32 filters are printed, raw or with ``-p`` by name; after tc/f_u32.c of iproute2 6.1."""

from __future__ import annotations

from ringwire.filter.u32_table import EAT, OFFSET, VAROFFSET, Key, Node
from ringwire.packet import ETH_P_IP, ETH_P_IPV6
from ringwire.tools.tc.addresses import format_ipv4, mask_bits
from ringwire.tools.tc.output import Output, Repeated


def show_keys(out: Output, node: Node, protocol: int) -> None:
    """The mark, the keys, and where a linked table goes on."""
    selector = node.selector
    if node.mark_mask or node.mark:
        out.item("fwmark_value", f"\n  mark 0x{node.mark:04x}", f"{node.mark:#x}")
        out.item("fwmark_mask", f" 0x{node.mark_mask:04x}", f"{node.mark_mask:#x}")
        out.item("fwmark_success", f" (success {node.mark_hits})", node.mark_hits)
    named = out.pretty and protocol in (ETH_P_IP, ETH_P_IPV6)
    for key, hits in zip(selector.keys, node.key_hits, strict=True):
        inner = out.nested("match")
        if named:
            inner.text = _by_name(key)
        else:
            inner.text = f"\n  match {key.value:08x}/{key.mask:08x} at {'nexthdr+' if key.nexthdr else ''}{key.offset}"
            inner.json = {
                "value": f"{key.value:x}",
                "mask": f"{key.mask:x}",
                "offmask": "nexthdr+" if key.nexthdr else "",
                "off": key.offset,
            }
        if out.statistics:
            inner.item("success", f" (success {hits} ) ", hits)
        out.close(Repeated("match"), inner)
    if selector.flags & (VAROFFSET | OFFSET):
        out.text += "\n    offset "
        if selector.flags & VAROFFSET:
            out.item("offset_mask", f"{selector.offmask:04x}", f"{selector.offmask:x}")
            out.item("offset_shift", f">>{selector.offshift}", selector.offshift)
            out.item("offset_off", f" at {selector.offoff} ", selector.offoff)
        if selector.off:
            out.item("plus", f"plus {selector.off} ", selector.off)
    if selector.flags & EAT:
        out.item("eat", " eat ", True)
    if selector.hmask:
        out.item("hash_mask", f"\n    hash mask {selector.hmask:08x} ", f"{selector.hmask:x}")
        out.item("hash_off", f"at {selector.hoff} ", selector.hoff)
    if node.indev:
        out.item("input_dev", f"\n  input dev {node.indev}\n", node.indev)


def _by_name(key: Key) -> str:
    """ "" for what has no name; tc has no line for each."""
    value, mask = key.value, key.mask
    if key.offset == 0 and mask == 0x0F00_0000:
        return f"\n  match IP ihl {value >> 24}"
    if key.offset == 0 and mask == 0x00FF_0000:
        return f"\n  match IP dsfield {value >> 16:#x}"
    if key.offset == 8 and mask == 0x00FF_0000:
        return f"\n  match IP protocol {value >> 16}"
    if key.offset in (12, 16):
        bits = mask_bits(mask, 32)
        if bits is not None:
            return f"\n  match IP {'src' if key.offset == 12 else 'dst'} {format_ipv4(value)}/{bits}"
    if key.offset == 20:
        sport, dport = f"match sport {value >> 16}", f"match dport {value & 0xFFFF}"
        return {0x0000_FFFF: dport, 0xFFFF_0000: sport, 0xFFFF_FFFF: f"{sport}, {dport}"}.get(mask, "")
    return ""
