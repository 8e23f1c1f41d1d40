"""A capture's packets on their way from the process that has read it to the one that sends them.

The file holds pickled batches of (time stamp in ns, values of a :class:`Skb`'s fields), without its destructor.
Taking a packet out of it costs a fifth of what making it of a captured frame does.
"""

from __future__ import annotations

import pickle
from collections.abc import Generator, Iterable
from dataclasses import fields
from operator import attrgetter
from pathlib import Path

from ringwire.skb import Skb

BATCH = 64
"""Packets pickled together."""
_FIELDS = [field.name for field in fields(Skb)]
# as many as the constructor takes in this order
_values = attrgetter(*_FIELDS[: _FIELDS.index("destructor")])


def write_packets(path: Path, packets: Iterable[tuple[int, Skb]]) -> Generator[tuple[int, Skb]]:
    """Write packets to a new file as they pass by; it is whole once the last one has. OSError if there is no room."""
    with path.open("xb") as file:
        batch: list[tuple[int, tuple[object, ...]]] = []
        for time_ns, skb in packets:
            batch.append((time_ns, _values(skb)))
            if len(batch) == BATCH:
                pickle.dump(batch, file, pickle.HIGHEST_PROTOCOL)
                batch = []
            yield time_ns, skb
        if batch:
            pickle.dump(batch, file, pickle.HIGHEST_PROTOCOL)


def read_packets(path: Path) -> Generator[tuple[int, Skb]]:
    """The packets of such a file, as many times as wanted."""
    with path.open("rb") as file:
        while file.peek(1):
            for time_ns, values in pickle.load(file):
                yield time_ns, Skb(*values)
