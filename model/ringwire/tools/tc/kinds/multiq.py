"""tc's syntax of multiq and teql; after tc/q_multiq.c and tc/tc_qdisc.c of iproute2 6.1."""

from __future__ import annotations

from typing import ClassVar

from ringwire.qdisc.base import AnyQdisc, NoParams
from ringwire.qdisc.multiq import Multiq
from ringwire.tools.tc.frontend import FrontEnd
from ringwire.tools.tc.options import Wording
from ringwire.tools.tc.output import Output
from ringwire.tools.words import Word, Words


class MultiqFrontEnd(FrontEnd):
    """It has no options, but a line without any changes it all the same."""

    kinds = ("multiq",)

    def read(self, words: Words, kind: Word) -> NoParams:
        super().read(words, kind)
        return NoParams()

    def show(self, out: Output, qdisc: AnyQdisc) -> None:
        assert isinstance(qdisc, Multiq)
        # not in tc's JSON
        out.text += f"bands {len(qdisc.bands)}/{qdisc.dev.num_tx_queues} "


class TeqlFrontEnd(FrontEnd):
    """tc does not know the kind."""

    kinds = ("teql0",)
    wording: ClassVar[Wording] = Wording(unknown='Unknown qdisc "{kind}", hence option "{word}" is unparsable')
