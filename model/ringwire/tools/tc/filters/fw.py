"""tc's syntax of fw; after tc/f_fw.c of iproute2 6.1, but for its JSON, which is that of 6.5."""

from __future__ import annotations

from typing import Any

from ringwire.filter import Filter
from ringwire.filter.fw import Fw, FwParams
from ringwire.tools.tc.errors import said, take
from ringwire.tools.tc.filterfront import FilterFrontEnd
from ringwire.tools.tc.filters.common import Common
from ringwire.tools.tc.output import Output
from ringwire.tools.tc.show_actions import show_pipeline
from ringwire.tools.units import format_classid, parse_u32
from ringwire.tools.words import Word, Words

U32 = 0xFFFF_FFFF


class FwFrontEnd(FilterFrontEnd):
    """The handle is ``MARK[/MASK]``."""

    kinds = ("fw",)

    def __init__(self) -> None:
        self.mask: int | None = None

    def read_handle(self, word: Word) -> int:
        mark, slash, mask = word.text.partition("/")
        complaint = 'Illegal "handle"'
        try:
            handle = parse_u32(mark)
            complaint = 'Illegal "handle" mask'
            self.mask = parse_u32(mask) if slash else None
        except ValueError:
            raise said(word, complaint) from None
        return handle

    def read(self, words: Words, kind: Word, handle: int) -> FwParams:
        if not words:
            return FwParams(options=False)
        common, indev = Common(), ""
        while words:
            word = words.here
            if common.read(words):
                continue
            take(words)
            if word.text != "indev":
                raise said(word, f'What is "{word.text}"?')
            if not words:
                raise said(words.here, "Illegal indev")
            indev = take(words).text
        return FwParams(common.classid or 0, self.mask, indev, common.pipeline)

    def show(self, out: Output, classifier: Filter[Any], handle: int, params: Any) -> None:
        assert isinstance(classifier, Fw)
        out.item("handle", f"handle 0x{handle:x}", f"{handle:x}")
        if classifier.mask is not None and classifier.mask != U32:
            out.item("fw_mask", f"/0x{classifier.mask:x}", f"{classifier.mask:x}")
        out.text += " "
        classid = classifier.classid(handle)
        if classid:
            out.item("classid", f"classid {format_classid(classid)} ", format_classid(classid))
        if params.indev:
            out.item("indev", f"input dev {params.indev} ", params.indev)
        if params.actions:
            out.text += "\n" if not params.actions[0].old_style else ""
        show_pipeline(out, classifier.actions(handle), classifier.dev.now_ns())
