"""The host's clock: the timeline's order, and CPUs on which work takes time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from ringwire.host.cpu import Cpus, HostCosts, Level
from ringwire.host.napi import Napi
from ringwire.host.timeline import Event, Timeline


@given(st.lists(st.integers(0, 20), max_size=40), st.sets(st.integers(0, 39)))
def test_events_run_by_time_then_by_insertion_and_cancelled_ones_never(times: list[int], cancelled: set[int]) -> None:
    timeline = Timeline()
    ran: list[tuple[int, int]] = []
    events: list[Event] = []

    def note(number: int) -> None:
        ran.append((timeline.now_ns, number))

    for number, when in enumerate(times):
        events.append(timeline.call_at(when, partial(note, number)))
    for number in cancelled & set(range(len(times))):
        events[number].cancel()
    kept = sorted((when, number) for number, when in enumerate(times) if number not in cancelled)
    assert timeline.next_ns() == (kept[0][0] if kept else None)
    timeline.run_until(100)
    assert ran == kept
    assert timeline.now_ns == 100
    assert timeline.next_ns() is None


def test_run_until_runs_what_events_add_and_leaves_what_is_later() -> None:
    timeline = Timeline()
    ran: list[int] = []

    def again() -> None:
        ran.append(timeline.now_ns)
        timeline.call_at(timeline.now_ns + 4, again)

    timeline.call_at(1, again)
    timeline.run_until(10)
    assert ran == [1, 5, 9]
    assert (timeline.now_ns, timeline.next_ns()) == (10, 13)


def test_an_event_asked_for_in_the_past_runs_now() -> None:
    timeline = Timeline(50)
    ran: list[int] = []
    timeline.call_at(3, lambda: ran.append(timeline.now_ns))
    timeline.run_until(50)
    assert ran == [50]


def test_cancelling_from_inside_another_event_of_the_same_time_works() -> None:
    timeline = Timeline()
    ran: list[str] = []
    timeline.call_at(5, lambda: second.cancel())
    second = timeline.call_at(5, lambda: ran.append("second"))
    timeline.run_until(5)
    assert ran == []


def machine(count: int = 1) -> tuple[Timeline, Cpus]:
    timeline = Timeline()
    return timeline, Cpus(timeline, count, HostCosts())


def job(cpus: Cpus, ran: list[tuple[str, int]], name: str, cost_ns: int) -> Callable[[], None]:
    """A job that notes when it began and is charged."""

    def work() -> None:
        ran.append((name, cpus.now_ns()))
        cpus.charge(cost_ns)

    return work


def test_work_waits_while_its_cpu_is_busy_and_the_other_cpu_does_not() -> None:
    timeline, cpus = machine(2)
    ran: list[tuple[str, int]] = []
    cpus[0].call_at(0, job(cpus, ran, "long", 100))
    cpus[0].call_at(10, job(cpus, ran, "waits", 5))
    cpus[1].call_at(10, job(cpus, ran, "elsewhere", 5))
    timeline.run_until(1000)
    assert ran == [("long", 0), ("elsewhere", 10), ("waits", 100)]
    assert (cpus[0].busy_ns, cpus[1].busy_ns) == (105, 5)


def test_waiting_interrupts_go_before_softirqs_and_those_before_tasks() -> None:
    timeline, cpus = machine()
    ran: list[tuple[str, int]] = []
    cpus[0].call_at(0, job(cpus, ran, "running", 50))
    for name, level in (("task", Level.TASK), ("softirq", Level.SOFTIRQ), ("irq", Level.INTERRUPT)):
        cpus[0].call_at(10, job(cpus, ran, name, 10), level)
    cpus[0].call_at(55, job(cpus, ran, "late irq", 10), Level.INTERRUPT)
    timeline.run_until(1000)
    assert ran == [("running", 0), ("irq", 50), ("late irq", 60), ("softirq", 70), ("task", 80)]


def test_jobs_that_cost_nothing_do_not_delay_those_behind_them() -> None:
    timeline, cpus = machine()
    ran: list[tuple[str, int]] = []
    cpus[0].call_at(0, job(cpus, ran, "busy", 7))
    for name in "abc":
        cpus[0].call_at(1, job(cpus, ran, name, 0))
    timeline.run_until(7)
    assert ran == [("busy", 0), ("a", 7), ("b", 7), ("c", 7)]


def test_a_job_cancelled_while_it_waits_for_its_cpu_never_runs() -> None:
    timeline, cpus = machine()
    ran: list[tuple[str, int]] = []
    cpus[0].call_at(0, job(cpus, ran, "busy", 50))
    waiting = cpus[0].call_at(10, job(cpus, ran, "cancelled", 1))
    cpus[0].call_at(60, job(cpus, ran, "after", 1))
    timeline.run_until(20)
    waiting.cancel()
    timeline.run_until(100)
    assert ran == [("busy", 0), ("after", 60)]


def test_a_timer_of_running_code_runs_on_its_cpu_and_one_from_outside_on_the_first() -> None:
    timeline, cpus = machine(2)
    where: list[int] = []

    def note() -> None:
        assert cpus.running is not None
        where.append(cpus.running.index)

    def ask() -> None:
        cpus.call_at(20, note)

    cpus[1].call_at(10, ask)
    cpus.call_at(30, note)
    timeline.run_until(100)
    assert where == [1, 0]


def test_the_clock_of_running_code_moves_with_its_charges_and_that_outside_does_not() -> None:
    timeline, cpus = machine()
    seen: list[int] = []

    def work() -> None:
        for _ in range(3):
            seen.append(cpus.now_ns())
            cpus.charge(10)

    cpus[0].call_at(100, work)
    timeline.run_until(100)
    assert seen == [100, 110, 120]
    cpus.charge(1000)
    assert cpus.now_ns() == timeline.now_ns == 100


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9), st.sampled_from(list(Level))), max_size=30))
def test_a_cpu_runs_every_job_once_never_two_at_a_time_and_never_idles_with_one_waiting(
    jobs: list[tuple[int, int, Level]],
) -> None:
    timeline, cpus = machine()
    ran: list[tuple[int, int, int]] = []

    def work(number: int, cost: int) -> None:
        begin = cpus.now_ns()
        cpus.charge(cost)
        ran.append((number, begin, begin + cost))

    for number, (when, cost, level) in enumerate(jobs):
        cpus[0].call_at(when, partial(work, number, cost), level)
    timeline.run_until(1000)
    assert sorted(number for number, _, _ in ran) == list(range(len(jobs)))
    free = 0
    left = dict(enumerate(jobs))
    for number, begin, end in ran:
        assert begin >= max(free, left[number][0])
        assert begin == max(free, min(when for when, _, _ in left.values()))
        free = end
        del left[number]


def test_napi_polls_until_it_finds_less_than_its_budget_and_lets_other_work_in_between() -> None:
    timeline, cpus = machine()
    order: list[str] = []
    left = [3, 3, 1]

    def poll(budget: int) -> int:
        assert budget == 3
        order.append("poll")
        cpus.charge(10)
        done = left.pop(0)
        if done < budget:
            napi.complete()
        return done

    napi = Napi(cpus[0], poll, weight=3)
    napi.schedule()
    napi.schedule()
    cpus[0].call_at(5, lambda: order.append("other"))
    timeline.run_until(1000)
    assert order == ["poll", "other", "poll", "poll"]
    left.append(0)
    napi.schedule()
    timeline.run_until(2000)
    assert order[4:] == ["poll"]


def test_napi_that_is_disabled_does_not_poll_even_if_it_was_scheduled_before() -> None:
    timeline, cpus = machine()
    polls: list[int] = []

    def poll(budget: int) -> int:
        polls.append(timeline.now_ns)
        napi.complete()
        return 0

    napi = Napi(cpus[0], poll)
    napi.schedule()
    napi.disable()
    timeline.run_until(10)
    napi.schedule()
    timeline.run_until(20)
    assert polls == []
    napi.enable()
    napi.schedule()
    timeline.run_until(30)
    assert polls == [20]
