"""tc's syntax of qfq; after tc/q_qfq.c of iproute2 6.1."""

from __future__ import annotations

from ringwire.qdisc.qfq import QfqClassParams
from ringwire.tools.tc.abbreviations import Option, read_abbreviated, unsigned
from ringwire.tools.tc.frontend import FrontEnd
from ringwire.tools.tc.options import USUAL
from ringwire.tools.words import Word, Words

CLASS_OPTIONS = {"weight": Option("weight", unsigned(32)), "maxpkt": Option("maxpkt", unsigned(32))}


class QfqFrontEnd(FrontEnd):
    """The packet size is a plain number, without units."""

    kinds = ("qfq",)

    def read_class(self, words: Words, kind: Word) -> QfqClassParams:
        return QfqClassParams(**read_abbreviated(words, CLASS_OPTIONS, USUAL))
