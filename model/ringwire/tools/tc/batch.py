"""Files of ``tc`` lines: how they are split, and what is said when some fail; after lib/utils.c of iproute2 6.1."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ringwire.tools.tc.errors import PARSE_STATUS, TcError
from ringwire.tools.words import CommandError, Word


class Failure(NamedTuple):
    """A line, from 1, and why it failed."""

    number: int
    cause: CommandError


class BatchError(TcError):
    """Lines of a batch that failed: all with ``-force``, else the first."""

    def __init__(self, name: Word, failures: Sequence[Failure], output: str) -> None:
        said = (f"{getattr(cause, 'printed', cause)}\nCommand failed {name.text}:{line}" for line, cause in failures)
        super().__init__(name, "\n".join(said), status=PARSE_STATUS, output=output)
        self.failures = tuple(failures)


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """(number, line) of those that say something; one that ends with a backslash goes on in the next."""
    lines = iter(enumerate(text.splitlines(), start=1))
    for number, line in lines:
        line = line.partition("#")[0]
        while line.endswith("\\"):
            number, following = next(lines, (number, ""))
            # columns are those of the last line only where nothing is continued
            line = line[:-1] + following.partition("#")[0]
        if line.strip():
            yield number, line
