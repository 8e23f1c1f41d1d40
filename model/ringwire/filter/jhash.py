"""Jenkins's hash of 32-bit words (lookup3's hashword), as Linux's jhash2 seeds it.

After Bob Jenkins, "lookup3.c", May 2006, which is in the public domain.
"""

from __future__ import annotations

from collections.abc import Sequence

U32 = 0xFFFF_FFFF
_SEED = 0xDEAD_BEEF


def jhash2(words: Sequence[int], seed: int) -> int:
    """32 bits; ``words`` are of 32 bits each."""
    left = len(words)
    a = b = c = _SEED + (left << 2) + seed & U32
    at = 0
    while left > 3:
        a, b, c = _mix(a + words[at] & U32, b + words[at + 1] & U32, c + words[at + 2] & U32)
        at += 3
        left -= 3
    if not left:
        return c
    if left == 3:
        c = c + words[at + 2] & U32
    if left >= 2:
        b = b + words[at + 1] & U32
    return _final(a + words[at] & U32, b, c)


def _rotate(value: int, by: int) -> int:
    return (value << by | value >> 32 - by) & U32


def _mix(a: int, b: int, c: int) -> tuple[int, int, int]:
    for by_a, by_b, by_c in ((4, 6, 8), (16, 19, 4)):
        a = (a - c & U32) ^ _rotate(c, by_a)
        c = c + b & U32
        b = (b - a & U32) ^ _rotate(a, by_b)
        a = a + c & U32
        c = (c - b & U32) ^ _rotate(b, by_c)
        b = b + a & U32
    return a, b, c


def _final(a: int, b: int, c: int) -> int:
    c = (c ^ b) - _rotate(b, 14) & U32
    a = (a ^ c) - _rotate(c, 11) & U32
    b = (b ^ a) - _rotate(a, 25) & U32
    c = (c ^ b) - _rotate(b, 16) & U32
    a = (a ^ c) - _rotate(c, 4) & U32
    b = (b ^ a) - _rotate(a, 14) & U32
    return (c ^ b) - _rotate(b, 24) & U32
