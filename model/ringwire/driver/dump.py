"""What the driver logs of a queue that does not get on: the fields that Intel's drivers print, and the ring itself.

Names and form (``name <hexadecimal>``) are those that igb and e1000e have, so that a log reads as one is used to. TDH
is what the device is done with, TDT what it was told. A next_to_watch.status of 1 means that the device has reported
the oldest packet and the driver has not seen it: an interrupt is missing, and the device is well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ringwire.nic.descriptors import (
    COMPLETION_BYTES,
    DESCRIPTOR_BYTES,
    DescFlag,
    SegType,
    unpack_completion,
    unpack_data,
)
from ringwire.skb import Skb

MOST_SLOTS = 64
"""Descriptors that are shown; of more, those at both ends."""
COMPLETIONS = 4
NS_PER_US = 1000
NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class PacketInFlight:
    """A packet on the ring: its first and last slot, and when it was put there."""

    skb: Skb
    first: int
    last: int
    posted_ns: int


@dataclass(frozen=True, slots=True)
class RingState:
    """A queue of the driver at one time. Indexes are ring indexes, ``consumed`` is free-running."""

    name: str
    queue: int
    now_ns: int
    hz: int
    stopped_ns: int
    timeouts: int
    next_to_use: int
    next_to_clean: int
    told: int
    """The last doorbell."""
    consumed: int
    entries: int
    ring: memoryview
    completions: memoryview
    head: tuple[int, int] | None
    """Head record (index, count), with head write-back."""
    packets: tuple[PacketInFlight, ...]
    """Those in flight, the oldest first."""
    summary: str

    @property
    def reported(self) -> bool:
        """The device has reported more than the driver has seen."""
        if self.head is not None:
            return self.head[1] != self.consumed
        return self.is_new(self.consumed)

    def is_new(self, number: int) -> bool:
        """The completion is of this pass over the ring."""
        phase = 1 - (number // self.entries & 1)
        return unpack_completion(self.completions, number % self.entries * COMPLETION_BYTES).phase == phase


def hang(state: RingState, registers: Mapping[str, int]) -> str:
    """Everything, several lines; ``registers`` are the queue's, by name."""
    return "\n".join((*_fields(state, registers), *_ring(state, registers.get("HEAD", 0)), *_completions(state)))


def _fields(state: RingState, registers: Mapping[str, int]) -> Iterator[str]:
    oldest = state.packets[0] if state.packets else None
    yield f"{state.name} tx-{state.queue}: Tx Unit Hang"
    yield from _values(
        ("Tx Queue", state.queue),
        ("TDH", registers.get("HEAD", 0)),
        ("TDT", state.told),
        ("next_to_use", state.next_to_use),
        ("next_to_clean", state.next_to_clean),
    )
    yield "buffer_info[next_to_clean]"
    yield from _values(
        ("time_stamp", (oldest.posted_ns if oldest is not None else 0) * state.hz // NS_PER_S),
        ("next_to_watch", oldest.last if oldest is not None else state.next_to_clean),
        ("jiffies", state.now_ns * state.hz // NS_PER_S),
        ("next_to_watch.status", int(state.reported)),
    )
    yield "registers of the queue"
    yield from _values(*registers.items())
    stopped_us = (state.now_ns - state.stopped_ns) // NS_PER_US
    yield f"{state.summary}; stopped {stopped_us} us ago, timeouts so far: {state.timeouts}"


def _values(*pairs: tuple[str, int]) -> Iterator[str]:
    for name, value in pairs:
        yield f"  {name:<20} <{value:x}>"


def _ring(state: RingState, head: int) -> Iterator[str]:
    """The descriptors in flight, a line each, with where the indexes are and which packets they belong to."""
    count = (state.next_to_use - state.next_to_clean) % state.entries
    yield f"ring of {state.entries} descriptors, {count} of them in flight"
    if not count:
        return
    yield "  slot address          length flags              asks for"
    begins = {packet.first: packet for packet in state.packets}
    slots = [(state.next_to_clean + step) % state.entries for step in range(count)]
    left_out = slots[MOST_SLOTS // 2 : -MOST_SLOTS // 2] if count > MOST_SLOTS else []
    for slot in slots:
        if left_out and slot == left_out[0]:
            yield f"  ... {len(left_out)} more ..."
        if slot in left_out:
            continue
        packet = begins.get(slot)
        if packet is not None:
            age_us = (state.now_ns - packet.posted_ns) // NS_PER_US
            yield f"  packet of {packet.skb.len} bytes, slots {slot:x} to {packet.last:x}, posted {age_us} us ago"
        marks = [
            name
            for name, at in (("next_to_clean", state.next_to_clean), ("TDH", head), ("TDT", state.told))
            if at == slot
        ]
        yield f"  {slot:4x} {_descriptor(state.ring, slot)}{'  <- ' + ', '.join(marks) if marks else ''}"


def _descriptor(ring: memoryview, slot: int) -> str:
    addr, length, bits, start, offset, last = unpack_data(ring[slot * DESCRIPTOR_BYTES : (slot + 1) * DESCRIPTOR_BYTES])
    flags = DescFlag(bits)
    names = " ".join(flag.name or "" for flag in DescFlag if flag in flags)
    if DescFlag.OFFLOAD in flags:
        kind = last >> 9 & 7
        name = {each.value: each.name for each in SegType}.get(kind, str(kind))
        wishes = f"{name}, mss {length}, header {last & 0x1FF}, l3 {start}, l4 {offset}"
        wishes += f", launch {addr >> 16} ns" if addr else ""
        return f"{'':16} {'':6} {names:18} {wishes}"
    wishes = f"checksum at {start} + {offset}" if DescFlag.CSUM in flags else ""
    wishes += f"{', ' if wishes else ''}tag {last:#06x}" if DescFlag.VLAN in flags else ""
    return f"{addr:016x} {length:6} {names:18} {wishes}".rstrip()


def _completions(state: RingState) -> Iterator[str]:
    """What is next in the completion ring."""
    if state.head is not None:
        yield f"head record: index {state.head[0]:x}, {state.head[1]} reports, {state.consumed} of them taken"
        return
    yield f"completions from {state.consumed % state.entries:x}, the next to be taken"
    for number in range(state.consumed, state.consumed + COMPLETIONS):
        slot = number % state.entries
        found = unpack_completion(state.completions, slot * COMPLETION_BYTES)
        what = f"up to {found.ring_index:x}, {found.status.name}" if state.is_new(number) else "not written"
        yield f"  {slot:4x} {what}"
