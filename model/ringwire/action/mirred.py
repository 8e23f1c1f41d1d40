"""mirred: hand the packet, or a copy, to another device, as if it were sent there or had come in there.

After net/sched/act_mirred.c of Linux 6.12.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import ClassVar

from ringwire.action.base import Action, ActionDevice
from ringwire.qdisc.classify import OK, SHOT, STOLEN
from ringwire.qdisc.errors import QdiscError
from ringwire.skb import Skb

NEST_LIMIT = 4
"""Redirections within one another; a packet that needs more goes round in circles."""


@dataclass(frozen=True, slots=True)
class MirredParams:
    """``redirect``: the packet itself goes, else a copy; ``ingress``: it comes in at the device, else it leaves."""

    dev: str = ""
    redirect: bool | None = None
    """None: the line says only which action it means."""
    ingress: bool = False
    verdict: int = OK


class Mirred(Action[MirredParams]):
    """Redirects and mirrors."""

    kind: ClassVar[str] = "mirred"
    params_type = MirredParams

    def setup(self, dev: ActionDevice) -> None:
        self.target: ActionDevice | None = None

    def change(self, dev: ActionDevice, params: MirredParams) -> None:
        if params.redirect is None:
            raise QdiscError("EINVAL", "act_mirred: Unknown mirred option")
        if params.dev:
            target = dev.net.device(params.dev)
            if target is None:
                raise QdiscError("ENODEV")
            self.target = target
        elif self.target is None:
            raise QdiscError("EINVAL", "act_mirred: Specified device does not exist")
        self.redirect, self.ingress, self.verdict = params.redirect, params.ingress, params.verdict

    def params(self) -> MirredParams:
        return MirredParams(self.target.name if self.target else "*", self.redirect, self.ingress, self.verdict)

    def act(self, skb: Skb, dev: ActionDevice) -> int:
        host, target = dev.net, self.target
        assert target is not None
        if host.mirred_depth >= NEST_LIMIT:
            return SHOT
        if not target.is_up or not target.carrier:
            self.overlimits += 1
            return SHOT if self.redirect else self.verdict
        moves = self.redirect and self.verdict == STOLEN
        sent = skb if moves else clone(skb)
        sent.iif = dev.ifindex
        host.mirred_depth += 1
        try:
            if self.ingress:
                failed = not target.receive(sent)
            else:
                sent.at_ingress = False
                failed = target.transmit(sent) != 0
        finally:
            host.mirred_depth -= 1
        self.overlimits += failed
        return self.verdict


def clone(skb: Skb) -> Skb:
    """A packet of the same bytes that no socket waits for."""
    twin = copy(skb)
    twin.destructor = None
    twin.wants_timestamp = False
    return twin
