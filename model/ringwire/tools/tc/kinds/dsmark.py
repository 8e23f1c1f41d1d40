"""tc's syntax of dsmark and its classes; after tc/q_dsmark.c of iproute2 6.1."""

from __future__ import annotations

from ringwire.qdisc.base import AnyQdisc
from ringwire.qdisc.classful import QdiscClass
from ringwire.qdisc.dsmark import Dsmark, DsmarkParams, MarkClass, MarkParams
from ringwire.tools.tc.errors import PARSE_STATUS, TcError, take
from ringwire.tools.tc.frontend import FrontEnd
from ringwire.tools.tc.options import read_word
from ringwire.tools.tc.output import Output
from ringwire.tools.units import parse_u32
from ringwire.tools.words import Word, Words

SAME = {"default": "default_index"}
SET_TC_INDEX = "set_tc_index"


class DsmarkFrontEnd(FrontEnd):
    """tc has no words of complaint here, only its usage; what is too large for its field loses its upper bits."""

    kinds = ("dsmark",)

    def read(self, words: Words, kind: Word) -> DsmarkParams:
        values: dict[str, int] = {}
        set_tc_index = False
        while words:
            word = take(words)
            if word.text == SET_TC_INDEX:
                set_tc_index = True
            else:
                _read(words, word, ("indices", "default_index"), values, 0xFFFF)
        if not values.get("indices"):
            raise TcError(words.here, "", allowed="indices INDICES, which must be there", status=PARSE_STATUS)
        return DsmarkParams(values["indices"], values.get("default_index"), set_tc_index)

    def read_class(self, words: Words, kind: Word) -> MarkParams:
        values: dict[str, int] = {}
        while words:
            _read(words, take(words), ("mask", "value"), values, 0xFF)
        return MarkParams(**values)

    def show(self, out: Output, qdisc: AnyQdisc) -> None:
        assert isinstance(qdisc, Dsmark)
        params = qdisc.params()
        out.item("indices", f"indices 0x{params.indices:04x} ", params.indices)
        if params.default_index is not None:
            out.item("default_index", f"default_index 0x{params.default_index:04x} ", params.default_index)
        if params.set_tc_index:
            out.item(SET_TC_INDEX, f"{SET_TC_INDEX} ", True)

    def show_class(self, out: Output, cls: QdiscClass) -> None:
        assert isinstance(cls, MarkClass)
        params = cls.params()
        out.item("mask", f"mask 0x{params.mask:02x} ", params.mask)
        out.item("value", f"value 0x{params.value:02x} ", params.value)


def _read(words: Words, word: Word, names: tuple[str, ...], values: dict[str, int], most: int) -> None:
    name = SAME.get(word.text, word.text) if "indices" in names else word.text
    if name not in names:
        raise TcError(word, "", allowed=", ".join(names), status=PARSE_STATUS)
    values[name] = read_word(take(words), parse_u32, "") & most
