"""Congestion control and round-trip times against their documents' arithmetic."""

from __future__ import annotations

import pytest

from ringwire.transport.congestion import ALGORITHMS, UnknownCongestionControl, Window
from ringwire.transport.congestion.cubic import Cubic, k_seconds, w_cubic
from ringwire.transport.congestion.hystart import HyStart
from ringwire.transport.congestion.reno import Reno
from ringwire.transport.pacing import PacingStatus
from ringwire.transport.rtt import RTO_MAX_US, RttEstimator


def test_there_are_reno_and_cubic_and_another_name_is_refused() -> None:
    assert ALGORITHMS.kinds() == ["cubic", "reno"]
    with pytest.raises(UnknownCongestionControl, match=r"no congestion control 'bic' \(there are cubic, reno\)"):
        ALGORITHMS.find("bic")


def test_slow_start_doubles_in_a_round_trip_and_stops_at_ssthresh() -> None:
    window = Window(cwnd=10, ssthresh=32, cwnd_limited=True)
    reno = Reno(window)
    for expected in (20, 32):
        reno.acked(window.cwnd, 0)
        assert window.cwnd == expected if expected < 32 else window.cwnd >= 32
    # 12 of 20 lead to ssthresh, the other 8 count towards the next segment: 24 more and there are 32
    assert window.cwnd == 32
    reno.acked(23, 0)
    assert window.cwnd == 32
    reno.acked(1, 0)
    assert window.cwnd == 33


def test_reno_grows_by_a_segment_a_window_and_halves() -> None:
    window = Window(cwnd=20, ssthresh=10, cwnd_limited=True)
    reno = Reno(window)
    for cwnd in (20, 21, 22):
        for _ in range(cwnd):
            assert window.cwnd == cwnd
            reno.acked(1, 0)
    assert window.cwnd == 23 and reno.after_loss() == 11
    window.cwnd = 3
    assert reno.after_loss() == 2


@pytest.mark.parametrize("algorithm", [Reno, Cubic])
def test_a_window_that_is_not_used_does_not_grow(algorithm: type[Reno]) -> None:
    window = Window(cwnd=20, ssthresh=10, cwnd_limited=False, max_packets_out=20)
    algorithm(window).acked(1000, 0)
    assert window.cwnd == 20
    window.ssthresh, window.max_packets_out = 1000, 10
    algorithm(window).acked(5, 0)
    assert window.cwnd == 20, "in slow start half of it has to be used, and more"
    window.max_packets_out = 11
    algorithm(window).acked(5, 0)
    assert window.cwnd == 25


def test_cubic_leaves_seven_tenths_and_remembers_where_the_loss_was() -> None:
    window = Window(cwnd=1000, cwnd_limited=True)
    cubic = Cubic(window)
    assert (cubic.after_loss(), cubic.w_max) == (700, 1000)
    window.cwnd = 900
    assert (cubic.after_loss(), cubic.w_max) == (630, 900 * 1.7 / 2), "fast convergence: below the loss before"
    window.cwnd = 2
    assert cubic.after_loss() == 2


@pytest.mark.parametrize("loss_at", [400, 2000])
def test_cubic_follows_the_closed_form_of_the_rfc(loss_at: int) -> None:
    """W(t) = C (t - K)^3 + W_max, a round trip ahead; a segment or two behind for it grows by whole segments."""
    rtt_us = 100_000
    window = Window(cwnd=loss_at, ssthresh=loss_at, cwnd_limited=True, srtt_shl3=rtt_us << 3)
    cubic = Cubic(window)
    window.cwnd = window.ssthresh = cubic.after_loss()
    k_s = k_seconds(loss_at, window.cwnd)
    assert k_s == pytest.approx((loss_at * 0.3 / 0.4) ** (1 / 3), rel=1e-12)
    start_us = now_us = 5_000_000
    reached: list[tuple[float, int]] = []
    while now_us - start_us < (k_s + 4) * 1e6:
        steps = window.cwnd
        for step in range(steps):
            cubic.acked(1, now_us + rtt_us * step // steps)
        now_us += rtt_us
        reached.append(((now_us - start_us) / 1e6, window.cwnd))
    for t_s, cwnd in reached:
        assert w_cubic(t_s - 0.1, k_s, loss_at) - 2 <= cwnd <= w_cubic(t_s + 0.1, k_s, loss_at) + 2, t_s
    at_k = min(reached, key=lambda point: abs(point[0] - k_s))
    assert abs(at_k[1] - loss_at) <= 2, "the plateau is where the loss was"


def test_cubic_is_as_fast_as_reno_on_a_short_path() -> None:
    """Reno's window grows by ALPHA, 9/17, segments a round trip until it is where the loss was, then by 1."""
    rtt_us = 1_000
    window = Window(cwnd=100, ssthresh=100, cwnd_limited=True, srtt_shl3=rtt_us << 3)
    cubic = Cubic(window)
    window.cwnd = window.ssthresh = cubic.after_loss()
    assert window.cwnd == 70
    now_us = 0
    for _ in range(34):
        for _ in range(window.cwnd):
            cubic.acked(1, now_us)
        now_us += rtt_us
    assert abs(window.cwnd - (70 + 34 * 9 / 17)) <= 1.5
    while window.cwnd < 102:
        for _ in range(window.cwnd):
            cubic.acked(1, now_us)
        now_us += rtt_us
    before = window.cwnd
    for _ in range(10):
        for _ in range(window.cwnd):
            cubic.acked(1, now_us)
        now_us += rtt_us
    assert 9 <= window.cwnd - before <= 11


def test_cubic_starts_anew_after_a_timeout() -> None:
    window = Window(cwnd=500, cwnd_limited=True, srtt_shl3=800_000)
    cubic = Cubic(window)
    window.cwnd = window.ssthresh = cubic.after_loss()
    cubic.timed_out()
    for _ in range(350):
        cubic.acked(1, 1000)
    assert (cubic.k_s, cubic.w_max) == (0.0, 350.0), "K is 0 and the window's maximum is where it stands (section 4.8)"


def test_hystart_ends_slow_start_when_the_round_trip_rises_by_an_eighth() -> None:
    window = Window(cwnd=100, cwnd_limited=True)
    hystart = HyStart(window)
    hystart.begin_round(0)
    minimum = 80_000
    # acknowledgements far apart: only the delay counts, of the least of nine samples; an eighth is 10 ms
    answers = [hystart.found(minimum + 10_001, minimum, 10_000 * (1 + index)) for index in range(9)]
    assert answers == [False] * 8 + [True]
    hystart.begin_round(0)
    assert not any(hystart.found(minimum + 10_000, minimum, 10_000 * (1 + index)) for index in range(20))
    window.cwnd = 15
    hystart.begin_round(0)
    assert not any(hystart.found(minimum * 2, minimum, 10_000 * (1 + index)) for index in range(20)), "a low window"


@pytest.mark.parametrize(("status", "first_us"), [(PacingStatus.NONE, 20_000), (PacingStatus.FQ, 40_000)])
def test_hystart_ends_slow_start_when_a_train_of_acks_is_half_a_round_trip_long(
    status: PacingStatus, first_us: int
) -> None:
    window = Window(cwnd=100, cwnd_limited=True, pacing_status=status)
    hystart = HyStart(window)
    hystart.begin_round(0)
    times = range(1_000, 60_000, 1_000)
    found = [now_us for now_us in times if hystart.found(40_000, 40_000, now_us)]
    assert found[0] == first_us + 1_000, "longer than that"
    hystart.begin_round(0)
    assert not any(hystart.found(40_000, 40_000, now_us) for now_us in range(3_000, 60_000, 3_000)), "with gaps"


def test_the_first_round_trip_sets_the_timeout_by_rfc_6298() -> None:
    rtt = RttEstimator()
    assert rtt.rto_us == 1_000_000
    rtt.sample(30_000, 1, 100)
    # RTTVAR = R/2, four times that is 60 ms; Linux's floor of it is 200 ms
    assert (rtt.srtt_us, rtt.rttvar_us, rtt.rto_us) == (30_000, 200_000, 230_000)
    slow = RttEstimator()
    slow.sample(400_000, 1, 100)
    assert (slow.rttvar_us, slow.rto_us) == (800_000, 1_200_000)


def test_later_round_trips_move_the_average_by_an_eighth_and_the_variation_by_a_quarter() -> None:
    rtt = RttEstimator(rto_min_us=1_000)
    rtt.sample(100_000, 1, 1_000)
    assert rtt.rto_us == 300_000
    rtt.sample(180_000, 500, 2_000)
    # srtt 100 + 80/8; 4 x rttvar: 200 + (80 - 200/4)
    assert (rtt.srtt_us, rtt.rttvar_us, rtt.rto_us) == (110_000, 230_000, 340_000)
    rtt.sample(110_000, 600, 2_000)
    # the variation's estimate falls, 230 - 230/4, but what counts is the largest of the round trip
    assert rtt.rttvar_us == 230_000
    rtt.sample(110_000, 1_001, 3_000)
    # a round trip is over; its largest was 230, so nothing falls yet
    assert rtt.rttvar_us == 230_000
    rtt.sample(110_000, 3_001, 4_000)
    # in the round trip after it the estimates are 230 x 3/4 x 3/4 x 3/4; a quarter of the way down to that
    assert rtt.rttvar_us == 230_000 - (230_000 - 97_032) // 4


def test_a_timeout_doubles_up_to_two_minutes() -> None:
    rtt = RttEstimator()
    rtt.sample(100_000, 1, 1)
    base = rtt.rto_us
    assert base == 300_000
    for backoff in range(12):
        rtt.backoff = backoff
        assert rtt.rto_us == min(base << backoff, RTO_MAX_US)
    assert rtt.rto_us == 120_000_000


def test_the_least_round_trip_is_kept() -> None:
    rtt = RttEstimator()
    for sample in (500, 300, 400, 0):
        rtt.note_min(sample)
    assert rtt.min_us == 1
