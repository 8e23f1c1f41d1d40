"""The bins of sfb: eight levels of sixteen, each with a length and a marking probability.

After net/sched/sch_sfb.c of Linux 6.12.
"""

from __future__ import annotations

from ringwire.qdisc.perturb import Perturbation

LEVELS = 8
PER_LEVEL = 16
MAX_PROB = 0xFFFF
MAX_QLEN = 0xFFFF


class Bins:
    """One set, with a hash of its own. A 32-bit hash is eight numbers of bins, four bits each."""

    __slots__ = ("_prob", "_qlen", "perturbation")

    def __init__(self, seed: int) -> None:
        self.perturbation = Perturbation(seed)
        self.clear()

    def clear(self) -> None:
        """Empty bins that mark nothing."""
        self._qlen = [0] * (LEVELS * PER_LEVEL)
        self._prob = [0] * (LEVELS * PER_LEVEL)

    def hash(self, flow: int) -> int:
        """Where a flow is; never 0."""
        return self.perturbation.hash(flow) or 1

    def learn(self, where: int, target: int, increment: int, decrement: int) -> tuple[int, int]:
        """Raise the probability of full bins and lower that of empty ones; the least (length, probability)."""
        qlens, probs = self._qlen, self._prob
        shortest = least = MAX_PROB
        for index in _places(where):
            qlen = qlens[index]
            prob = probs[index]
            if not qlen:
                if prob:
                    prob = probs[index] = prob - decrement if prob > decrement else 0
            elif qlen >= target:
                prob += increment
                if prob > MAX_PROB:
                    prob = MAX_PROB
                probs[index] = prob
            if qlen < shortest:
                shortest = qlen
            if prob < least:
                least = prob
        return shortest, least

    def add(self, where: int) -> None:
        """A packet has come. A length stays within 16 bits."""
        qlens = self._qlen
        for index in _places(where):
            if qlens[index] < MAX_QLEN:
                qlens[index] += 1

    def remove(self, where: int) -> None:
        """A packet has left."""
        qlens = self._qlen
        for index in _places(where):
            if qlens[index]:
                qlens[index] -= 1

    def summary(self) -> tuple[int, int, int]:
        """Longest bin, highest and mean probability."""
        return max(self._qlen), max(self._prob), sum(self._prob) // len(self._prob)


def _places(where: int) -> tuple[int, int, int, int, int, int, int, int]:
    """The bin on each level: written out, because it is asked for three times a packet."""
    return (
        where & 15,
        where >> 4 & 15 | 16,
        where >> 8 & 15 | 32,
        where >> 12 & 15 | 48,
        where >> 16 & 15 | 64,
        where >> 20 & 15 | 80,
        where >> 24 & 15 | 96,
        where >> 28 | 112,
    )
