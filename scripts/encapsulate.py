"""A BPF program that puts a tunnel's headers around packets that come in to a device, as the kernel's own tunnels do.

It is what ``bpf_skb_adjust_room`` with the ``BPF_F_ADJ_ROOM_ENCAP_*`` flags is for: the kernel then knows that the
packet is in a tunnel and cuts it as such. Numbers are those of Linux's include/uapi/linux/bpf.h.
"""

from __future__ import annotations

import ctypes
import os
import struct

_NR_BPF = {"x86_64": 321, "aarch64": 280}
_PROG_LOAD, _LINK_CREATE = 5, 28
_PROG_TYPE_SCHED_CLS, _TCX_INGRESS = 3, 46
_TCX_NEXT, _TCX_DROP = -1, 2
_STORE_BYTES, _ADJUST_ROOM = 9, 50
_ADJ_ROOM_MAC = 1
_FIXED_GSO, _L3_IPV4, _L3_IPV6, _L4_GRE, _L2_ETH, _L2_SHIFT = 1, 2, 4, 8, 64, 56
_ETHERTYPE_AT, _HEAD_AT = 12, 14
_PROTOCOL_AT = 16
"""``protocol`` in ``struct __sk_buff``."""


def attach(ifindex: int, head: bytes, ethertype: int, inner_link: int, gre: bool, untouched: int) -> int:
    """A file descriptor; while it is open, packets that come in get ``head`` behind their Ethernet header.

    ``head`` is all from the outer IP header on. ``ethertype`` is its own, ``inner_link`` the length of the Ethernet
    header at its end. Packets of ethertype ``untouched`` pass; those that can't be wrapped are dropped. Raises
    :class:`OSError` where the kernel refuses.
    """
    flags = _FIXED_GSO | (_L3_IPV4 if ethertype == 0x0800 else _L3_IPV6)
    if gre:
        flags |= _L4_GRE
    if inner_link:
        flags |= _L2_ETH | inner_link << _L2_SHIFT
    program = _load(_program(head, flags, ethertype, untouched))
    try:
        return _bpf(_LINK_CREATE, struct.pack("=IIIIQQ", program, ifindex, _TCX_INGRESS, 0, 0, 0))
    finally:
        os.close(program)


def _program(head: bytes, flags: int, ethertype: int, untouched: int) -> bytes:
    room = -(-len(head) // 8) * 8
    ends = _move(0, _TCX_NEXT) + _op(0x95)
    body = _call_on_packet(_ADJUST_ROOM, _move(2, len(head)) + _move(3, _ADJ_ROOM_MAC) + _move_long(4, flags))
    store = _store(head.ljust(room, b"\0"), -room) + _write(_HEAD_AT, -room, len(head))
    store += _store(struct.pack("!H2x", ethertype), -room - 8) + _write(_ETHERTYPE_AT, -room - 8, 2)
    # r0 other than 0: not wrapped
    body += _op(0x55, 0, skip=len(store + ends) // 8) + store + ends + _move(0, _TCX_DROP) + _op(0x95)
    wire_order = struct.unpack("=H", struct.pack("!H", untouched))[0]
    entry = _op(0xBF, 6, 1) + _op(0x61, 0, 1, _PROTOCOL_AT)
    return entry + _op(0x55, 0, skip=len(ends) // 8, value=wire_order) + ends + body


def _op(code: int, to: int = 0, source: int = 0, skip: int = 0, value: int = 0) -> bytes:
    """An instruction: ``struct bpf_insn``."""
    return struct.pack("=BBhi", code, to | source << 4, skip, value)


def _move(register: int, value: int) -> bytes:
    return _op(0xB7, register, value=value)


def _move_long(register: int, value: int) -> bytes:
    low, high = struct.unpack("=ii", struct.pack("=Q", value))
    return _op(0x18, register, value=low) + _op(0, value=high)


def _store(data: bytes, at: int) -> bytes:
    """Words to the stack, whose end is r10."""
    words = struct.unpack(f"={len(data) // 4}i", data)
    return b"".join(_op(0x62, 10, skip=at + 4 * number, value=word) for number, word in enumerate(words))


def _write(offset: int, at: int, size: int) -> bytes:
    """Bytes from the stack into the packet."""
    place = _op(0xBF, 3, 10) + _op(0x07, 3, value=at)
    return _call_on_packet(_STORE_BYTES, _move(2, offset) + place + _move(4, size) + _move(5, 0))


def _call_on_packet(helper: int, arguments: bytes) -> bytes:
    return _op(0xBF, 1, 6) + arguments + _op(0x85, value=helper)


def _load(code: bytes) -> int:
    instructions, licence = ctypes.create_string_buffer(code, len(code)), ctypes.create_string_buffer(b"Apache-2.0")
    where = ctypes.addressof(instructions), ctypes.addressof(licence)
    attributes = struct.pack("=IIQQIIQII16sII", _PROG_TYPE_SCHED_CLS, len(code) // 8, *where, 0, 0, 0, 0, 0, b"", 0, 46)
    return _bpf(_PROG_LOAD, attributes)


def _bpf(command: int, attributes: bytes) -> int:
    machine = os.uname().machine
    if machine not in _NR_BPF:
        raise OSError(f"no number of the bpf system call for {machine}")
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    result: int = ctypes.CDLL(None, use_errno=True).syscall(_NR_BPF[machine], command, buffer, len(attributes))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "bpf()")
    return result
