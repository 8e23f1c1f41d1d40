"""How tc prints ingress; after tc/q_ingress.c of iproute2 6.1."""

from __future__ import annotations

from ringwire.qdisc.base import AnyQdisc
from ringwire.tools.tc.frontend import FrontEnd
from ringwire.tools.tc.output import Output


class IngressFrontEnd(FrontEnd):
    """It has no options; a line stands for them."""

    kinds = ("ingress",)

    def show(self, out: Output, qdisc: AnyQdisc) -> None:
        out.text += "---------------- "
