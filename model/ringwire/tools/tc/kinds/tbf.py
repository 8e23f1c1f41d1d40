"""tc's syntax of tbf; after tc/q_tbf.c of iproute2 6.1."""

from __future__ import annotations

from dataclasses import dataclass

from ringwire.qdisc.base import AnyQdisc
from ringwire.qdisc.psched import ATM, ETHERNET, U32, US_PER_S, Rate, ns_to_ticks, ticks_to_us, xmit_size
from ringwire.qdisc.tbf import Tbf, TbfParams
from ringwire.tools.tc.errors import said, take
from ringwire.tools.tc.frontend import FrontEnd
from ringwire.tools.tc.options import read_word
from ringwire.tools.tc.output import Output
from ringwire.tools.tc.rates import parse_link_rate
from ringwire.tools.tc.stab import parse_linklayer
from ringwire.tools.units import (
    format_rate,
    format_size,
    format_time_us,
    parse_size,
    parse_time_us,
    parse_u16,
)
from ringwire.tools.words import Word, Words

ONE_OF = {"buffer": "burst", "maxburst": "burst", "minburst": "mtu"}
"""Other words for the same."""
NAMES = {"burst": "buffer/burst/maxburst", "mtu": "mtu/minburst"}
"""What a duplicate is called."""
READ = {
    "limit": parse_size,
    "latency": parse_time_us,
    "mpu": parse_size,
    "rate": parse_link_rate,
    "peakrate": parse_link_rate,
    "overhead": parse_u16,
    "linklayer": parse_linklayer,
}


def parse_size_and_cell(text: str) -> int:
    """A size; a cell size behind a slash, a power of two, is read and not used any more."""
    size, slash, cell = text.partition("/")
    if slash and parse_size(cell) not in [1 << log for log in range(32)]:
        raise ValueError("not a power of two behind the slash")
    return parse_size(size)


@dataclass(slots=True)
class _Line:
    values: dict[str, int]

    def __getitem__(self, name: str) -> int:
        return self.values.get(name, 0)


class TbfFrontEnd(FrontEnd):
    """``rate``, ``burst`` and either ``limit`` or ``latency``; with ``peakrate`` also ``mtu``."""

    kinds = ("tbf",)

    def read(self, words: Words, kind: Word) -> TbfParams:
        line = _Line({})
        while words:
            word = take(words)
            name = ONE_OF.get(word.text, word.text)
            parse = parse_size_and_cell if name in NAMES else READ.get(name)
            if parse is None:
                raise said(word, f'tbf: unknown parameter "{word.text}"')
            if line[name] and name not in ("overhead", "linklayer"):
                raise said(word, f'tbf: duplicate "{NAMES.get(name, name)}" specification')
            if (name == "limit" and line["latency"]) or (name == "latency" and line["limit"]):
                raise said(word, 'tbf: specifying both "latency" and "limit" is not allowed')
            value = take(words)
            line.values[name] = read_word(value, parse, f'tbf: illegal value for "{word.text}": "{value.text}"')
        missing = []
        if not line["rate"]:
            missing.append('tbf: the "rate" parameter is mandatory.')
        if not line["burst"]:
            missing.append('tbf: the "burst" parameter is mandatory.')
        if line["peakrate"] and not line["mtu"]:
            missing.append('tbf: when "peakrate" is specified, "mtu" must also be specified.')
        if not line["limit"] and not line["latency"]:
            missing.append('tbf: either "limit" or "latency" is required.')
        if missing:
            raise said(kind, "\n".join(missing))
        return _params(line)

    def show(self, out: Output, qdisc: AnyQdisc) -> None:
        assert isinstance(qdisc, Tbf)
        params, cfg = qdisc.params(), qdisc.rate.rate
        buffer = ns_to_ticks(qdisc.buffer_ns)
        out.item("rate", f"rate {format_rate(cfg.bytes_per_s)} ", cfg.bytes_per_s)
        _show_bucket(out, "burst", "burst", xmit_size(cfg.bytes_per_s, buffer), cfg.mpu)
        latency = US_PER_S * (params.limit / cfg.bytes_per_s) - ticks_to_us(buffer)
        if qdisc.peak is not None:
            peak, ticks = qdisc.peak.rate, ns_to_ticks(qdisc.mtu_ns)
            # tc leaves it out of its JSON
            out.item("peakrate", f"peakrate {format_rate(peak.bytes_per_s)} ")
            if ticks or peak.mpu:
                _show_bucket(out, "minburst", "mtu", xmit_size(peak.bytes_per_s, ticks), peak.mpu)
            latency = max(latency, US_PER_S * (params.limit / peak.bytes_per_s) - ticks_to_us(ticks))
        if latency >= 0:
            out.item("lat", f"lat {format_time_us(int(latency))} ", int(latency))
        if cfg.overhead:
            out.item("overhead", f"overhead {cfg.overhead} ", cfg.overhead)
        if cfg.linklayer > ETHERNET or out.details:
            name = "atm" if cfg.linklayer == ATM else "ethernet"
            out.item("linklayer", f"linklayer {name} ", name)


def _params(line: _Line) -> TbfParams:
    rate, peak = line["rate"], line["peakrate"]
    limit = line["limit"]
    if not limit:
        most = rate * float(line["latency"]) / US_PER_S + line["burst"]
        if peak:
            most = min(most, peak * float(line["latency"]) / US_PER_S + line["mtu"])
        limit = int(most) & U32
    overhead, mpu, linklayer = line["overhead"], line["mpu"], line["linklayer"] or ETHERNET
    return TbfParams(
        rate=Rate(rate, overhead, mpu, linklayer),
        burst=line["burst"],
        limit=limit,
        peakrate=Rate(peak, overhead, mpu, linklayer) if peak else None,
        mtu=line["mtu"],
    )


def _show_bucket(out: Output, short: str, long: str, size: int, mpu: int) -> None:
    """A bucket: with details also its cell size, which is always 1, and the least that a packet counts."""
    if out.details:
        out.item(long, f"{long} {format_size(size)}/1 ", f"{format_size(size)}/1")
        out.item("mpu", f"mpu {format_size(mpu)} ", mpu)
    else:
        out.item(short, f"{short} {format_size(size)} ", size)
