"""tc's syntax of mirred; after tc/m_mirred.c of iproute2 6.1."""

from __future__ import annotations

from typing import Any

from ringwire.action import Action, ActionSpec
from ringwire.action.mirred import Mirred, MirredParams
from ringwire.qdisc.classify import OK, PIPE, STOLEN
from ringwire.tools.tc.actionfront import ActionFrontEnd, Age, read_index, show_numbers
from ringwire.tools.tc.control import read_optional_verdict, show_verdict
from ringwire.tools.tc.errors import PARSE_STATUS, TcError, said, take
from ringwire.tools.tc.output import Output
from ringwire.tools.units import parse_decimal
from ringwire.tools.words import Word, Words


class MirredFrontEnd(ActionFrontEnd):
    """``egress|ingress redirect|mirror [index N] dev DEV``; a mirror may end with a verdict."""

    kinds = ("mirred",)

    def read(self, words: Words, kind: Word) -> ActionSpec:
        if not words:
            take(words)
        begin = words.peek()
        if "index".startswith(begin):
            return self._known(words)
        if not any(each.startswith(begin) for each in ("egress", "ingress")):
            raise said(words.here, f"mirred option not supported {begin}")
        ingress = "ingress".startswith(take(words).text)
        redirect: bool | None = None
        index = 0
        while True:
            word = take(words)
            if "redirect".startswith(word.text) and redirect is None:
                redirect = True
            elif "mirror".startswith(word.text) and redirect is None:
                redirect = False
            elif "index".startswith(word.text):
                number = take(words)
                try:
                    index = parse_decimal(number.text)
                except ValueError:
                    raise said(number, 'Illegal "index"') from None
            elif word.text == "dev" and redirect is not None:
                break
        target = take(words)
        if words.devices is not None and target.text not in words.devices:
            raise TcError(
                target,
                f'Cannot find device "{target.text}"',
                allowed=", ".join(words.devices),
                status=PARSE_STATUS,
            )
        verdict = STOLEN if redirect else read_optional_verdict(words, PIPE)
        spec = ActionSpec("mirred", MirredParams(target.text, redirect, ingress, verdict), index)
        if words and "index".startswith(words.peek()) and index:
            raise said(take(words), "mirred: Illegal double index")
        return read_index(words, spec, 'mirred: Illegal "index"')

    def _known(self, words: Words) -> ActionSpec:
        """Only ``index N``: an action that there is."""
        return read_index(words, ActionSpec("mirred", MirredParams(verdict=OK)), 'Illegal "index"')

    def show(self, out: Output, action: Action[Any], age: Age) -> None:
        assert isinstance(action, Mirred)
        params = action.params()
        name, direction = "redirect" if params.redirect else "mirror", "ingress" if params.ingress else "egress"
        out.item("kind", "mirred ", "mirred")
        out.item("mirred_action", f"({direction.title()} {name.title()}", name)
        out.json["direction"] = direction
        out.item("to_dev", f" to device {params.dev})", params.dev)
        show_verdict(out, params.verdict, " ")
        show_numbers(out, action, age, "\n\t")
