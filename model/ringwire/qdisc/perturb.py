"""A flow hash that is different in each period: what sfq and sfb tell flows apart by.

Linux hashes a packet's addresses and ports with a random key (skb_get_hash_perturb, net/core/flow_dissector.c); here
the key is mixed into the packet's flow hash with the finalizer of MurmurHash3. Keys are the same in every run.
"""

from __future__ import annotations

from itertools import count

_U32 = 0xFFFF_FFFF


def mix(value: int) -> int:
    """32 bits, each of which depends on all of ``value``."""
    value = (value ^ value >> 16) * 0x85EB_CA6B & _U32
    value = (value ^ value >> 13) * 0xC2B2_AE35 & _U32
    return value ^ value >> 16


class Perturbation:
    """The key of one period."""

    __slots__ = ("_keys", "key")

    def __init__(self, seed: int) -> None:
        self._keys = count(mix(seed))
        self.renew()

    def renew(self) -> None:
        """Another period begins."""
        self.key = mix(next(self._keys) & _U32)

    def hash(self, flow_hash: int) -> int:
        """32 bits."""
        return mix(flow_hash ^ self.key)
