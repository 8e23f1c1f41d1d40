"""The ordered structures of the schedulers, against lists that are sorted and searched."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ringwire.qdisc.keyheap import DueQueue, KeyHeap
from ringwire.qdisc.minorset import NONE, MinorSet

steps = st.lists(st.tuples(st.sampled_from(["put", "put", "discard", "take"]), st.integers(0, 9), st.integers(0, 20)))


@given(steps)
def test_keyheap_gives_the_least_key_and_the_first_put_of_equals(ops: list[tuple[str, int, int]]) -> None:
    heap: KeyHeap[int] = KeyHeap()
    there: list[tuple[int, int]] = []
    for what, item, key in ops:
        if what == "put":
            heap.put(item, key)
            there = [each for each in there if each[1] != item]
            there.append((key, item))
        elif what == "discard":
            heap.discard(item)
            there = [each for each in there if each[1] != item]
        first = heap.first()
        assert first == (min(there, key=lambda each: each[0]) if there else None)
        if what == "take" and first is not None:
            heap.discard(first[1])
            there.remove(first)
        assert bool(heap) == bool(there)


@given(steps)
def test_duequeue_gives_the_least_rank_of_those_that_are_due(ops: list[tuple[str, int, int]]) -> None:
    queue: DueQueue[int] = DueQueue()
    there: dict[int, tuple[int, tuple[int, int]]] = {}
    now = 0
    for order, (what, item, value) in enumerate(ops):
        if what == "put":
            rank = (value * 7 % 5, order)
            queue.put(item, now + value - 5, rank)
            there[item] = now + value - 5, rank
        elif what == "discard":
            queue.discard(item)
            there.pop(item, None)
        else:
            now += value
        due = [(rank, each) for each, (when, rank) in there.items() if when <= now]
        assert queue.first(now) == (min(due)[1] if due else None)
        later = [when for when, _ in there.values() if when > now]
        assert queue.next_due() == (min(later) if later else None)


def test_stale_entries_are_cleared_away() -> None:
    heap: KeyHeap[int] = KeyHeap()
    queue: DueQueue[int] = DueQueue()
    for key in range(10_000):
        heap.put(key % 3, 10**9 - key)
        queue.put(key % 3, 10**9 - key, (key,))
    assert len(heap._heap) < 200 and len(queue._later) < 200


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 0xFFFF) | st.sampled_from([0, 255, 256, 0xFF00, 0xFFFF]))))
def test_minorset_finds_the_next_number(ops: list[tuple[bool, int]]) -> None:
    minors, there = MinorSet(), set[int]()
    for add, minor in ops:
        if add:
            minors.add(minor)
            there.add(minor)
        else:
            minors.discard(minor)
            there.discard(minor)
        for start in (minor, minor + 1, 0):
            assert minors.first_from(start) == min((each for each in there if each >= start), default=NONE)
        assert bool(minors) == bool(there)
