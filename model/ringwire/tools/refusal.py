"""Lines that a tool refuses: its own words and exit status, the word that is to blame, and what is allowed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from ringwire.netdev.device import NetDevice
from ringwire.netdev.errors import ERRNO_TEXT
from ringwire.tools.words import CommandError, Word

T = TypeVar("T")


class Refused(CommandError):
    """What the real tool refuses as well; the text is one line: column, word, the tool's words, what is allowed."""

    def __init__(
        self, word: Word, printed: str, *, allowed: str = "", reason: str = "", status: int = 1, output: str = ""
    ) -> None:
        """``word`` without text stands for the end of the line. ``reason`` says why, where ``printed`` does not."""
        where = f"column {word.column}: {word.text!r}" if word.text else f"column {word.column}"
        said = "; ".join(line for line in printed.splitlines() if line)
        added = f"allowed: {allowed}" if allowed else reason
        super().__init__(f"{where}: {said}" + (f" ({added})" if added else ""))
        self.word = word
        """What is to blame."""
        self.allowed = allowed
        self.reason = reason
        self.printed = printed
        """What the tool writes to standard error, exactly."""
        self.status = status
        """The tool's exit status."""
        self.output = output
        """What it writes to standard output all the same."""


class NotModelled(CommandError):
    """What the real tool can do and this one can't."""


def not_modelled(word: Word, there_is: Iterable[str]) -> NotModelled:
    """An error that names a word there is no model of, and what there is."""
    return NotModelled(f"column {word.column}: {word.text!r}: not modelled; there is {', '.join(there_is)}")


def errno_of(error: ValueError) -> str:
    """The error number's name that a refusal carries; EINVAL if none."""
    name = getattr(error, "errno", None)
    return name if isinstance(name, str) and name in ERRNO_TEXT else "EINVAL"


def by_name(devices: Iterable[NetDevice]) -> dict[str, NetDevice]:
    """Devices by their names, in the order given."""
    return {device.name: device for device in devices}
