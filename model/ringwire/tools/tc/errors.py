"""What ``tc`` says when a line is wrong or the kernel refuses it, in iproute2's words."""

from __future__ import annotations

from collections.abc import Iterable

from ringwire.netdev.errors import ERRNO_TEXT
from ringwire.tools.refusal import Refused, errno_of
from ringwire.tools.words import Word, Words

USAGE_STATUS = 255
PARSE_STATUS = 1
KERNEL_STATUS = 2


class TcError(Refused):
    """A ``tc`` line that is wrong or can't be carried out."""

    unknown = False
    """Nothing is wrong with the line: there is no model of what it asks for."""

    def with_status(self, status: int) -> TcError:
        """The same with another exit status."""
        return TcError(self.word, self.printed, allowed=self.allowed, status=status, output=self.output)


class TcUnknown(TcError):
    """A ``tc`` line that asks for something there is no model of."""

    unknown = True


def unknown(word: Word, what: str, there_are: list[str]) -> TcUnknown:
    """There is no model of ``word``; what there is instead."""
    return TcUnknown(word, f"no such {what}; there are {', '.join(there_are) or 'none'}")


class UnknownKind(TcError):
    """A line with options of a kind that tc doesn't know, so that it can't read them."""


def unparsable(word: Word, what: str, option: Word, there_are: Iterable[str]) -> UnknownKind:
    """Options of a kind there is not; ``what`` is ``qdisc`` or ``filter``."""
    printed = f'Unknown {what} "{word.text}", hence option "{option.text}" is unparsable'
    return UnknownKind(word, printed, allowed=", ".join(there_are), status=PARSE_STATUS)


def said(word: Word, text: str, allowed: Iterable[str] = ()) -> TcError:
    """A complaint of a kind's own reader, and the words that may stand there."""
    return TcError(word, text, allowed=", ".join(allowed), status=PARSE_STATUS)


def invarg(word: Word, reason: str) -> TcError:
    return TcError(word, f'Error: argument "{word.text}" is wrong: {reason}', status=USAGE_STATUS)


def duplicate(name: str, word: Word) -> TcError:
    return TcError(word, f'Error: duplicate "{name}": "{word.text}" is the second value.', status=USAGE_STATUS)


def incomplete(words: Words) -> TcError:
    return TcError(words.here, 'Command line is not complete. Try option "help"', status=USAGE_STATUS)


def take(words: Words) -> Word:
    """The next word, which must be there."""
    if not words:
        raise incomplete(words)
    return words.take("")


def refused(word: Word, error: ValueError, more: str = "", allowed: Iterable[str] = ()) -> TcError:
    """The kernel's no: its own words, or those of its error number; then ``more``."""
    errno = errno_of(error)
    message: str = getattr(error, "message", str(error))
    printed = f"Error: {message}." if message else f"RTNETLINK answers: {ERRNO_TEXT[errno]}"
    return TcError(word, printed + more, allowed=", ".join(allowed), status=KERNEL_STATUS)
