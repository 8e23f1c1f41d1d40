"""A command line as words that know where they stand, so that an error can point at one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

from ringwire.netdev.device import NetDevice

T = TypeVar("T")


class CommandError(ValueError):
    """A command that can't be carried out; its text is one line that names the word and its column (from 1)."""


class Link(NamedTuple):
    """The device that a line has named, which a share of a link's speed is of."""

    device: str = ""
    """"" = none yet."""
    speed_mbps: int | None = None
    """0 = not known; None: there is no such device."""


class Word(NamedTuple):
    """One word of a line, and the column of its first character, from 1."""

    text: str
    column: int
    link: Link | None = None
    """Of a word with a percent sign: what it may be a share of."""

    def error(self, reason: str, kind: type[CommandError] = CommandError) -> CommandError:
        return kind(f"column {self.column}: {self.text!r}: {reason}")

    def read(self, parse: Callable[[str], T]) -> T:
        """The word's value; a ValueError of ``parse`` becomes a CommandError that points at the word."""
        try:
            return parse(self.text)
        except ValueError as error:
            raise self.error(str(error)) from None


class Words:
    """The words of a line, taken one after the other."""

    def __init__(self, line: str, quotes: bool = False) -> None:
        """With ``quotes``, a pair of either kind holds spaces together, and is not part of the word."""
        if quotes:
            self._words = [_unquoted(match) for match in re.finditer(r"""(?:"[^"]*"|'[^']*'|\S)+""", line)]
        else:
            self._words = [Word(match.group(), match.start() + 1) for match in re.finditer(r"\S+", line)]
        self.devices: Mapping[str, NetDevice] | None = None
        """Devices that there are, if that is known already."""
        self.link: Link | None = None
        """The device that was named last."""
        self._next = 0
        self._end = len(line.rstrip()) + 1

    def __bool__(self) -> bool:
        """Whether any are left."""
        return self._next < len(self._words)

    @property
    def left(self) -> int:
        """How many are left."""
        return len(self._words) - self._next

    def peek(self) -> str:
        """The next word's text, "" at the end."""
        return self._words[self._next].text if self else ""

    @property
    def here(self) -> Word:
        """The next word without taking it; at the line's end one without text."""
        return self._words[self._next] if self else Word("", self._end)

    def take(self, wanted: str) -> Word:
        """The next word; at the line's end an error says that ``wanted`` is missing."""
        if not self:
            raise CommandError(f"column {self._end}: {wanted} expected at the end of the line")
        self._next += 1
        word = self._words[self._next - 1]
        return word._replace(link=self.link) if "%" in word.text else word

    @property
    def last(self) -> Word:
        """The word that was taken last."""
        return self._words[self._next - 1]

    def split(self, at: int) -> None:
        """Have the last word end before its character ``at``: the rest of it is the next word."""
        word = self._words[self._next - 1]
        rest = Word(word.text[at:], word.column + at)
        self._words[self._next - 1 : self._next] = [Word(word.text[:at], word.column), rest]

    def back(self) -> None:
        """Put the last word back."""
        self._next -= 1

    @property
    def rest(self) -> list[Word]:
        """Those that are left."""
        return self._words[self._next :]

    def skip_all(self) -> None:
        """Take all that are left."""
        self._next = len(self._words)

    def skip(self, *texts: str) -> bool:
        """Take the next word if it is one of these."""
        if self.peek() in texts and self:
            self._next += 1
            return True
        return False


def _unquoted(match: re.Match[str]) -> Word:
    """A word without its quotes; its column is that of the first character that is left."""
    raw = match.group()
    text = re.sub(r"""(["'])(.*?)\1""", r"\2", raw)
    return Word(text, match.start() + 1 + (text[:1] != raw[:1]))
