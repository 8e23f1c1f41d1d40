"""tc's syntax of fq; after tc/q_fq.c of iproute2 6.1, with ``priomap`` and ``weights`` as 6.7 has them."""

from __future__ import annotations

from dataclasses import replace

from ringwire.qdisc.base import AnyQdisc
from ringwire.qdisc.fq import Fq
from ringwire.qdisc.fq_params import BANDS, FqParams
from ringwire.qdisc.pfifo_fast import PRIO2BAND
from ringwire.tools.tc.errors import said
from ringwire.tools.tc.frontend import FrontEnd
from ringwire.tools.tc.options import show_options
from ringwire.tools.tc.output import Output
from ringwire.tools.units import U32, format_time_ns
from ringwire.tools.words import Word, Words

LISTS = {"priomap": len(PRIO2BAND), "weights": BANDS}
"""Options of several values, and how many."""
RATES = ("maxrate", "defrate", "low_rate_threshold")
"""Of 32 bits, bytes a second."""


class FqFrontEnd(FrontEnd):
    """Read by its dataclass; what it prints depends on values, and its JSON has nulls."""

    kinds = ("fq",)

    def read(self, words: Words, kind: Word) -> FqParams | None:
        params: FqParams | None = super().read(words, kind)
        if params is not None:
            for name, wanted in LISTS.items():
                values = getattr(params, name)
                if values is not None and len(values) < wanted:
                    raise said(kind, f"Not enough elements in {name}")
                if values is not None and len(values) > wanted:
                    raise said(kind, f'What is "{values[wanted]}"?')
            for name in RATES:
                if (getattr(params, name) or 0) > U32:
                    raise said(kind, f'Illegal "{name}"')
            if (params.timer_slack or 0) > U32:
                raise said(kind, 'Illegal (out of range) "timer_slack"')
        return params

    def show(self, out: Output, qdisc: AnyQdisc) -> None:
        assert isinstance(qdisc, Fq)
        params = qdisc.params()
        show_options(out, FqParams(params.limit, params.flow_limit, params.buckets, params.orphan_mask))
        if not params.pacing:
            out.item("pacing", "nopacing ", False)
        shown_apart = dict.fromkeys(
            ("limit", "flow_limit", "buckets", "orphan_mask", "pacing", "horizon_drop", "priomap", "weights")
        )
        show_options(out, replace(params, **shown_apart))
        what = "horizon_drop" if params.horizon_drop else "horizon_cap"
        out.item(what, f"{what} ")
        out.json[what] = None
        if params.priomap is not None:
            bands = " ".join(map(str, params.priomap))
            out.item("priomap", f"bands {BANDS} priomap {bands} ", list(params.priomap))
            out.json["bands"] = BANDS
        if params.weights is not None:
            out.item("weights", f"weights {' '.join(map(str, params.weights))} ", list(params.weights))

    def show_xstats(self, out: Output, qdisc: AnyQdisc) -> None:
        assert isinstance(qdisc, Fq)
        stats = qdisc.xstats()
        out.item("flows", f"  flows {stats.flows}", stats.flows)
        out.item("inactive", f" (inactive {stats.inactive_flows}", stats.inactive_flows)
        out.item("throttled", f" throttled {stats.throttled_flows})", stats.throttled_flows)
        delay = stats.next_packet_delay
        if delay is not None:
            out.item("next_packet_delay", f" next_packet_delay {format_time_ns(delay)}", delay)
        out.item("gc", f"\n  gc {stats.gc}", stats.gc)
        out.item("highprio", " highprio 0", 0)
        # tc has the name twice in its JSON; the later one is what a reader gets
        out.item("throttled", f" throttled {stats.throttled}", stats.throttled)
        if stats.latency is not None:
            out.item("latency", f" latency {format_time_ns(stats.latency)}", stats.latency)
        for name in ("ce_mark", "flows_plimit"):
            value = getattr(stats, name)
            if value is not None:
                out.item(name, f" {name} {value}", value)
        if stats.pkts_too_long is not None:
            out.item("pkts_too_long", f"\n  pkts_too_long {stats.pkts_too_long}", stats.pkts_too_long)
            out.item("alloc_errors", " alloc_errors 0", 0)
        if stats.horizon_drops is not None or stats.horizon_caps is not None:
            out.text += "\n"
        if stats.horizon_drops is not None:
            out.item("horizon_drops", f" horizon_drops {stats.horizon_drops}", stats.horizon_drops)
        if stats.horizon_caps is not None:
            out.item("horizon_caps", f"  horizon_caps {stats.horizon_caps}", stats.horizon_caps)
