"""gact: only a verdict, or at random another one; after net/sched/act_gact.c of Linux 6.12."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ringwire.action.base import Action, ActionDevice
from ringwire.qdisc.classify import GOTO_CHAIN, OK, SHOT
from ringwire.qdisc.errors import QdiscError
from ringwire.skb import Skb

NETRAND = 1
DETERM = 2
U32 = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class GactParams:
    """``probability``, NETRAND or DETERM, has one packet of ``value`` end with ``other`` instead; 0: none does."""

    verdict: int = OK
    probability: int = 0
    other: int = OK
    value: int = 0


class Gact(Action[GactParams]):
    """``ok``, ``drop``, ``pipe`` and so on."""

    kind: ClassVar[str] = "gact"
    params_type = GactParams

    def setup(self, dev: ActionDevice) -> None:
        self.seen = 0

    def change(self, dev: ActionDevice, params: GactParams) -> None:
        if params.probability and params.other >= GOTO_CHAIN:
            raise QdiscError("EINVAL", "goto chain not allowed on fallback")
        self.verdict = params.verdict
        self.probability = params.probability
        self.other, self.value = params.other, max(1, params.value) if params.probability else 0

    def params(self) -> GactParams:
        return GactParams(self.verdict, self.probability, self.other, self.value)

    def act(self, skb: Skb, dev: ActionDevice) -> int:
        verdict = self.verdict
        if self.probability and self._chosen(dev):
            verdict = self.other
        if verdict == SHOT:
            self.drops += 1
        return verdict

    def _chosen(self, dev: ActionDevice) -> bool:
        if self.probability == NETRAND:
            return not below(self.value, dev)
        self.seen = self.seen + 1 & U32
        return self.seen % self.value == 0


def below(ceiling: int, dev: ActionDevice) -> int:
    """get_random_u32_below: a number from 0 to ``ceiling`` - 1, each as likely as the others."""
    product = ceiling * dev.random_u32()
    if product & U32 < ceiling:
        least = -ceiling % 2**32 % ceiling
        while product & U32 < least:
            product = ceiling * dev.random_u32()
    return product >> 32
