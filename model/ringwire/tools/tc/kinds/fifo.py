"""tc's words for pfifo, bfifo and pfifo_head_drop; after tc/q_fifo.c of iproute2 6.1."""

from __future__ import annotations

from typing import ClassVar

from ringwire.tools.tc.frontend import FrontEnd
from ringwire.tools.tc.options import Wording


class FifoFrontEnd(FrontEnd):
    """The common syntax, other complaints."""

    kinds = ("pfifo", "bfifo", "pfifo_head_drop")
    wording: ClassVar[Wording] = Wording(
        unknown='{kind}: unknown parameter "{word}"', illegal='{kind}: Illegal value for "limit": "{word}"'
    )
