"""tc's syntax of plug; after tc/q_plug.c of iproute2 6.1. Nothing is shown: the kernel does not tell."""

from __future__ import annotations

from ringwire.qdisc.plug import BUFFER, LIMIT, RELEASE_INDEFINITE, RELEASE_ONE, PlugParams
from ringwire.tools.tc.errors import said, take
from ringwire.tools.tc.frontend import FrontEnd
from ringwire.tools.tc.options import read_word
from ringwire.tools.units import parse_size
from ringwire.tools.words import Word, Words

ACTIONS = {"block": BUFFER, "release": RELEASE_ONE, "release_indefinite": RELEASE_INDEFINITE, "limit": LIMIT}


class PlugFrontEnd(FrontEnd):
    """The last command of a line counts."""

    kinds = ("plug",)

    def read(self, words: Words, kind: Word) -> PlugParams | None:
        action: int | None = None
        limit = 0
        while words:
            name = take(words)
            if name.text not in ACTIONS:
                raise said(name, f'{kind.text}: unknown parameter "{name.text}"')
            action = ACTIONS[name.text]
            if action == LIMIT:
                word = take(words)
                limit = read_word(word, parse_size, f'Illegal value for "limit": "{word.text}"')
        return None if action is None else PlugParams(action, limit)
