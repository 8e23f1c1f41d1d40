"""Plots: what is drawn is what the run has, in SI units, and what can't be drawn is said."""

from __future__ import annotations

import inspect
import re
from typing import Any

import numpy as np
import pytest

from ringwire.experiment.report.chart import Plot, unit_of
from ringwire.experiment.report.flows import CA_STATES, STATES
from ringwire.experiment.report.palette import COLOURS, MOST, Palette
from ringwire.experiment.report.plots import draw
from ringwire.experiment.report.render import columns, document, svg, write_files
from ringwire.experiment.report.thin import Intervals, extremes, groups, spread, steps
from ringwire.experiment.results import Results
from ringwire.traffic.tcp import TcpFlow
from ringwire.transport.recovery import State
from tests.synthetic_results import MS, make_results

ALL = {
    "latency_cdf", "latency_shares", "throughput", "latency", "flow_cwnd_packets", "flow_srtt_ns", "bql",
    "ring_descriptors", "ring_bytes", "backlog", "drops", "interrupts", "packets_per_interrupt", "wire",
    "wire_gaps", "tso", "path_backlog", "path_drops",
}  # fmt: skip


def plots_of(results: Results) -> dict[str, Plot]:
    return {plot.name: plot for plot in draw(results).plots}


def only(**series: dict[str, Any]) -> Results:
    return Results({"title": "t"}, {name: {k: np.array(v) for k, v in table.items()} for name, table in series.items()})


@pytest.mark.parametrize(("flows", "queues"), [(2, 1), (20, 16)])
def test_every_series_has_its_plots(flows: int, queues: int) -> None:
    drawn = draw(make_results(flows=flows, queues=queues, samples=50))
    assert {plot.name for plot in drawn.plots} == ALL
    assert drawn.left_out == [] and drawn.span_s == (0, 0.2)


def test_one_flow_alone_is_drawn_and_what_it_does_not_tell_is_said() -> None:
    drawn = draw(make_results(flows=1, samples=30))
    assert {plot.name for plot in drawn.plots} == ALL - {"flow_cwnd_packets", "flow_srtt_ns"}
    assert drawn.left_out == [("Flows' own state", "the run has no series flow")]


def test_a_run_without_series_has_no_plot_and_says_why_of_each() -> None:
    drawn = draw(Results({"title": "nothing"}, {}))
    assert list(drawn.plots) == []
    assert len(drawn.left_out) == 14 and ("Ring occupancy", "the run has no series ring") in drawn.left_out


def test_empty_series_missing_columns_and_rows_that_are_no_numbers_are_left_out() -> None:
    drawn = draw(
        only(
            throughput={"time_ns": [], "flow": [], "rate_bps": []},
            ring={"time_ns": [1], "queue": [0], "bytes": [2]},
            wire={"time_ns": [1, 2], "utilisation": [np.nan, np.nan], "longest_gap_ns": [1.0, 1.0]},
        )
    )
    assert drawn.plots == []
    reasons = dict(drawn.left_out)
    assert reasons["Throughput by flow"] == "series throughput is empty"
    assert reasons["Ring occupancy"] == "series ring has no column descriptors"
    assert reasons["Wire utilisation and gaps"] == "series wire is empty"


def test_a_quiet_qdisc_has_a_backlog_plot_and_none_of_drops() -> None:
    zero = {name: [0, 0] for name in ("queue", "backlog_bytes", "backlog_packets", "drops", "marks")}
    drawn = draw(only(qdisc={"time_ns": [1, 2], **zero}))
    assert [plot.name for plot in drawn.plots] == ["backlog"]
    assert ("Drops and marks", "nothing was dropped or marked") in drawn.left_out


def latencies(total_ns: list[int], flow: str = "f") -> dict[str, Any]:
    zero = [0] * len(total_ns)
    return {
        "time_ns": list(range(len(total_ns))), "flow": [flow] * len(total_ns), "queue": zero, "bytes": zero,
        "socket_ns": zero, "qdisc_ns": [t // 4 for t in total_ns], "ring_ns": zero, "nic_ns": zero,
        "wire_ns": [t - t // 4 for t in total_ns], "total_ns": total_ns,
    }  # fmt: skip


def test_the_buffer_of_a_bottleneck_is_drawn_and_its_drops_if_there_are_any() -> None:
    results = make_results()
    found = {"time_ns": np.array([0, MS, 2 * MS]), "path": np.array(["dsl"] * 3, object)}
    found |= {"backlog_bytes": np.array([0, 3028, 1514]), "backlog_frames": np.array([0, 2, 1])}
    results.series["path"] = found | {"drops": np.array([0, 0, 2]), "marks": np.zeros(3, int)}
    plots = {plot.name: plot for plot in draw(results).plots}
    assert list(plots["path_backlog"].data["path_backlog"]["value"]) == [0, 3028, 1514]
    assert max(plots["path_drops"].data["path_drops"]["count"]) == 2
    assert [key.name for key in plots["path_drops"].keys] == ["drops"]
    results.series["path"] = found | {"drops": np.zeros(3, int), "marks": np.zeros(3, int)}
    drawn = draw(results)
    assert "path_drops" not in {plot.name for plot in drawn.plots}
    assert ("Drops and marks on the path", "no bottleneck has dropped or marked a frame") in drawn.left_out


def test_the_cdf_gives_each_latency_its_share() -> None:
    table = plots_of(only(latency=latencies([4000, 1000, 3000, 2000])))["latency_cdf"].data["latency_cdf"]
    assert columns(table)["latency_s"] == [1e-6, 1e-6, 2e-6, 3e-6, 4e-6]
    assert table["share"].tolist() == [0, 0.25, 0.5, 0.75, 1.0]


def test_a_single_packet_is_a_step_in_the_cdf() -> None:
    plot = plots_of(only(latency=latencies([2000])))["latency_cdf"]
    assert columns(plot.data["latency_cdf"]) == {"latency_s": [2e-6] * 2, "share": [0.0, 1.0], "flow": ["f"] * 2}


def test_the_cdf_of_many_packets_keeps_its_quantiles_and_its_tail() -> None:
    total = np.random.default_rng(3).exponential(1e6, 100_000).astype(int) + 1
    table = plots_of(only(latency=latencies(total.tolist())))["latency_cdf"].data["latency_cdf"]
    assert len(table["share"]) < 400
    for quantile in (0.1, 0.5, 0.9):
        drawn = np.interp(quantile, table["share"].astype(float), table["latency_s"].astype(float))
        assert drawn == pytest.approx(np.quantile(total, quantile) / 1e9, rel=0.02)
    assert table["latency_s"][-1] == total.max() / 1e9
    assert table["share"][-2] == pytest.approx(1 - 1e-5)


def test_shares_are_those_of_the_packets_at_the_median_and_at_the_99th_percentile() -> None:
    plot = plots_of(only(latency=latencies([1000 * i for i in range(1, 202)])))["latency_shares"]
    rows = columns(plot.data["latency_shares"])
    assert list(dict.fromkeys(rows["bar"])) == ["f, median: 101 µs", "f, 99th percentile: 199 µs"]
    assert dict(zip(rows["stage"], rows["share"], strict=False)) == {
        "socket": 0, "qdisc": 0.25, "ring": 0, "nic": 0, "wire": 0.75
    }  # fmt: skip


def test_throughput_is_the_mean_of_each_interval_and_flows_beyond_the_palette_are_summed() -> None:
    names = [f"f{i}" for i in range(MOST + 5)]
    table = {"time_ns": [MS] * len(names), "flow": names, "rate_bps": [1.0] * len(names)}
    drawn = columns(plots_of(only(throughput=table))["throughput"].data["throughput"])
    assert drawn["flow"][-1] == "6 others" and drawn["rate_bps"][-1] == 6.0
    assert len(drawn["flow"]) == 2 * MOST


def test_a_flow_has_the_same_colour_in_every_plot() -> None:
    made = plots_of(make_results(flows=12, samples=20))
    seen: dict[str, set[str]] = {}
    for name in ("latency_cdf", "throughput", "latency", "flow_cwnd_packets"):
        for key in made[name].keys:
            seen.setdefault(key.name, set()).add(f"{key.colour} {key.dash}")
    assert len(seen) == 12 and all(len(looks) == 1 for looks in seen.values())
    assert len(set.union(*seen.values())) == 12


def test_a_palette_gives_each_name_a_look_of_its_own_until_there_are_too_many() -> None:
    exact = Palette(f"q{i}" for i in range(MOST))
    assert exact.others == "" and len({(key.colour, key.dash) for key in exact.keys}) == MOST
    over = Palette([*(f"q{i}" for i in range(MOST)), "late", "q0"])
    assert over.others == "2 others" and len(over.keys) == MOST
    assert over.labels(np.array(["late", "q0"])).tolist() == ["2 others", "q0"]
    assert [key.colour for key in Palette("ab").keys] == list(COLOURS[:2])


def test_starvation_is_marked_when_it_happened_and_without_a_limit_there_is_inflight_alone() -> None:
    bql = {"time_ns": [MS, 2 * MS, 3 * MS], "queue": [0] * 3, "limit_bytes": [3028] * 3, "inflight_bytes": [0, 1514, 0]}
    made = plots_of(only(bql={**bql, "starved": [0, 2, 0]}))["bql"]
    assert columns(made.data["bql_starved"]) == {"time_s": [0.002], "queue": ["tx-0"]}
    off = {**bql, "limit_bytes": [np.nan] * 3, "starved": [0, 0, 0]}
    without = plots_of(only(bql=off))["bql"]
    assert set(without.data) == {"bql_inflight"} and "limits were off" in without.caption
    assert len(without.data["bql_inflight"]["time_s"]) == 3
    assert "bql_starved" not in plots_of(only(bql={**bql, "starved": [0, 0, 0]}))["bql"].data


def test_interrupts_become_a_rate_and_packets_an_interrupt() -> None:
    table = {"time_ns": [0, MS, 3 * MS], "queue": [0] * 3, "interrupts": [10, 0, 4], "packets": [20, 0, 6]}
    results = only(interrupts=table)
    results.summary["simulated_ns"] = 3 * MS + MS // 2
    made = plots_of(results)
    assert columns(made["interrupts"].data["interrupts"]) == {
        "time_s": [0.0, 0.001, 0.002, 0.003, 0.0035], "value": [10_000.0, 0, 0, 8_000, 8_000], "queue": ["tx-0"] * 5,
        "level": [0] * 5,
    }  # fmt: skip
    ratio = made["packets_per_interrupt"].data["packets_per_interrupt"]
    assert columns(ratio) == {"time_s": [0.0, 0.003], "value": [2.0, 1.5], "queue": ["tx-0"] * 2, "level": [0] * 2}


def test_the_super_packet_begins_at_its_first_stage_whatever_the_order() -> None:
    table = {"stage": ["wire", "doorbell"], "begin_ns": [5_500, 5_000], "end_ns": [9_000, 5_100]}
    assert columns(plots_of(only(tso=table))["tso"].data["tso"]) == {
        "stage": ["doorbell", "wire"], "begin_s": [0.0, 5e-7], "end_s": [1e-7, 4e-6], "took_s": [1e-7, 3.5e-6]
    }  # fmt: skip


def test_series_out_of_order_are_drawn_in_order() -> None:
    table = {"time_ns": [3 * MS, MS, 2 * MS], "queue": [1, 1, 1], "descriptors": [3, 1, 2], "bytes": [3, 1, 2]}
    drawn = columns(plots_of(only(ring=table))["ring_descriptors"].data["ring_descriptors"])
    assert drawn == {"time_s": [0.001, 0.002, 0.003], "value": [1, 2, 3], "queue": ["tx-1"] * 3}


def test_thinning_keeps_first_last_least_and_greatest() -> None:
    random = np.random.default_rng(1)
    time, value = np.arange(100_000), random.standard_normal(100_000)
    value[[31_415, 92_653]] = 99, -99
    keep = extremes(time, value, 1000)
    assert len(keep) <= 1000 and np.all(np.diff(keep) > 0)
    assert {0, 31_415, 92_653, 99_999} <= set(keep.tolist())
    # and in each interval, not only overall
    for slot in np.split(np.arange(100_000), 250):
        inside = keep[np.isin(keep, slot)]
        assert value[slot].max() == value[inside].max() and value[slot].min() == value[inside].min()
    assert extremes(time[:7], value[:7], 7).tolist() == list(range(7))
    assert extremes(np.zeros(9), np.arange(9), 4).tolist() == [0, 8]


def test_counts_are_summed_and_averages_averaged_over_whole_samples() -> None:
    time = np.arange(0, 100, 10)
    five = Intervals.of(time, 95, 4)
    assert five.begin.tolist() == [0, 30, 60, 90] and five.width.tolist() == [30, 30, 30, 5]
    assert five.sums(time, np.ones(10)).tolist() == [3, 3, 3, 1]
    assert five.means(time, np.where(time < 30, 2.0, 4.0)).tolist() == [2, 4, 4, 4]
    assert five.corners.tolist() == [0, 30, 60, 90, 95] and steps(np.array([1, 2])).tolist() == [1, 2, 2]
    # a gap is an interval without anything
    gap = Intervals.of(np.array([0, 10, 40]), 50, 100)
    assert gap.sums(np.array([0, 10, 40]), np.ones(3)).tolist() == [1, 1, 0, 0, 1]
    assert gap.means(np.array([0, 40]), np.ones(2)).tolist() == [1, 0, 0, 0, 1]
    alone = Intervals.of(np.array([5]), 9, 100)
    assert (alone.begin.tolist(), alone.end) == ([5], 9)
    assert len(Intervals.of(np.array([0, 1, 10**9]), 10**9, 400).begin) <= 400
    assert (five.merged, gap.merged) == (3, 1)


def test_rows_and_labels_are_picked_in_order() -> None:
    assert spread(np.array([0, 1, 2, 50, 51, 100]), 2).tolist() == [0, 3, 5]
    assert [(label, index.tolist()) for label, index in groups(np.array(["b", "a", "b"]))] == [
        ("b", [0, 2]),
        ("a", [1]),
    ]


def test_a_thinned_plot_says_so() -> None:
    made = plots_of(make_results(samples=30_000, flows=1))
    assert "of 30,000 packets" in made["latency"].note and made["latency_cdf"].note == ""
    for table in (table for plot in made.values() for table in plot.data.values()):
        levels = table.get("level", np.zeros(len(next(iter(table.values())))))
        assert np.bincount(levels.astype(int)).max() <= 5_000


@pytest.mark.parametrize(
    ("name", "text", "symbol", "scale"),
    [
        ("srtt_ns", "srtt", "s", 1e-9), ("cwnd_packets", "cwnd packets", "", 1),
        ("pacing_rate_bps", "pacing rate", "bit/s", 1),
        ("queued_bytes", "queued", "B", 1), ("rto_ms", "rto", "s", 1e-3), ("alpha", "alpha", "", 1),
    ],
)  # fmt: skip
def test_names_tell_their_units(name: str, text: str, symbol: str, scale: float) -> None:
    said, unit, factor = unit_of(name)
    assert (said, unit.symbol, factor) == (text, symbol, scale)


def test_time_lines_share_the_ends_of_their_axis() -> None:
    drawn = draw(make_results(samples=20))
    for plot in drawn.plots:
        made = document(plot, drawn.span_s)
        assert {"name": "t_end", "value": 0.2} in made["params"] or not plot.timeline
        scales = [view["encoding"]["x"]["scale"] for view in made.get("layer", [made])]
        if plot.timeline:
            assert all(scale["domainMax"] == {"expr": "t_end"} for scale in scales)


def test_a_picture_has_title_units_legend_and_names_as_they_are(tmp_path: Any) -> None:
    name = "<b>\"&'</b>"
    results = only(throughput={"time_ns": [MS, 2 * MS], "flow": [name] * 2, "rate_bps": [1e9, 5e8]})
    (plot,) = draw(results).plots
    text = svg(plot, (0, 0.002), "a & b")
    assert "&lt;b>" in text or "&lt;b&gt;" in text
    assert "<b>" not in text and "a &amp; b" in text
    for label in ("Throughput by flow", "simulated time", "1 Gbit/s", "2 ms", ">flow<"):
        assert label in text, label
    write_files(plot, (0, 0.002), tmp_path / "plots")
    assert (tmp_path / "plots" / "throughput.svg").read_text().startswith("<svg")
    assert (tmp_path / "plots" / "throughput.png").read_bytes().startswith(b"\x89PNG")


def counted(rows: int) -> Results:
    """Of each kind of series that counts, so many intervals of 1 ms."""
    time = [i * MS for i in range(rows)]
    zero, one = [0] * rows, [1] * rows
    results = only(
        throughput={"time_ns": time * 2, "flow": ["a"] * rows + ["b"] * rows, "rate_bps": [1e6, 3e6] * rows},
        interrupts={"time_ns": time, "queue": zero, "interrupts": one, "packets": one},
        qdisc={
            "time_ns": time, "queue": zero, "backlog_bytes": zero, "backlog_packets": zero, "drops": one, "marks": zero
        },
        wire={"time_ns": time, "utilisation": [0.5] * rows, "longest_gap_ns": [1.0] * rows},
    )  # fmt: skip
    results.summary["simulated_ns"] = rows * MS
    return results


def test_what_is_averaged_is_coarse_as_a_whole_and_as_fine_as_the_series_when_zoomed_into() -> None:
    made = plots_of(counted(2_000))
    for name, lines in (("throughput", 2), ("interrupts", 1), ("packets_per_interrupt", 1), ("wire", 1)):
        levels = np.bincount(made[name].data[name]["level"].astype(int))
        assert levels[0] <= 401 * lines and levels[1] >= 2_000 * lines
        assert made[name].note == (
            "Each step is the mean over 5 intervals of the series, 5 ms together. Zoomed in, it is that of one."
        )
    rates = made["throughput"].data["throughput"]
    assert set(rates["rate_bps"][rates["level"] == 0].round()) == {1.8e6, 2.2e6}
    assert set(rates["rate_bps"][rates["level"] == 1]) == {1e6, 3e6}
    for name in ("drops", "wire_gaps"):
        assert len(made[name].data[name]["time_s"]) == 2_001 and made[name].note == ""


def test_the_finer_level_is_shown_once_it_has_the_room() -> None:
    made = plots_of(counted(2_000))["throughput"]
    # steps of 1 and 3 Mbit/s, and of their means
    whole, part = (svg(made, (0.0, end), "") for end in (2.0, 0.05))
    assert ">6 Mbit/s<" not in whole and ">6 Mbit/s<" in part


def test_what_is_too_much_even_zoomed_in_is_said() -> None:
    made = plots_of(counted(6_000))
    assert made["drops"].note == "Each step is the sum over 2 intervals of the series, 2 ms together."
    assert made["wire_gaps"].note == "Each step is the longest over 2 intervals of the series, 2 ms together."
    assert made["wire"].note.endswith("Zoomed in, it is that of 2.")
    few = plots_of(counted(300))
    assert all(few[name].note == "" for name in ("throughput", "interrupts", "drops", "wire", "wire_gaps"))


def states(name: str, values: list[float]) -> dict[str, Any]:
    return {
        "time_ns": [i * MS for i in range(len(values))], "flow": ["f"] * len(values), "name": [name] * len(values),
        "value": values,
    }  # fmt: skip


def test_a_threshold_is_empty_until_it_is_set() -> None:
    made = plots_of(only(flow=states("ssthresh_packets", [1 << 20, 1 << 20, 40, 20])))["flow_ssthresh_packets"]
    assert columns(made.data["flow_ssthresh_packets"])["value"] == [40, 20]
    never = draw(only(flow=states("ssthresh_packets", [1 << 20] * 2)))
    assert list(never.plots) == [] and ("Flows' own state", "no flow has set ssthresh_packets") in never.left_out


def test_congestion_states_have_linux_names() -> None:
    made = plots_of(only(flow=states("ca_state", [0, 1, 3, 0])))["flow_ca_state"]
    picture = svg(made, (0, 0.004), "")
    assert all(f">{state}<" in picture for state in CA_STATES) and ">0.5<" not in picture
    assert [state.name for state in State] == [name.upper() for name in CA_STATES]


def test_what_is_in_flight_is_said_of_packets_and_of_bytes() -> None:
    made = plots_of(only(flow=states("inflight_packets", [1, 2])))["flow_inflight_packets"]
    assert made.title == "Flows: packets in flight" and "sacked_out - lost_out + retrans_out" in made.caption
    made = plots_of(only(flow=states("inflight_bytes", [1, 2])))["flow_inflight_bytes"]
    assert made.title == "Flows: bytes outstanding" and "snd_nxt - snd_una" in made.caption


def test_all_that_tcp_tells_is_explained() -> None:
    told = re.findall(r'"(\w+)": ', inspect.getsource(TcpFlow.state))
    assert len(told) > 10 and set(told) == set(STATES)


def test_a_stage_tells_how_long_it_takes_and_is_seen_however_short() -> None:
    table = {"stage": ["doorbell", "wire"], "begin_ns": [0, 100], "end_ns": [100, 5_000_000]}
    picture = svg(plots_of(only(tso=table))["tso"], (0, 0), "")
    assert ">100 ns<" in picture and ">5 ms<" in picture
    assert picture.count(COLOURS[5]) == 1  # one is marked, the other is long enough


def test_a_starvation_at_the_beginning_is_a_whole_triangle_and_none_is_outside_the_window() -> None:
    bql = {"time_ns": [0, MS, 3 * MS], "queue": [0] * 3, "limit_bytes": [3028] * 3, "inflight_bytes": [0, 1514, 0]}
    made = plots_of(only(bql={**bql, "starved": [1, 0, 1]}))["bql"]
    mark = document(made, (0, 0.003))["layer"][2]["mark"]
    assert mark["shape"] == "triangle-down" and not mark.get("clip")
    for end, whole in ((0.003, 2), (0.002, 1)):
        paths = re.findall(rf'd="([^"]*)" fill="{COLOURS[5]}"', svg(made, (0, end), ""))
        assert sum(re.search("[1-9]", path) is not None for path in paths) == whole
