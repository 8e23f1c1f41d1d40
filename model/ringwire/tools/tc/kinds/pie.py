"""tc's syntax of pie; after tc/q_pie.c of iproute2 6.1."""

from __future__ import annotations

from typing import Any

from ringwire.qdisc.base import AnyQdisc
from ringwire.qdisc.pie import PieParams, PieQdisc
from ringwire.tools.tc.frontend import FrontEnd
from ringwire.tools.tc.named import ECN, read_named, sent
from ringwire.tools.tc.output import Output
from ringwire.tools.units import format_time_us, parse_time_us, parse_u32
from ringwire.tools.words import Word, Words

MAX_GAIN = 32
FLAGS = {
    **ECN,
    "bytemode": ("bytemode", True),
    "nobytemode": ("bytemode", False),
    "dq_rate_estimator": ("dq_rate_estimator", True),
    "no_dq_rate_estimator": ("dq_rate_estimator", False),
}


def parse_gain(text: str) -> int:
    value = parse_u32(text)
    if value > MAX_GAIN:
        raise ValueError(f"more than {MAX_GAIN}")
    return value


READ = {
    "limit": parse_u32,
    "target": parse_time_us,
    "tupdate": parse_time_us,
    "alpha": parse_gain,
    "beta": parse_gain,
}


class PieFrontEnd(FrontEnd):
    """What a line leaves out stays as it is."""

    kinds = ("pie",)

    def read(self, words: Words, kind: Word) -> PieParams:
        values: dict[str, Any] = {}
        while words:
            read_named(words, READ, FLAGS, values)
        return PieParams(**sent(values, {}))

    def show_xstats(self, out: Output, qdisc: AnyQdisc) -> None:
        assert isinstance(qdisc, PieQdisc)
        now = qdisc.xstats()
        prob = f"{now.prob:g}"
        out.item("prob", f"  prob {prob}", float(prob) if float(prob) % 1 else int(float(prob)))
        out.item("delay", f" delay {format_time_us(now.delay)}", now.delay)
        if now.avg_dq_rate is not None:
            out.item("avg_dq_rate", f" avg_dq_rate {now.avg_dq_rate}", now.avg_dq_rate)
        out.item("pkts_in", f"\n  pkts_in {now.pkts_in}", now.pkts_in)
        for name in ("overlimit", "dropped", "maxq", "ecn_mark"):
            value = getattr(now, name)
            out.item(name, f" {name} {value}", value)
