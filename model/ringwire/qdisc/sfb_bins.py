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
        for level in range(0, LEVELS * PER_LEVEL, PER_LEVEL):
            index = level + (where & PER_LEVEL - 1)
            where >>= 4
            qlen = qlens[index]
            prob = probs[index]
            if qlen == 0:
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

    def count(self, where: int, packets: int) -> None:
        """A packet has come (1) or left (-1); a length stays within 16 bits."""
        qlens = self._qlen
        for level in range(0, LEVELS * PER_LEVEL, PER_LEVEL):
            index = level + (where & PER_LEVEL - 1)
            where >>= 4
            qlen = qlens[index] + packets
            if 0 <= qlen <= MAX_QLEN:
                qlens[index] = qlen

    def summary(self) -> tuple[int, int, int]:
        """Longest bin, highest and mean probability."""
        return max(self._qlen), max(self._prob), sum(self._prob) // len(self._prob)
