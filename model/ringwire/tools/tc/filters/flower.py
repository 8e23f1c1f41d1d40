"""tc's syntax of flower; after tc/f_flower.c of iproute2 6.1.

There is no model of what it knows of tunnels, MPLS, PPPoE, ARP and connection tracking.
"""

from __future__ import annotations

from typing import Any

from ringwire.filter import Filter
from ringwire.filter.flower import FlowerParams
from ringwire.tools.tc.action_reader import read_actions
from ringwire.tools.tc.errors import said, take, unknown
from ringwire.tools.tc.filterfront import FilterFrontEnd
from ringwire.tools.tc.flower_keys import ALONE, KEYS, NOT_MODELLED, FlowerLine, read_classid
from ringwire.tools.tc.flower_show import show_flower
from ringwire.tools.tc.output import Output
from ringwire.tools.tc.show_actions import show_pipeline
from ringwire.tools.words import Word, Words


class FlowerFrontEnd(FilterFrontEnd):
    """Keys, a class, actions."""

    kinds = ("flower",)

    def read(self, words: Words, kind: Word, handle: int) -> FlowerParams:
        line = FlowerLine(self.protocol)
        while words:
            word = take(words)
            if word.text in NOT_MODELLED:
                raise unknown(word, "key", list(KEYS))
            name = next((each for each in KEYS if each.startswith(word.text)), None)
            if name is not None:
                if not words and name not in ALONE:
                    take(words)
                KEYS[name](words, line)
            elif word.text == "flowid" or "action".startswith(word.text):
                _class_or_actions(words, line, word)
            else:
                raise said(word, f'What is "{word.text}"?')
        return line.params()

    def show(self, out: Output, classifier: Filter[Any], handle: int, params: Any) -> None:
        show_flower(out, handle, params)
        show_pipeline(out, classifier.actions(handle), classifier.dev.now_ns())


def _class_or_actions(words: Words, line: FlowerLine, word: Word) -> None:
    if word.text == "flowid":
        read_classid(words, line)
    else:
        line.actions = read_actions(words)
