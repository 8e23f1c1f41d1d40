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


def _mix(a: int, b: int, c: int) -> tuple[int, int, int]:
    # every step written out: this is most of what a hashed packet costs
    a = (a - c & U32) ^ (c << 4 | c >> 28) & U32
    c = c + b & U32
    b = (b - a & U32) ^ (a << 6 | a >> 26) & U32
    a = a + c & U32
    c = (c - b & U32) ^ (b << 8 | b >> 24) & U32
    b = b + a & U32
    a = (a - c & U32) ^ (c << 16 | c >> 16) & U32
    c = c + b & U32
    b = (b - a & U32) ^ (a << 19 | a >> 13) & U32
    a = a + c & U32
    c = (c - b & U32) ^ (b << 4 | b >> 28) & U32
    return a, b + a & U32, c


def _final(a: int, b: int, c: int) -> int:
    c = (c ^ b) - (b << 14 | b >> 18) & U32
    a = (a ^ c) - (c << 11 | c >> 21) & U32
    b = (b ^ a) - (a << 25 | a >> 7) & U32
    c = (c ^ b) - (b << 16 | b >> 16) & U32
    a = (a ^ c) - (c << 4 | c >> 28) & U32
    b = (b ^ a) - (a << 14 | a >> 18) & U32
    return (c ^ b) - (b << 24 | b >> 8) & U32
