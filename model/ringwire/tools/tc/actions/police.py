"""tc's syntax of police, as an action and in the older style without that word; after tc/m_police.c of iproute2 6.1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ringwire.action import Action, ActionSpec
from ringwire.action.police import Police, PoliceParams
from ringwire.qdisc.classify import OK, RECLASSIFY
from ringwire.qdisc.psched import ATM, ETHERNET, Rate, xmit_size
from ringwire.tools.tc.actionfront import ActionFrontEnd, Age, show_users
from ringwire.tools.tc.control import read_verdict, show_verdict, verdict_named
from ringwire.tools.tc.errors import duplicate, invarg, said, take
from ringwire.tools.tc.output import Output
from ringwire.tools.tc.stab import parse_linklayer
from ringwire.tools.units import (
    format_rate,
    format_size,
    parse_decimal,
    parse_rate,
    parse_size,
    parse_u16,
    parse_u32,
)
from ringwire.tools.words import Word, Words


def parse_size_and_cell(text: str) -> tuple[int, int]:
    """A size, and the logarithm of the cell size behind a slash, -1 if there is none."""
    size, slash, cell = text.partition("/")
    if not slash:
        return parse_size(size), -1
    log = next((log for log in range(32) if 1 << log == parse_size(cell)), None)
    if log is None:
        raise ValueError("not a power of two behind the slash")
    return parse_size(size), log


READ: dict[str, tuple[str, Callable[[str], int | tuple[int, int]]]] = {
    "index": ("index", parse_decimal),
    "burst": ("buffer", parse_size_and_cell),
    "mtu": ("mtu", parse_size_and_cell),
    "mpu": ("mpu", parse_size),
    "rate": ("rate", parse_rate),
    "avrate": ("avrate", parse_rate),
    "peakrate": ("peakrate", parse_rate),
    "pkts_rate": ("pkts_rate", parse_u32),
    "pkts_burst": ("pkts_burst", parse_u32),
    "overhead": ("overhead", parse_u16),
    "linklayer": ("linklayer", parse_linklayer),
}
"""Word -> what tc calls it in complaints, and how its value is read."""
OTHER_WORDS = {"buffer": "burst", "maxburst": "burst", "minburst": "mtu"}
ABBREVIATED = ("burst", "peakrate")
REPEATABLE = ("index", "overhead", "linklayer")
BARE_VERDICTS = ("reclassify", "drop", "shot", "continue", "pass", "ok", "pipe", "goto")


@dataclass(slots=True)
class _Line:
    values: dict[str, int | tuple[int, int]] = field(default_factory=dict)
    exceed: int = RECLASSIFY
    conform: int = OK

    def __getitem__(self, name: str) -> int:
        value = self.values.get(name, 0)
        return value[0] if isinstance(value, tuple) else value

    def cell(self, name: str) -> int:
        value = self.values.get(name)
        return value[1] if isinstance(value, tuple) else -1


class PoliceFrontEnd(ActionFrontEnd):
    """Buckets, and ``conform-exceed EXCEED[/CONFORM]``, or one bare verdict for what exceeds."""

    kinds = ("police",)

    def read(self, words: Words, kind: Word) -> ActionSpec:
        if not words:
            take(words)
        line, some = _Line(), False
        while words:
            word = words.here
            name = OTHER_WORDS.get(word.text, word.text)
            name = next((full for full in ABBREVIATED if full.startswith(name)), name)
            if name in READ:
                take(words)
                self._value(words, line, name)
            elif name == "conform-exceed":
                take(words)
                self._verdicts(words, line)
            elif any(each.startswith(word.text) for each in BARE_VERDICTS) and verdict_named(word.text) is not None:
                line.exceed = read_verdict(words)
            else:
                break
            some = True
        if not some:
            raise said(kind, "")
        problem = _problem(line)
        if problem is not None:
            raise said(kind, problem)
        return ActionSpec("police", _params(line), line["index"])

    def _value(self, words: Words, line: _Line, name: str) -> None:
        called, parse = READ[name]
        value = take(words)
        if line[name] and name not in REPEATABLE:
            raise duplicate("buffer/burst" if name == "burst" else called, value)
        try:
            line.values[name] = parse(value.text)
        except ValueError:
            raise invarg(value, called) from None

    def _verdicts(self, words: Words, line: _Line) -> None:
        """``drop``, ``drop/pipe``; the second half is read as the first is."""
        word = words.here
        exceed, slash, conform = word.text.partition("/")
        line.exceed = read_verdict(words, exceed if slash else None)
        if slash:
            verdict = verdict_named(conform)
            if verdict is None:
                raise said(word, "")
            words.back()
            line.conform = read_verdict(words, conform)

    def show(self, out: Output, action: Action[Any], age: Age) -> None:
        assert isinstance(action, Police)
        params = action.params()
        rate = params.rate or Rate(0, linklayer=0)
        burst = xmit_size(rate.bytes_per_s, action.burst_ticks) if params.rate is not None else 0
        out.item("kind", " police ", "police")
        out.item("index", f"0x{action.index:x} ", action.index)
        out.text += f"rate {format_rate(rate.bytes_per_s)} burst {format_size(burst)} mtu {format_size(action.mtu)} "
        if action.peak is not None:
            out.text += f"peakrate {format_rate(action.peak.rate.bytes_per_s)} "
        if params.avrate:
            out.text += f"avrate {format_rate(params.avrate)} "
        if params.packet_rate:
            packets = xmit_size(params.packet_rate, action.packet_burst_ticks)
            out.item("pkts_rate", f"pkts_rate {params.packet_rate} ", params.packet_rate)
            out.item("pkts_burst", f"pkts_burst {packets} ", packets)
        show_verdict(out, params.exceed, "action ")
        if params.conform != OK:
            show_verdict(out, params.conform, "/")
        out.item("overhead", f" overhead {format_size(rate.overhead)} ", rate.overhead)
        if rate.linklayer > ETHERNET or out.details:
            name = {ATM: "atm", ETHERNET: "ethernet"}.get(rate.linklayer, "unspec")
            out.item("linklayer", f"linklayer {name} ", name)
        show_users(out, action, age, "\n\tref", " ")
        out.text += "\n"


def _problem(line: _Line) -> str | None:
    """What tc says of a line as a whole; "" if it says nothing but fails."""
    if line["rate"] and line["avrate"]:
        return ""
    if not any(line[name] for name in ("rate", "avrate", "index", "mtu", "pkts_rate")):
        return "'rate' or 'avrate' or 'mtu' or 'pkts_rate' MUST be specified."
    if line["pkts_rate"] and line["rate"]:
        return "'rate' and 'pkts_rate' are not allowed in same action."
    if line["rate"] and not line["burst"]:
        return "'burst' requires 'rate'."
    if line["pkts_rate"] and not line["pkts_burst"]:
        return "'pkts_burst' requires 'pkts_rate'."
    if line["peakrate"] and not line["rate"]:
        return "'peakrate' requires 'rate'."
    if line["peakrate"] and not line["mtu"]:
        return "'mtu' is required, if 'peakrate' is requested."
    return None


def _params(line: _Line) -> PoliceParams:
    overhead, mpu, linklayer = line["overhead"], line["mpu"], line["linklayer"] or ETHERNET
    cell = line.cell("burst")
    if cell < 0:
        cell = cell_log(line["mtu"])
    return PoliceParams(
        rate=Rate(line["rate"], overhead, mpu, linklayer) if line["rate"] else None,
        burst=line["burst"],
        mtu=line["mtu"],
        cell=cell,
        peakrate=Rate(line["peakrate"], overhead, mpu, linklayer) if line["peakrate"] else None,
        avrate=line["avrate"],
        packet_rate=line["pkts_rate"],
        packet_burst=line["pkts_burst"],
        exceed=line.exceed,
        conform=line.conform,
    )


def cell_log(mtu: int) -> int:
    """tc_calc_rtable: the power of two in whose steps 256 cells reach ``mtu`` bytes, 2047 if it is 0."""
    log = 0
    while (mtu or 2047) >> log > 255:
        log += 1
    return log
