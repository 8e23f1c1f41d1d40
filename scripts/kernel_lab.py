"""The running Linux kernel's segmentation, to be asked packet by packet.

A TAP device takes each packet with a ``virtio_net_hdr``; a bridge hands it to a second TAP that offers nothing, or
checksums alone, so that the kernel itself cuts it. Both live in a network namespace of their own. Packets in UDP
tunnels come in as they are (Linux 6.17 and later); GRE and IP in IP are put around what comes in by a BPF program,
so that no tunnel device is needed.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import select
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import TracebackType

from ringwire.skb import GSO_ECN, CsumFlag, GsoType, Tunnel
from scripts.encapsulate import attach
from tests.frames import GRE, MACS, UDP, Frame, Shell

VNET = struct.Struct("<BBHHHH")
"""``struct virtio_net_hdr``: flags, gso_type, hdr_len, gso_size, csum_start, csum_offset."""
_VNET_TUNNEL = struct.Struct("<BBHHHH10xHH")
"""``struct virtio_net_hdr_v1_hash_tunnel``: the same, outer UDP header, inner IP header."""
_UDP_TUNNEL_CSUM, _UDP_TUNNEL = 8, {4: 0x20, 6: 0x40}
"""A flag; and bits of gso_type by the outer header's version."""

# Numbers of Linux's headers: sched.h, if_tun.h, sockios.h, if.h.
_CLONE_NEWNET = 0x40000000
_TUNSETIFF, _TUNSETOFFLOAD, _TUNSETVNETHDRSZ = 0x400454CA, 0x400454D0, 0x400454D8
_IFF_TAP, _IFF_NO_PI, _IFF_VNET_HDR, _TUN_F_CSUM = 0x0002, 0x1000, 0x4000, 0x01
_SIOCSIFFLAGS, _SIOCSIFMTU, _SIOCSIFTXQLEN, _SIOCBRADDBR, _SIOCBRADDIF = 0x8914, 0x8922, 0x8943, 0x89A0, 0x89A2
_IFF_UP = 1

_MTU = 65521
"""Largest of a TAP."""
_QUEUE_FRAMES = 100_000
_READ_BYTES = 1 << 17
_PATIENCE_MS = 10_000
_EXPERIMENTAL = 0x88B5
"""An ethertype for local use (IEEE 802)."""
_END = MACS + struct.pack("!H", _EXPERIMENTAL) + bytes(46)
"""Once this frame is through, so is all before it."""


class LabError(Exception):
    """The kernel can't be asked; the text is one line."""


@dataclass(frozen=True)
class Request:
    """A packet and what is asked for it."""

    frame: Frame
    size: int = 0
    """Bytes to cut; 0: complete the checksum only."""
    kind: GsoType | None = None
    """None: the one that serves the frame's protocol."""
    ecn: bool = False
    partial: bool = False
    """What leaves has its checksums left to the device."""
    asks_csum: bool = True
    """False: the frame's checksum is complete."""
    shell: Shell | None = None
    """The tunnel around the frame."""

    @property
    def gso_type(self) -> GsoType:
        if self.size == 0:
            return GsoType.NONE
        if self.kind is not None:
            return self.kind
        if self.frame.protocol == UDP:
            return GsoType.UDP_L4
        return GsoType.TCPV4 if self.frame.version == 4 else GsoType.TCPV6

    @cached_property
    def data(self) -> bytes:
        """The packet's bytes."""
        frame = self.frame if self.asks_csum else self.frame.completed(0xFFFF)
        return (frame if self.shell is None else self.shell.around(frame)).build()

    @property
    def inner_l3(self) -> int:
        """Where the frame's own IP header begins."""
        return self.frame.l3 if self.shell is None else self.shell.inner_l3(self.frame)

    @property
    def tunnel(self) -> dict[str, int] | None:
        """The fields of an skb that a ``virtio_net_hdr`` has no words for."""
        return None if self.shell is None else {"kind": Tunnel[self.shell.kind], "inner_l3": self.inner_l3}

    @property
    def vnet(self) -> dict[str, int]:
        """The fields of its ``virtio_net_hdr``."""
        shift = self.inner_l3 - self.frame.l3
        return {
            "flags": int(CsumFlag.NEEDS_CSUM if self.asks_csum else CsumFlag.NONE),
            "gso_type": self.gso_type | (GSO_ECN if self.ecn else 0),
            "hdr_len": self.frame.payload_at + shift if self.size else 0,
            "gso_size": self.size,
            "csum_start": self.frame.l4 + shift if self.asks_csum else 0,
            "csum_offset": self.frame.csum_offset if self.asks_csum else 0,
        }


@dataclass(frozen=True)
class Outcome:
    """A frame that the kernel made, and what it leaves to the device: flags, gso_type, csum_start, csum_offset."""

    data: bytes
    vnet: tuple[int, int, int, int]


class KernelLab:
    """The running kernel's segmentation, to be used in a ``with``. Needs root and ``/dev/net/tun``.

    Raises :class:`LabError` where the machine doesn't allow it. The calling thread is in the lab's network
    namespace only while it opens the lab or puts a tunnel around packets.
    """

    def __enter__(self) -> KernelLab:
        self._opened: list[int] = []
        try:
            self._open()
        except OSError as error:
            self.__exit__(None, None, None)
            raise LabError(f"no lab on this machine: {error}") from None
        return self

    def __exit__(self, kind: type[BaseException] | None, value: object, trace: TracebackType | None) -> None:
        for fd in self._opened:
            os.close(fd)

    def _open(self) -> None:
        own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        self._opened.append(own)
        _call("unshare", _CLONE_NEWNET)
        try:
            self._namespace = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
            self._opened.append(self._namespace)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
                fcntl.ioctl(control, _SIOCBRADDBR, b"bridge\0")
                self._in, self._out = (self._tap(control, name) for name in ("in", "out"))
                for name in ("in", "out", "bridge"):
                    fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH22x", name.encode(), _IFF_UP))
            # Else the bridge hands packets to netfilter, which drops BIG TCP without a jumbo payload option.
            for table in Path("/proc/sys/net/bridge").glob("bridge-nf-call-*"):
                table.write_text("0")
        finally:
            _call("setns", own, _CLONE_NEWNET)

    @contextmanager
    def _inside(self) -> Iterator[None]:
        """In the lab's network namespace."""
        own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            _call("setns", self._namespace, _CLONE_NEWNET)
            try:
                yield
            finally:
                _call("setns", own, _CLONE_NEWNET)
        finally:
            os.close(own)

    def _tap(self, control: socket.socket, name: str) -> int:
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        self._opened.append(fd)
        flags = _IFF_TAP | _IFF_NO_PI | _IFF_VNET_HDR
        fcntl.ioctl(fd, _TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
        for request, number in ((_SIOCSIFTXQLEN, _QUEUE_FRAMES), (_SIOCSIFMTU, _MTU)):
            fcntl.ioctl(control, request, struct.pack("16si20x", name.encode(), number))
        index = socket.if_nametoindex(name)
        fcntl.ioctl(control, _SIOCBRADDIF, struct.pack("16si20x", b"bridge", index))
        return fd

    def ask(self, request: Request) -> list[Outcome]:
        """The frames that leave, in order; none where the kernel refuses the packet or drops it."""
        fcntl.ioctl(self._out, _TUNSETOFFLOAD, _TUN_F_CSUM if request.partial else 0)
        shell = request.shell
        if shell is None:
            return self._pass(VNET.pack(*request.vnet.values()), request.data)
        if shell.outer.protocol == UDP:
            flags, gso_type, *rest = request.vnet.values()
            gso_type |= _UDP_TUNNEL[shell.outer.version]
            if shell.kind == "UDP_CSUM":
                flags |= _UDP_TUNNEL_CSUM
            vnet = _VNET_TUNNEL.pack(flags, gso_type, *rest, shell.outer.l4, request.inner_l3)
            return self._pass(vnet, request.data)
        # The program puts the outer headers around the frame as it is alone.
        outer, frame = shell.around(request.frame), request.frame
        head = outer.build()[outer.l3 : request.inner_l3]
        ethertype = 0x0800 if outer.version == 4 else 0x86DD
        link = frame.l3 if shell.ethernet else 0
        alone = replace(request, shell=None)
        try:
            with self._inside():
                index = socket.if_nametoindex("in")
                attached = attach(index, head, ethertype, link, outer.protocol == GRE, _EXPERIMENTAL)
        except OSError as error:
            raise LabError(f"no tunnel around packets: {error}") from None
        try:
            return self._pass(VNET.pack(*alone.vnet.values()), alone.data)
        finally:
            os.close(attached)

    def _pass(self, vnet: bytes, data: bytes) -> list[Outcome]:
        fcntl.ioctl(self._in, _TUNSETVNETHDRSZ, struct.pack("=i", len(vnet)))
        try:
            os.write(self._in, vnet + data)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise LabError(f"packet of {len(data)} bytes: {error.strerror}") from None
            return []
        os.write(self._in, bytes(len(vnet)) + _END)
        return list(self._until_end())

    def _until_end(self) -> Iterator[Outcome]:
        poll = select.poll()
        poll.register(self._out, select.POLLIN)
        while poll.poll(_PATIENCE_MS):
            with suppress(BlockingIOError):
                while True:
                    raw = os.read(self._out, _READ_BYTES)
                    data = raw[VNET.size :]
                    if data == _END:
                        return
                    if data[: len(MACS)] != MACS:
                        continue  # the kernel's own, such as multicast reports
                    flags, gso_type, _, _, start, offset = VNET.unpack_from(raw)
                    # That a checksum has been seen to is said to a receiver; here a request counts.
                    yield Outcome(data, (flags & CsumFlag.NEEDS_CSUM, gso_type, start, offset))
        raise LabError(f"the kernel has not handed over the frames within {_PATIENCE_MS} ms")


def _call(name: str, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), f"{name}()")
