"""What lies between two limits, and how it is said of what doesn't."""

from __future__ import annotations

from ringwire.rig.values import show_rate


def check(name: str, value: int | float | None, low: int | float, high: int | float) -> None:
    """ValueError unless a field's value lies between two others; its name says its unit. None is no value."""
    if value is not None and not low <= value <= high:
        shown, least, most = (show(name, each) for each in (value, low, high))
        raise ValueError(f"{name} {shown}; allowed: {least} to {most}")


def show(name: str, value: int | float) -> str:
    """A field's value as one would write it: ``200ms``, ``1M``."""
    if name.endswith("_ns") and isinstance(value, int):
        return show_ns(value)
    if name.endswith("_us") and isinstance(value, int):
        return show_ns(1000 * value)
    if name.endswith("_bps"):
        return show_rate(value)
    return str(value)


def show_ns(time_ns: int) -> str:
    """A time as a file has it, exact."""
    for unit, scale in (("s", 10**9), ("ms", 10**6), ("us", 10**3)):
        if time_ns % scale == 0 and time_ns:
            return f"{time_ns // scale}{unit}"
    return f"{time_ns}ns"
