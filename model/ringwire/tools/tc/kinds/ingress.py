"""How tc reads and prints ingress; after tc/q_ingress.c of iproute2 6.1."""

from __future__ import annotations

from typing import Any

from ringwire.qdisc.base import AnyQdisc
from ringwire.tools.tc.errors import take
from ringwire.tools.tc.frontend import FrontEnd
from ringwire.tools.tc.output import Output
from ringwire.tools.words import Word, Words


class IngressFrontEnd(FrontEnd):
    """It has no options but a handle, which tc does not look at; a line stands for them."""

    kinds = ("ingress",)

    def read(self, words: Words, kind: Word) -> Any | None:
        while words.peek() == "handle":
            take(words)
            take(words)
        return super().read(words, kind)

    def show(self, out: Output, qdisc: AnyQdisc) -> None:
        out.text += "---------------- "
