"""tc's syntax of matchall; after tc/f_matchall.c of iproute2 6.1."""

from __future__ import annotations

from typing import Any

from ringwire.filter import Filter
from ringwire.filter.matchall import Matchall, MatchallParams
from ringwire.tools.tc.errors import said, take
from ringwire.tools.tc.filterfront import FilterFrontEnd
from ringwire.tools.tc.filters.common import Common
from ringwire.tools.tc.output import Output
from ringwire.tools.tc.show_actions import show_pipeline
from ringwire.tools.units import format_classid, parse_u32
from ringwire.tools.words import Word, Words


class MatchallFrontEnd(FilterFrontEnd):
    """A class, actions, or both."""

    kinds = ("matchall",)

    def read_handle(self, word: Word) -> int:
        """tc takes what is no number for none."""
        try:
            return parse_u32(word.text)
        except ValueError:
            return 0

    def read(self, words: Words, kind: Word, handle: int) -> MatchallParams:
        if not words:
            return MatchallParams(options=False)
        common = Common(takes_police=False)
        while words:
            word = words.here
            if common.read(words):
                continue
            take(words)
            if word.text not in ("skip_hw", "skip_sw"):
                raise said(word, f'What is "{word.text}"?')
            # tc wants another word behind these
            take(words)
            words.back()
        return MatchallParams(common.classid or 0, common.pipeline)

    def show(self, out: Output, classifier: Filter[Any], handle: int, params: Any) -> None:
        assert isinstance(classifier, Matchall)
        out.item("handle", f"handle 0x{handle:x} ", handle)
        if params.classid:
            out.item("flowid", f"flowid {format_classid(params.classid)} ", format_classid(params.classid))
        out.item("not_in_hw", "\n  not_in_hw", True)
        if out.statistics:
            out.item("rule_hit", f" (rule hit {classifier.hits})", classifier.hits)
        show_pipeline(out, classifier.actions(handle), classifier.dev.now_ns())
