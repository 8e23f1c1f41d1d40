"""tc's syntax of basic; after tc/f_basic.c of iproute2 6.1, but for its JSON, which is that of 6.5."""

from __future__ import annotations

from typing import Any

from ringwire.filter import Filter
from ringwire.filter.basic import Basic, BasicParams
from ringwire.filter.ematch import Term
from ringwire.tools.tc.ematch_reader import read_ematch
from ringwire.tools.tc.errors import said, take
from ringwire.tools.tc.filterfront import FilterFrontEnd
from ringwire.tools.tc.filters.common import Common
from ringwire.tools.tc.output import Output
from ringwire.tools.tc.show_actions import show_pipeline
from ringwire.tools.tc.show_ematch import ematch_text
from ringwire.tools.units import format_classid, parse_u32
from ringwire.tools.words import Word, Words


class BasicFrontEnd(FilterFrontEnd):
    """``match EXPRESSION``, a class, actions."""

    kinds = ("basic",)

    def read_handle(self, word: Word) -> int:
        """tc takes what is no number for none."""
        try:
            return parse_u32(word.text)
        except ValueError:
            return 0

    def read(self, words: Words, kind: Word, handle: int) -> BasicParams:
        if not words:
            return BasicParams(options=False)
        common = Common()
        terms: tuple[Term, ...] = ()
        while words:
            word = words.here
            if "match".startswith(word.text):
                take(words)
                terms = read_ematch(words)
            elif not common.read(words):
                raise said(word, f'What is "{word.text}"?')
        return BasicParams(common.classid or 0, terms, common.pipeline)

    def show(self, out: Output, classifier: Filter[Any], handle: int, params: Any) -> None:
        assert isinstance(classifier, Basic)
        out.item("handle", f"handle 0x{handle:x} ", f"{handle:x}")
        if params.classid:
            out.item("flowid", f"flowid {format_classid(params.classid)} ", format_classid(params.classid))
        if params.terms:
            text = ematch_text(params.terms)
            out.item("ematch", text, text.strip())
        if params.actions and params.actions[0].old_style:
            out.text += "\n"
        show_pipeline(out, classifier.actions(handle), classifier.dev.now_ns())
        if out.statistics:
            asked, hits = classifier.counts(handle)
            out.item("rule_hit", f" (rule hit {asked}", asked)
            out.item("success", f" success {hits})\n", hits)
