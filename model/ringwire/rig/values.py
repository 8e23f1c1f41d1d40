"""Values of a replay's options as text: read as a user writes them, and shown."""

from __future__ import annotations

import re

from ringwire.tools.units import parse_bit_rate

MIN_RATE_BPS, MAX_RATE_BPS = 1_000_000, 1_000_000_000_000


def parse_rate(text: str) -> int:
    """Bit/s: a rate as ``tc`` reads it, where the letters ``bit`` may be left out. ValueError with the reason."""
    return parse_bit_rate(text + "bit" if re.search(r"[0-9][kmgt]$", text, re.IGNORECASE) else text)


def parse_line_rate(text: str) -> int:
    """As :func:`parse_rate`, of a wire."""
    rate = parse_rate(text)
    if not rate:
        raise ValueError(f"nothing would ever be sent; allowed: {show_rate(MIN_RATE_BPS)} or more")
    return rate


def parse_clock(text: str) -> float:
    """MHz: ``250``, ``156.25MHz``, ``0.25GHz``. ValueError with the reason."""
    number = text.lower().removesuffix("hz")
    scale = {"k": 1e-3, "m": 1.0, "g": 1e3}.get(number[-1:])
    try:
        frequency = float(number) if scale is None else float(number[:-1]) * scale
    except ValueError:
        frequency = 0.0
    if not frequency > 0:
        raise ValueError("not a frequency (units: kHz, MHz, GHz; MHz if none)")
    return frequency


def show_rate(bps: float) -> str:
    """``100G``, ``2.5G``, ``5M``: bit/s."""
    for scale, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if bps >= scale:
            return f"{bps / scale:.6g}{unit}"
    return f"{bps:g}"


def parse_words(text: str) -> str:
    """Any text but none. ValueError."""
    if not text.strip():
        raise ValueError("there is nothing in it; leave the option away for the default")
    return text


def parse_numbers(text: str) -> tuple[int, ...]:
    """A number a queue, with commas between them: ``3000,1500``. ValueError with the reason."""
    words = text.split(",")
    if not all(re.fullmatch("[0-9]+", word) for word in words):
        raise ValueError("not numbers with commas between them, one a queue")
    return tuple(map(int, words))
