"""matchall: one filter, which every packet matches; after net/sched/cls_matchall.c of Linux 6.12."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from ringwire.action import ActionSpec, Pipeline
from ringwire.filter.base import Filter
from ringwire.qdisc.classify import OK, UNSPEC, Match
from ringwire.qdisc.errors import QdiscError
from ringwire.skb import Skb


@dataclass(frozen=True, slots=True)
class MatchallParams:
    classid: int = 0
    actions: tuple[ActionSpec, ...] = ()
    options: bool = True
    """False of a line that says nothing behind ``matchall``."""


class Matchall(Filter[MatchallParams]):
    """At most one filter, which can't be replaced."""

    kind: ClassVar[str] = "matchall"
    params_type = MatchallParams

    def setup(self) -> None:
        self.handle = 0
        self.only: MatchallParams | None = None
        self.pipeline: Pipeline | None = None
        self.hits = 0

    def classify(self, skb: Skb, match: Match) -> int:
        if self.only is None:
            return UNSPEC
        self.hits += 1
        verdict = self.pipeline.run(skb, self.dev) if self.pipeline is not None else OK
        match.classid = self.only.classid
        return verdict

    def change(self, handle: int, params: MatchallParams) -> None:
        if not params.options:
            raise QdiscError("EINVAL")
        if self.only is not None:
            raise QdiscError("EEXIST")
        self.pipeline = self.bind(params.actions)
        self.handle, self.only = handle or 1, params

    def delete(self, handle: int) -> None:
        self.release(self.pipeline)
        self.only = self.pipeline = None

    def filters(self) -> Iterator[tuple[int, MatchallParams]]:
        if self.only is not None:
            yield self.handle, self.only

    def actions(self, handle: int) -> Pipeline | None:
        return self.pipeline
