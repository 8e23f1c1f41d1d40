"""SO_TIMESTAMPING of a sender: what it asks for, and the error queue in which it finds its time stamps.

Options and kinds have the names and values of linux/net_tstamp.h and linux/errqueue.h; the rules are those of
Documentation/networking/timestamping.rst and net/core/skbuff.c (__skb_tstamp_tx) of Linux 6.12.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import IntEnum, IntFlag
from typing import NamedTuple

from ringwire.skb import Skb, linear_truesize

RMEM_DEFAULT = 212_992
"""Bytes of truesize that wait to be read (sysctl net.core.rmem_default)."""


class Timestamping(IntFlag):
    """``SOF_TIMESTAMPING_*``, as far as there is something behind it here."""

    NONE = 0
    TX_HARDWARE = 1 << 0
    """Each packet has a stamp of its first beat on the wire, made by the device."""
    SOFTWARE = 1 << 4
    """Report stamps of software."""
    RAW_HARDWARE = 1 << 6
    """Report stamps of the device, on the device's clock."""
    OPT_ID = 1 << 7
    """Number the packets, so that a stamp can be told from another."""
    TX_SCHED = 1 << 8
    """Each packet has a stamp of when it came to the qdisc, made by software."""
    OPT_TSONLY = 1 << 11
    """Stamps come without their packet, which takes less room."""


REPORTED = {
    Timestamping.TX_HARDWARE: Timestamping.RAW_HARDWARE,
    Timestamping.TX_SCHED: Timestamping.SOFTWARE,
}
"""What has to be set with an option, or its stamps would be made and never be reported."""


class StampKind(IntEnum):
    """``ee_info`` of the message: where on its way the packet was stamped (``SCM_TSTAMP_*``)."""

    SND = 0
    SCHED = 1


class TxTimestamp(NamedTuple):
    """A message of the error queue: ``sock_extended_err`` and ``scm_timestamping`` in one."""

    key: int
    """``ee_data``: the packet's number with OPT_ID, from 0, else 0."""
    kind: StampKind
    software_ns: int
    """``ts[0]``, 0 = none."""
    hardware_ns: float
    """``ts[2]``, to the 2^-16 ns that the device has, 0 = none."""
    skb: Skb | None
    """The packet, or with software segmentation the segment; None with OPT_TSONLY."""


def checked(wanted: int) -> Timestamping:
    """Options that make sense together. ValueError, one line, for others."""
    if wanted & ~sum(option.value for option in Timestamping):
        names = ", ".join(option.name or "" for option in Timestamping if option)
        raise ValueError(f"SO_TIMESTAMPING {wanted:#x}: no such option here; allowed: {names}")
    options = Timestamping(wanted)
    for make, report in REPORTED.items():
        if make in options and report not in options:
            raise ValueError(f"SO_TIMESTAMPING {make.name}: its stamps would never be reported; add {report.name}")
    return options


class ErrorQueue:
    """What a socket has to tell its owner. A message that finds it full is lost, as in Linux, and counted."""

    def __init__(self, rcvbuf: int = RMEM_DEFAULT) -> None:
        self.lost = 0
        self.on_message: Callable[[], None] | None = None
        """Told of each message that came (POLLERR)."""
        self._rcvbuf = rcvbuf
        self._used = 0
        self._messages: deque[tuple[TxTimestamp, int]] = deque()

    def __len__(self) -> int:
        return len(self._messages)

    def put(self, message: TxTimestamp) -> None:
        """A message comes; it takes the room of its packet, if it has one."""
        size = linear_truesize(0) if message.skb is None else message.skb.truesize
        if self._used + size >= self._rcvbuf:
            self.lost += 1
            return
        self._used += size
        self._messages.append((message, size))
        if self.on_message is not None:
            self.on_message()

    def receive(self) -> TxTimestamp | None:
        """recvmsg with MSG_ERRQUEUE: the oldest message, None (EAGAIN) if there is none."""
        if not self._messages:
            return None
        message, size = self._messages.popleft()
        self._used -= size
        return message
