"""Filters of one discipline on real frames."""

from __future__ import annotations

from typing import Any

from ringwire.qdisc.classify import OK, UNSPEC, Match
from ringwire.skb import Skb
from ringwire.tools.tc import Tc
from tests.frames import Frame
from tests.stack_bench import StackBench


def skb_of(frame: bytes, **fields: Any) -> Skb:
    return Skb(len=len(frame), pkt_len=len(frame), data=(frame,), **fields)


def frame(**fields: Any) -> Skb:
    return skb_of(Frame(**fields).build())


def marked(mark: int) -> Skb:
    return skb_of(Frame().build(), mark=mark)


class FilterBench:
    """Filters of one discipline, and what they say of a packet."""

    def __init__(self, *rests: str, protocol: str = "ip") -> None:
        self.bench = StackBench(name="eth0")
        self.run = Tc([self.bench.dev]).run
        self.run("qdisc add dev eth0 root handle 1: prio bands 16")
        self.place = f"dev eth0 parent 1: protocol {protocol}"
        for rest in rests:
            self.add(rest)

    def add(self, rest: str, prio: int = 1) -> None:
        self.run(f"filter add {self.place} prio {prio} {rest}")

    def classify(self, skb: Skb) -> tuple[int, int]:
        """(verdict, class id)."""
        match = Match()
        verdict = self.bench.dev.qdisc.block(0).classify(skb, match)
        return verdict, match.classid

    def classid(self, skb: Skb) -> int:
        """0: no match."""
        verdict, classid = self.classify(skb)
        assert verdict in (OK, UNSPEC)
        return classid & 0xFFFF if verdict == OK else 0
