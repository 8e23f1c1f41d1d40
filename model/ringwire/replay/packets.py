"""A capture's packets on their way from the process that has read it to the one that sends them.

A file holds pickled batches of (time stamp in ns, values of a :class:`Skb`'s fields), without its destructor.
Taking a packet out of it costs a fifth of what making it of a captured frame does. With several CPUs that send there is
a file for each, since one of them may be far ahead of another.
"""

from __future__ import annotations

import pickle
from collections.abc import Generator, Iterable
from contextlib import ExitStack
from dataclasses import fields
from operator import attrgetter
from pathlib import Path

from ringwire.skb import Skb

BATCH = 64
"""Packets pickled together."""
_FIELDS = [field.name for field in fields(Skb)]
# as many as the constructor takes in this order
_values = attrgetter(*_FIELDS[: _FIELDS.index("destructor")])


def write_packets(path: Path, packets: Iterable[tuple[int, Skb]], cpus: int = 1) -> Generator[tuple[int, Skb]]:
    """Write packets to new files as they pass by, each flow to a CPU's of its own; they are whole once the last packet
    has. OSError if there is no room.
    """
    with ExitStack() as opened:
        files = [opened.enter_context(share(path, cpu).open("xb")) for cpu in range(cpus)]
        batches: list[list[tuple[int, tuple[object, ...]]]] = [[] for _ in files]
        for time_ns, skb in packets:
            # the low bits: the high ones choose a transmit queue
            cpu = skb.hash % cpus
            batches[cpu].append((time_ns, _values(skb)))
            if len(batches[cpu]) == BATCH:
                pickle.dump(batches[cpu], files[cpu], pickle.HIGHEST_PROTOCOL)
                batches[cpu].clear()
            yield time_ns, skb
        for batch, file in zip(batches, files, strict=True):
            if batch:
                pickle.dump(batch, file, pickle.HIGHEST_PROTOCOL)


def share(path: Path, cpu: int) -> Path:
    """Where the packets of a CPU are."""
    return path.with_name(f"{path.name}.{cpu}")


def read_packets(path: Path, cpu: int = 0) -> Generator[tuple[int, Skb]]:
    """The packets that a CPU sends, as many times as wanted."""
    with share(path, cpu).open("rb") as file:
        while file.peek(1):
            for time_ns, values in pickle.load(file):
                yield time_ns, Skb(*values)
