"""What the transmit path reads of the socket that sent a packet, and what it tells that socket.

After struct sock (include/net/sock.h) of Linux 6.12: SO_MAX_PACING_RATE, SO_TXTIME and a transport's own pacing rate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ringwire.skb import Skb

_cookies = count(1)


class Clock(IntEnum):
    """Clocks by their System V names; in the model all of them show the same time."""

    REALTIME = 0
    MONOTONIC = 1
    BOOTTIME = 7
    TAI = 11


@dataclass(slots=True, eq=False)
class Sock:
    """A sending socket. Rates in bytes a second, None = no limit."""

    connected: bool = True
    """Has a peer: all its packets are one flow. Those of others are told apart by their hashes."""
    tcp: bool = False
    pacing_rate: int | None = None
    """What its transport wants to send at; never more than ``max_pacing_rate``."""
    max_pacing_rate: int | None = None
    """SO_MAX_PACING_RATE."""
    paced_by_fq: bool = False
    """fq paces it (SK_PACING_FQ): the transport's own timers are not needed."""
    txtime_clock: Clock | None = None
    """SO_TXTIME: its packets carry the time they are to leave at, on this clock."""
    deadline_mode: bool = False
    """... or by which they are to have left (SOF_TXTIME_DEADLINE_MODE)."""
    on_txtime_error: Callable[[Skb, str], None] | None = None
    """SOF_TXTIME_REPORT_ERRORS: told of a packet that is not sent, and why: EINVAL, or ECANCELED if it was too late."""
    cookie: int = field(default_factory=lambda: next(_cookies))
    """Tells sockets apart; later ones have larger ones."""

    def __post_init__(self) -> None:
        if self.max_pacing_rate is not None:
            # as setsockopt does it, so that a datagram socket, whose transport has no rate, is paced too
            rate = self.max_pacing_rate if self.pacing_rate is None else self.pacing_rate
            self.pacing_rate = min(rate, self.max_pacing_rate)
