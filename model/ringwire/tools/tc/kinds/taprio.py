"""tc's syntax of taprio; after tc/q_taprio.c of iproute2 6.1, with ``max-sdu`` as 6.2 has it."""

from __future__ import annotations

import re
from typing import Any

from ringwire.qdisc.base import AnyQdisc
from ringwire.qdisc.gates import GateParams, Schedule
from ringwire.qdisc.taprio import FULL_OFFLOAD, Taprio, TaprioParams
from ringwire.qdisc.traffic_classes import TrafficClasses
from ringwire.tools.tc.errors import said, take
from ringwire.tools.tc.frontend import FrontEnd
from ringwire.tools.tc.kinds.mqprio import parse_decimal, parse_queues, parse_u8, read_map, read_while
from ringwire.tools.tc.kinds.tsn import read_clockid
from ringwire.tools.tc.options import read_word
from ringwire.tools.tc.output import Output
from ringwire.tools.units import U32, parse_u32
from ringwire.tools.words import Word, Words

UNKNOWN = "Unknown argument"
ENTRY_USAGE = "Usage: ... taprio ... sched-entry <cmd> <gate mask> <interval>"
TIMES = ("base-time", "cycle-time", "cycle-time-extension")


def parse_s64(text: str) -> int:
    """A decimal number of 64 bits, which may be negative."""
    if not re.fullmatch("[-+]?[0-9]+", text) or not -(2**63) <= int(text) < 2**63:
        raise ValueError("a decimal number of 64 bits")
    return int(text)


def parse_mask(text: str) -> int:
    """A hexadecimal number of 32 bits."""
    if not re.fullmatch("(0[xX])?[0-9a-fA-F]+", text) or int(text, 16) > U32:
        raise ValueError("a hexadecimal number of 32 bits")
    return int(text, 16)


class TaprioFrontEnd(FrontEnd):
    """Each ``sched-entry`` is a line of the gate control list."""

    kinds = ("taprio",)

    def read(self, words: Words, kind: Word) -> TaprioParams:
        given: dict[str, Any] = {}
        entries: list[tuple[int, int]] = []
        while words:
            word = take(words)
            name = word.text
            if name == "num_tc":
                given[name] = read_word(take(words), parse_u8, 'Illegal "num_tc"')
            elif name == "map":
                given[name] = read_map(words)
            elif name == "queues":
                given[name] = read_while(words, parse_queues)
            elif name == "max-sdu":
                given[name] = read_while(words, parse_decimal(U32))
            elif name == "sched-entry":
                entries.append(_read_entry(words))
            elif name in TIMES:
                given[name] = _read_once(words, word, given, parse_s64, once=name != "base-time")
            elif name == "clockid":
                value = take(words)
                _refuse_second(word, given)
                given[name] = read_clockid(value, "taprio")
            elif name in ("flags", "txtime-delay"):
                given[name] = _read_once(words, word, given, parse_u32)
            else:
                raise said(word, UNKNOWN)
        return _params(given, tuple(entries))

    def show(self, out: Output, qdisc: AnyQdisc) -> None:
        assert isinstance(qdisc, Taprio)
        qdisc.advance()
        params = qdisc.params()
        classes = params.classes
        assert classes is not None
        out.item("tc", f"tc {len(classes.queues)} ", len(classes.queues))
        out.item("map", "map" + "".join(f" {tc}" for tc in classes.prio_tc) + "\n", list(classes.prio_tc))
        queues = "".join(f" offset {offset} count {count}" for offset, count in classes.queues)
        each = [{"offset": offset, "count": count} for offset, count in classes.queues]
        out.item("queues", f"queues{queues}\n", each)
        if not params.flags & FULL_OFFLOAD and params.clockid is not None:
            out.item("clockid", f"clockid {params.clockid.name}", params.clockid.name)
        if params.flags:
            out.item("flags", f" flags {params.flags:#x}", f"{params.flags:#x}")
        if params.txtime_delay:
            out.item("txtime_delay", f" txtime delay {params.txtime_delay}", params.txtime_delay)
        _show_schedule(out, qdisc.oper)
        if qdisc.admin is not None:
            # tc's JSON has an object without a name here, which is none
            inner = out.nested("admin")
            _show_schedule(inner, qdisc.admin)
            out.close("admin", inner)
        if any(params.max_sdu):
            out.item("max-sdu", "max-sdu" + "".join(f" {size}" for size in params.max_sdu), list(params.max_sdu))
        out.text = out.text.removesuffix("\n")


def _read_entry(words: Words) -> tuple[int, int]:
    command = take(words)
    if command.text != "S":
        raise said(command, ENTRY_USAGE)
    mask = read_word(take(words), parse_mask, ENTRY_USAGE)
    return mask, read_word(take(words), parse_u32, ENTRY_USAGE)


def _refuse_second(word: Word, given: dict[str, Any]) -> None:
    if given.get(word.text):
        raise said(word, f'taprio: duplicate "{word.text}" specification')


def _read_once(words: Words, word: Word, given: dict[str, Any], parse: Any, *, once: bool = True) -> int:
    """A number; it is an error to give one twice, unless it was 0."""
    value = take(words)
    if once:
        _refuse_second(word, given)
    number: int = read_word(value, parse, "")
    return number


def _params(given: dict[str, Any], entries: tuple[tuple[int, int], ...]) -> TaprioParams:
    classes = None
    if given.get("num_tc"):
        queues = given.get("queues", ())[: given["num_tc"]]
        queues += ((0, 0),) * (given["num_tc"] - len(queues))
        classes = TrafficClasses(given.get("map", (0,) * 16), queues)
    return TaprioParams(
        classes,
        GateParams(
            entries, given.get("base-time", 0), given.get("cycle-time", 0), given.get("cycle-time-extension", 0)
        ),
        given.get("clockid"),
        given.get("flags", 0),
        given.get("txtime-delay", 0),
        given.get("max-sdu", ()),
    )


def _show_schedule(out: Output, schedule: Schedule | None) -> None:
    base, cycle, extension = (0, 0, 0) if schedule is None else (schedule.base, schedule.cycle, schedule.extension)
    out.item("base_time", f"\tbase-time {base}", base)
    out.item("cycle_time", f" cycle-time {cycle}", cycle)
    out.item("cycle_time_extension", f" cycle-time-extension {extension}", extension)
    if schedule is None:
        return
    lines = []
    out.text += "\n"
    for index, entry in enumerate(schedule.entries):
        mask = f"{entry.mask:#x}" if entry.mask else "0"
        out.text += f"\tindex {index} cmd S gatemask {mask} interval {entry.interval}\n"
        lines.append({"index": index, "cmd": "S", "gatemask": mask, "interval": entry.interval})
    out.json["schedule"] = lines
