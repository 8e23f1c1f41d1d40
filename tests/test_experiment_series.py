"""Series and histograms: right figures, and memory that does not grow with the run."""

from __future__ import annotations

from math import ceil
from random import Random

import pytest

from ringwire.experiment.bins import MOST_BINS, Bins, Sample, last, least, most, total
from ringwire.experiment.histogram import Histogram


def test_bins_merge_what_falls_into_one_each_in_its_own_way() -> None:
    for merge, expected in ((total, 9.0), (most, 5.0), (least, 1.0), (last, 3.0)):
        bins = Bins(10, merge)
        for value in (1.0, 5.0, 3.0):
            bins.add(17, value)
        assert bins.values == [None, expected]


def test_bins_become_wider_when_there_are_too_many_and_lose_no_sum_and_no_extreme() -> None:
    sums, tops, lows, lasts = (Bins(10, merge) for merge in (total, most, least, last))
    random = Random(1)
    values = [random.randrange(-100, 100) for _ in range(20_000)]
    for index, value in enumerate(values):
        for bins in (sums, tops, lows, lasts):
            bins.add(10 * index, value)
    assert sums.width_ns == 160
    assert len(sums.values) <= MOST_BINS
    chunks = [values[at : at + 16] for at in range(0, len(values), 16)]
    assert sums.values == [sum(chunk) for chunk in chunks]
    assert tops.values == [max(chunk) for chunk in chunks]
    assert lows.values == [min(chunk) for chunk in chunks]
    assert lasts.values == [chunk[-1] for chunk in chunks]


def test_a_value_far_ahead_leaves_empty_bins_between() -> None:
    bins = Bins(1, total)
    bins.add(0, 1)
    bins.add(10 * MOST_BINS, 2)
    assert bins.width_ns == 16
    assert len(bins.values) <= MOST_BINS
    assert [value for value in bins.values if value is not None] == [1, 2]


def test_bins_can_be_made_as_wide_as_others() -> None:
    bins = Bins(10, total)
    for time_ns in (0, 10, 20, 30, 40):
        bins.add(time_ns, 1)
    bins.coarsen_to(40)
    assert (bins.width_ns, bins.values) == (40, [4, 1])


def test_a_sample_keeps_every_nth_whose_n_doubles() -> None:
    sample: Sample[int] = Sample(100)
    for index in range(1000):
        if sample.take():
            sample.keep(index)
    assert sample.stride == 16
    assert sample.rows == list(range(0, 1000, 16))


def test_a_sample_keeps_all_as_long_as_there_is_room() -> None:
    sample: Sample[int] = Sample(100)
    for index in range(100):
        assert sample.take()
        sample.keep(index)
    assert sample.rows == list(range(100))


@pytest.mark.parametrize("scale", [1, 300, 10_000, 10**9])
def test_percentiles_are_within_half_a_percent_and_the_ends_exact(scale: int) -> None:
    random, histogram = Random(scale), Histogram()
    values = sorted(round(scale * random.lognormvariate(0, 2)) for _ in range(5000))
    for value in values:
        histogram.add(value)
    assert histogram.count == len(values)
    assert histogram.mean == pytest.approx(sum(values) / len(values))
    for share in (0.01, 0.5, 0.95, 0.99, 0.999):
        exact = values[ceil(share * len(values)) - 1]
        assert histogram.percentile(share) == pytest.approx(exact, rel=0.004, abs=0.5)
    assert (histogram.percentile(0), histogram.percentile(1)) == (values[0], values[-1])


@pytest.mark.parametrize(
    ("share", "wanted"), [(0, 10), (0.2, 10), (0.21, 20), (0.5, 30), (0.6, 30), (0.8, 40), (0.95, 50), (1, 50)]
)
def test_a_percentile_of_few_is_the_least_that_so_many_are_not_above(share: float, wanted: int) -> None:
    histogram = Histogram()
    for value in (50, 10, 40, 20, 30):
        histogram.add(value)
    assert histogram.percentile(share) == wanted


def test_every_value_is_counted_in_a_bin_that_holds_it() -> None:
    for value in (*range(2000), 2**20 - 1, 2**20, 2**20 + 1, 2**40 + 12_345):
        histogram = Histogram()
        histogram.add(value)
        histogram.add(2 * value + 1000)
        assert histogram.percentile(0.4) == pytest.approx(value, rel=0.004, abs=0.5)


def test_a_histogram_of_nothing_is_0() -> None:
    assert (Histogram().mean, Histogram().percentile(0.5)) == (0.0, 0.0)
