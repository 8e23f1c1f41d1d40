"""What ``sysctl`` sets for a whole host, as far as something here reads it: names, values to begin with, what is taken.

Values are those of Linux 6.12. Whoever reads another one adds it to :data:`SYSCTLS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ringwire.netdev.errors import ERRNO_TEXT
from ringwire.qdisc.registry import QDISCS

DEFAULT_QDISC = "net.core.default_qdisc"
DEV_WEIGHT = "net.core.dev_weight"
"""Packets that one run of a discipline may pull, times the bias."""
DEV_WEIGHT_TX_BIAS = "net.core.dev_weight_tx_bias"
TCP_LIMIT_OUTPUT_BYTES = "net.ipv4.tcp_limit_output_bytes"
_INT_MAX = 0x7FFF_FFFF


class SysctlError(ValueError):
    """A value that is refused, with Linux's error number and what is allowed."""

    def __init__(self, errno: str, allowed: str, words: str = "allowed:") -> None:
        super().__init__(f"{ERRNO_TEXT[errno]}; {words} {allowed}")
        self.errno = errno
        self.allowed = allowed


@dataclass(frozen=True, slots=True)
class Sysctl:
    """One of them."""

    default: int | str
    read: Callable[[str], int | str]
    """Its value from text; SysctlError with what is allowed."""


def _number(least: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not least <= int(text) <= _INT_MAX:
            raise SysctlError("EINVAL", f"{least} to {_INT_MAX}")
        return int(text)

    return read


def _qdisc(text: str) -> str:
    if text not in QDISCS.kinds():
        raise SysctlError("ENOENT", ", ".join(QDISCS.kinds()), "there are")
    return text


SYSCTLS: dict[str, Sysctl] = {
    DEFAULT_QDISC: Sysctl("pfifo_fast", _qdisc),
    DEV_WEIGHT: Sysctl(64, _number(1)),
    DEV_WEIGHT_TX_BIAS: Sysctl(1, _number(1)),
    TCP_LIMIT_OUTPUT_BYTES: Sysctl(1 << 20, _number(0)),
}
