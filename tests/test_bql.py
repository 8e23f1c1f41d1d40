"""Byte queue limits beyond the recorded traces: invariants, wrapping counters, knobs, misuse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringwire.bql import KNOBS, MAX_LIMIT, MAX_OBJECT, BqlOvercompletion, Dql, KnobError

WRAP = 2**32

steps = st.lists(
    st.one_of(
        st.tuples(st.just("queue"), st.integers(1, 70_000)),
        st.tuples(st.just("complete"), st.integers(0, 100)),
        st.tuples(st.just("wait"), st.integers(0, 2_000)),
    ),
    max_size=80,
)


class Bench:
    """A Dql with a clock of its own, driven by ``steps``."""

    def __init__(self, start: int = 0) -> None:
        self.now = 1_000
        self.dql = Dql(lambda: self.now)
        if start:
            dql = self.dql
            dql.num_queued = dql.num_completed = dql.prev_num_queued = dql.adj_limit = start % WRAP
        self.inflight = 0

    def step(self, op: tuple[str, int]) -> None:
        what, value = op
        if what == "queue":
            self.dql.queued(value)
            self.inflight += value
        elif what == "complete":
            count = self.inflight * value // 100
            self.dql.completed(count)
            self.inflight -= count
        else:
            self.now += value


@given(steps)
def test_bytes_in_flight_are_those_queued_and_not_completed(ops: list[tuple[str, int]]) -> None:
    bench = Bench()
    for op in ops:
        bench.step(op)
        assert bench.dql.inflight == bench.inflight


@given(steps, st.integers(0, 200_000), st.integers(0, 200_000))
def test_limit_stays_within_its_bounds(ops: list[tuple[str, int]], least: int, most: int) -> None:
    bench = Bench()
    bench.dql.store("limit_min", str(least))
    bench.dql.store("limit_max", str(most))
    for op in ops:
        bench.step(op)
        if op[0] == "complete":
            # Where the bounds cross, a limit below the one and above the other goes to and fro, as in Linux.
            assert min(least, most) <= bench.dql.limit <= max(least, most)


@given(steps, st.integers(0, WRAP - 1))
def test_only_differences_of_the_counters_matter(ops: list[tuple[str, int]], start: int) -> None:
    plain, shifted = Bench(), Bench(start)
    for op in ops:
        plain.step(op)
        shifted.step(op)
        assert (plain.dql.limit, plain.dql.avail(), plain.dql.lowest_slack) == (
            shifted.dql.limit,
            shifted.dql.avail(),
            shifted.dql.lowest_slack,
        )
        assert (shifted.dql.num_queued - plain.dql.num_queued) % WRAP == start


@pytest.mark.parametrize("length", [60, 1506, 1514, 65_226])
def test_limit_settles_at_two_packets_where_each_completes_alone(length: int) -> None:
    bench = Bench()
    for _ in range(50):
        while bench.dql.avail() >= 0:
            bench.step(("queue", length))
        bench.now += 1
        bench.dql.completed(length)
        bench.inflight -= length
    assert bench.dql.limit == 2 * length


def test_first_packet_always_passes_and_then_waits_for_its_completion() -> None:
    dql = Dql(lambda: 0)
    assert dql.avail() == 0
    dql.queued(1514)
    assert dql.avail() < 0
    dql.completed(1514)
    assert dql.avail() == dql.limit == 1514


def test_reset_keeps_the_room_of_before_until_the_next_completion() -> None:
    bench = Bench()
    for op in (("queue", 3000), ("complete", 100)):
        bench.step(op)
    room = bench.dql.adj_limit
    bench.dql.reset()
    assert (bench.dql.avail(), bench.dql.limit, bench.dql.inflight) == (room, 0, 0)


def test_completing_more_than_is_in_flight_is_an_error_that_says_how_much() -> None:
    dql = Dql(lambda: 0)
    dql.queued(1514)
    with pytest.raises(BqlOvercompletion, match=r"completed 3028 bytes with 1514 in flight \(queued 1514, completed 0"):
        dql.completed(3028)
    assert (dql.num_completed, dql.inflight) == (0, 1514)
    dql.completed(1514)
    with pytest.raises(BqlOvercompletion, match="completed 1 bytes with 0 in flight"):
        dql.completed(1)


def test_an_object_too_large_is_refused_and_counted() -> None:
    dql = Dql(lambda: 0)
    dql.queued(MAX_OBJECT)
    dql.queued(MAX_OBJECT + 1)
    assert (dql.num_queued, dql.refused) == (MAX_OBJECT, 1)


def test_a_completion_after_silence_is_a_stall() -> None:
    bench = Bench()
    dql = bench.dql
    dql.store("stall_thrs", "8")
    bench.step(("queue", 100))
    bench.now += 7
    bench.step(("complete", 50))
    assert (dql.stall_cnt, dql.stall_max) == (0, 0), "seven jiffies are no stall"
    bench.step(("queue", 100))
    bench.now += 20
    bench.step(("complete", 100))
    assert (dql.stall_cnt, dql.stall_max) == (0, 0), "queued in the jiffy of the last completion"
    bench.now += 1
    bench.step(("queue", 100))
    bench.now += 20
    bench.step(("complete", 100))
    assert (dql.stall_cnt, dql.stall_max) == (1, 20)
    dql.store("stall_max", "anything")
    assert dql.show("stall_max") == "0"


@pytest.mark.parametrize(("queued_after", "stalls"), [(1, 1), (10, 1), (11, 0), (19, 0)])
def test_only_what_was_queued_in_the_first_half_of_the_silence_counts(queued_after: int, stalls: int) -> None:
    bench = Bench()
    bench.dql.set_stall_thrs(20)
    bench.now += queued_after
    bench.step(("queue", 100))
    bench.now += 20 - queued_after
    bench.step(("complete", 100))
    assert bench.dql.stall_cnt == stalls


def test_a_stall_is_dated_no_further_back_than_four_words_of_jiffies() -> None:
    bench = Bench()
    bench.dql.set_stall_thrs(8)
    bench.now = 64 * 100
    bench.step(("queue", 100))
    bench.now = 64 * 103 + 63
    bench.step(("queue", 100))
    bench.now += 10
    bench.step(("complete", 50))
    assert bench.dql.stall_max == 64 * 3 + 63 + 10, "the fourth word back is still looked at"
    bench.dql.store("stall_max", "0")
    bench.now = 64 * 110
    bench.step(("queue", 100))
    bench.now = 64 * 114
    bench.step(("queue", 100))
    bench.now += 10
    bench.step(("complete", 50))
    assert bench.dql.stall_max == 10, "the fifth is not"


def test_knobs_show_linux_defaults() -> None:
    dql = Dql(lambda: 0)
    assert {knob: dql.show(knob) for knob in KNOBS} == {
        "hold_time": "1000",
        "inflight": "0",
        "limit": "0",
        "limit_max": "1879048192",
        "limit_min": "0",
        "stall_cnt": "0",
        "stall_max": "0",
        "stall_thrs": "0",
    }


def test_times_are_milliseconds_whatever_the_clock_ticks() -> None:
    dql = Dql(lambda: 0, hz=100)
    assert (dql.slack_hold_time, dql.show("hold_time")) == (100, "1000")
    dql.store("hold_time", "25\n")
    assert (dql.slack_hold_time, dql.show("hold_time")) == (3, "30")
    dql.store("stall_thrs", "40")
    assert (dql.stall_thrs, dql.show("stall_thrs")) == (4, "40")


@pytest.mark.parametrize("knob", ["limit", "limit_min", "limit_max"])
def test_limits_take_numbers_up_to_the_largest_or_max(knob: str) -> None:
    dql = Dql(lambda: 0)
    dql.store(knob, "max\n")
    assert dql.show(knob) == str(MAX_LIMIT)
    dql.store(knob, "+3000\n")
    assert dql.show(knob) == "3000"


@pytest.mark.parametrize(
    ("knob", "text", "errno"),
    [
        ("limit", str(MAX_LIMIT + 1), "EINVAL"),
        ("limit_min", "-1", "EINVAL"),
        ("limit_max", "", "EINVAL"),
        ("limit_max", "0x10", "EINVAL"),
        ("limit_max", "10 ", "EINVAL"),
        ("hold_time", "soon", "EINVAL"),
        ("hold_time", "4294967296", "ERANGE"),
        ("stall_thrs", "3", "ERANGE"),
        ("stall_thrs", "129", "ERANGE"),
        ("inflight", "0", "EACCES"),
        ("stall_cnt", "0", "EACCES"),
    ],
)
def test_knobs_refuse_what_linux_refuses(knob: str, text: str, errno: str) -> None:
    dql = Dql(lambda: 0)
    before = {name: dql.show(name) for name in KNOBS}
    with pytest.raises(KnobError, match=errno) as caught:
        dql.store(knob, text)
    assert caught.value.errno == errno
    assert {name: dql.show(name) for name in KNOBS} == before


def test_an_unknown_knob_is_named() -> None:
    dql = Dql(lambda: 0)
    with pytest.raises(KeyError, match="byte_queue_limits/limits"):
        dql.show("limits")
    with pytest.raises(KeyError, match="byte_queue_limits/limits"):
        dql.store("limits", "1")
