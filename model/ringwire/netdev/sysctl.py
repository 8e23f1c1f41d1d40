"""What ``sysctl`` sets for a whole host, as far as something here reads it: names, values to begin with, what is taken.

Values are those of Linux 6.12. Whoever reads another one adds it to :data:`SYSCTLS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ringwire.qdisc.registry import QDISCS

DEFAULT_QDISC = "net.core.default_qdisc"
TCP_LIMIT_OUTPUT_BYTES = "net.ipv4.tcp_limit_output_bytes"
_INT_MAX = 0x7FFF_FFFF


@dataclass(frozen=True, slots=True)
class Sysctl:
    """One of them."""

    default: int | str
    read: Callable[[str], int | str]
    """Its value from text; ValueError with what is allowed."""


def _bytes(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > _INT_MAX:
        raise ValueError(f"Invalid argument; allowed: 0 to {_INT_MAX}")
    return int(text)


def _qdisc(text: str) -> str:
    if text not in QDISCS.kinds():
        raise ValueError(f"No such file or directory; there are {', '.join(QDISCS.kinds())}")
    return text


SYSCTLS: dict[str, Sysctl] = {
    DEFAULT_QDISC: Sysctl("pfifo_fast", _qdisc),
    TCP_LIMIT_OUTPUT_BYTES: Sysctl(1 << 20, _bytes),
}
