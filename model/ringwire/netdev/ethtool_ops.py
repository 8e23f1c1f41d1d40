"""What ``ethtool`` and ``ip -s link`` may ask of a driver: all of it optional, as in struct ethtool_ops.

A driver has an interface if it has its names. What it refuses it says with a ValueError whose text tells what is
allowed; an attribute ``errno`` of it (an error number's name) says what Linux would return if not EINVAL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Coalesce:
    """Moderation of transmit interrupts (ethtool -c), 0 = off."""

    mod_ns: int = 0
    """Longest wait after a completion, ns."""
    mod_frames: int = 0
    adaptive_tx: bool | None = None
    """The driver chooses the wait by the load; None where it can't."""


@dataclass(frozen=True, slots=True)
class LinkStats:
    """A device's totals (ndo_get_stats64), of the transmit half."""

    tx_packets: int = 0
    tx_bytes: int = 0
    tx_errors: int = 0
    tx_dropped: int = 0


@runtime_checkable
class RingOps(Protocol):
    """``ethtool -g`` and ``-G``; descriptors. ``*_allowed`` say in a user's words what the setter takes."""

    max_ring_entries: int
    ring_allowed: str

    @property
    def ring_entries(self) -> int: ...
    def set_ring(self, entries: int) -> None: ...


@runtime_checkable
class CoalesceOps(Protocol):
    """``ethtool -c`` and ``-C``."""

    coalesce_allowed: str

    @property
    def coalesce(self) -> Coalesce: ...
    def set_coalesce(self, mod_ns: int, mod_frames: int) -> None: ...


class AdaptiveCoalesceOps(CoalesceOps, Protocol):
    """The same of a driver that can adapt: its ``coalesce`` says whether it does, True or False."""

    def set_coalesce(self, mod_ns: int, mod_frames: int, adaptive_tx: bool = False) -> None: ...


@runtime_checkable
class ChannelOps(Protocol):
    """``ethtool -L``: how many transmit queues are in use."""

    def set_channels(self, count: int) -> None: ...


@runtime_checkable
class PrivFlagOps(Protocol):
    """``ethtool --show-priv-flags`` and ``--set-priv-flags``: switches that only this driver has, by name."""

    @property
    def priv_flags(self) -> Mapping[str, bool]: ...
    def set_priv_flags(self, flags: Mapping[str, bool]) -> None: ...


@runtime_checkable
class StatisticsOps(Protocol):
    """``ethtool -S``."""

    def statistics(self) -> dict[str, int]: ...


@runtime_checkable
class LinkStatsOps(Protocol):
    """``ip -s link``."""

    def link_stats(self) -> LinkStats: ...
