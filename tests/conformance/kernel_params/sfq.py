"""sfq: what RED comes to, where it is asked for; it has no table of idle times."""

from __future__ import annotations

from ringwire.netdev import NetDevice
from ringwire.netdev.tree import qdiscs
from ringwire.qdisc.sfq import Sfq
from ringwire.tools.tc import Command, QdiscCommand
from tests.conformance.kernel_params.red import of_parms


def lines(dev: NetDevice, command: Command) -> list[str]:
    if not isinstance(command, QdiscCommand) or command.flags is None:
        return []
    sfq = next(q for q in qdiscs(dev) if isinstance(q, Sfq) and q.parent_id == command.request.parent)
    return [] if sfq.red is None else [of_parms(sfq.red)]
