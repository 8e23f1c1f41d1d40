"""Transmit packet steering: which transmit queues the packets of each CPU go to (sysfs xps_cpus).

After __netif_set_xps_queue and __get_xps_queue_idx in net/core/dev.c and lib/bitmap-str.c of Linux 6.12.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ringwire.netdev.errors import DeviceError

WORD_BITS = 32
WORD_DIGITS = WORD_BITS // 4


class XpsMap:
    """For each CPU the queues that serve it, in the order in which they were given to it."""

    __slots__ = ("_queues", "num_cpus")

    def __init__(self, num_cpus: int) -> None:
        self.num_cpus = num_cpus
        self._queues: list[list[int]] = [[] for _ in range(num_cpus)]

    def __bool__(self) -> bool:
        """Whether any CPU has a queue: without one there is no steering."""
        return any(self._queues)

    def queues(self, cpu: int) -> list[int]:
        """The queues of a CPU; none: its packets go by hash over all."""
        return self._queues[cpu]

    def cpus(self, queue: int) -> set[int]:
        """The CPUs that a queue serves."""
        return {cpu for cpu, queues in enumerate(self._queues) if queue in queues}

    def assign(self, queue: int, cpus: Iterable[int]) -> None:
        """Have a queue serve these CPUs and no others. DeviceError (EOVERFLOW) if there is no such CPU."""
        wanted = set(cpus)
        if any(not 0 <= cpu < self.num_cpus for cpu in wanted):
            raise DeviceError("EOVERFLOW", "xps_cpus", mask_allowed(self.num_cpus))
        for cpu, queues in enumerate(self._queues):
            if cpu in wanted:
                if queue not in queues:
                    queues.append(queue)
            elif queue in queues:
                # the last one takes its place: that is how Linux closes the gap, and hashes depend on it
                queues[queues.index(queue)] = queues[-1]
                queues.pop()

    def forget_from(self, queue: int) -> None:
        """Take this queue and those above it from all CPUs: they are no longer in use."""
        for index in sorted({index for queues in self._queues for index in queues if index >= queue}):
            self.assign(index, ())


def mask_allowed(num_cpus: int) -> str:
    """What ``xps_cpus`` takes, for people."""
    return f"a hexadecimal mask of CPUs 0 to {num_cpus - 1}, {WORD_BITS} bits between commas"


def format_mask(cpus: Iterable[int], num_cpus: int) -> str:
    """A mask as the kernel prints it (%*pb): as wide as the host has CPUs, a comma between 32-bit words."""
    mask = sum(1 << cpu for cpu in set(cpus))
    digits = f"{mask:0{-(-num_cpus // 4)}x}"
    first = len(digits) % WORD_DIGITS
    words = [digits[:first]] if first else []
    return ",".join(words + [digits[at : at + WORD_DIGITS] for at in range(first, len(digits), WORD_DIGITS)])


def parse_mask(text: str, num_cpus: int) -> set[int]:
    """The CPUs of a mask as a user writes it; words are separated by commas or white space, none is an empty mask.

    DeviceError as bitmap_parse fails: EINVAL for what is no hexadecimal number, EOVERFLOW for a word of more than
    32 bits, for more words than the host's CPUs need and for a bit beyond them. It reads from the right.
    """
    allowed = mask_allowed(num_cpus)
    mask = 0
    for place, word in enumerate(word for word in reversed(re.split(r"[,\s]+", text)) if word):
        if place >= -(-num_cpus // WORD_BITS):
            raise DeviceError("EOVERFLOW", "xps_cpus", allowed)
        if not re.fullmatch("[0-9a-fA-F]+", word[-WORD_DIGITS:]):
            raise DeviceError("EINVAL", "xps_cpus", allowed)
        if len(word) > WORD_DIGITS:
            raise DeviceError("EOVERFLOW", "xps_cpus", allowed)
        mask |= int(word, 16) << place * WORD_BITS
    if mask >> num_cpus:
        raise DeviceError("EOVERFLOW", "xps_cpus", allowed)
    return {cpu for cpu in range(num_cpus) if mask >> cpu & 1}
