"""tc's words for the fifos, and for kinds without options; after tc/q_fifo.c of iproute2 6.1."""

from __future__ import annotations

from typing import ClassVar

from ringwire.qdisc.base import AnyQdisc
from ringwire.tools.tc.errors import USAGE_STATUS, TcError
from ringwire.tools.tc.frontend import FrontEnd
from ringwire.tools.tc.options import Wording
from ringwire.tools.tc.output import Output
from ringwire.tools.words import Word, Words


class FifoFrontEnd(FrontEnd):
    """The common syntax, other complaints, and no space at the end of the line."""

    kinds = ("pfifo", "bfifo", "pfifo_head_drop")
    wording: ClassVar[Wording] = Wording(
        unknown='{kind}: unknown parameter "{word}"', illegal='{kind}: Illegal value for "limit": "{word}"'
    )

    def show(self, out: Output, qdisc: AnyQdisc) -> None:
        super().show(out, qdisc)
        out.text = out.text.removesuffix(" ")


class FixedFrontEnd(FrontEnd):
    """Kinds without options."""

    kinds = ("mq",)

    def read(self, words: Words, kind: Word) -> None:
        if words:
            printed = f"qdisc '{kind.text}' does not support option parsing"
            raise TcError(words.here, printed, status=USAGE_STATUS)

    def show(self, out: Output, qdisc: AnyQdisc) -> None:
        super().show(out, qdisc)
        out.text = out.text.removesuffix(" ")


class PfifoFastFrontEnd(FixedFrontEnd):
    """tc prints it as it prints prio."""

    kinds = ("pfifo_fast",)

    def show(self, out: Output, qdisc: AnyQdisc) -> None:
        super().show(out, qdisc)
        out.item("multiqueue", "", False)


class NoqueueFrontEnd(FrontEnd):
    """tc does not know the kind."""

    kinds = ("noqueue",)
    wording: ClassVar[Wording] = Wording(unknown='Unknown qdisc "{kind}", hence option "{word}" is unparsable')
