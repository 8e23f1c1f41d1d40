"""tc's syntax of u32; after tc/f_u32.c of iproute2 6.1."""

from __future__ import annotations

import re
from typing import Any

from ringwire.filter import Filter
from ringwire.filter.u32 import U32
from ringwire.filter.u32_table import BUCKET, EAT, NODE, OFFSET, TABLE, TERMINAL, VAROFFSET, Node, Selector, U32Params
from ringwire.tools.tc.errors import said, take
from ringwire.tools.tc.filterfront import FilterFrontEnd
from ringwire.tools.tc.filters.common import Common
from ringwire.tools.tc.output import Output
from ringwire.tools.tc.show_actions import show_pipeline
from ringwire.tools.tc.u32_selector import Keys, read_match
from ringwire.tools.tc.u32_show import show_keys
from ringwire.tools.units import format_classid, parse_hex, parse_int, parse_u32
from ringwire.tools.words import Word, Words


def parse_u32_handle(text: str) -> int:
    """``800::801``, ``2:5:``, ``1:``: table, bucket and filter, hexadecimal; ``0x80000801`` is all of it."""
    parts = text.split(":")
    if len(parts) == 1:
        if not text.startswith("0x"):
            raise ValueError("not TABLE:BUCKET:FILTER")
        return parse_hex(text)
    numbers = [int(part, 16) if re.fullmatch("[0-9a-fA-F]*", part) and part else 0 for part in (*parts, "", "")[:3]]
    if not all(re.fullmatch("(0x)?[0-9a-fA-F]*", part) for part in parts[:3]):
        raise ValueError("not TABLE:BUCKET:FILTER")
    table, bucket, node = numbers
    if table >= 0x1000 or bucket >= 0x100 or node >= 0x1000:
        raise ValueError("more than fff:ff:fff")
    return table << 20 | bucket << 12 | node


def format_u32_handle(handle: int) -> str:
    if not handle:
        return "none"
    table, bucket, node = handle >> 20, (handle & BUCKET) >> 12, handle & NODE
    text = f"{table:x}:" if table else ""
    text += f"{bucket:x}" if bucket else ""
    return text + (f":{node:x}" if node else "")


class _Line:
    """A selector and the rest, in the making."""

    def __init__(self, handle: int) -> None:
        self.handle = handle
        self.keys = Keys()
        self.flags = self.offmask = self.offshift = self.offoff = self.off = self.hmask = self.hoff = 0
        self.matches = 0
        self.table = 0
        self.sampled = False
        self.order = 0
        self.divisor = 0
        self.link: int | None = None
        self.indev = ""
        self.common = Common()

    def params(self) -> U32Params:
        selector = Selector(
            tuple(self.keys.keys),
            self.flags,
            self.offmask,
            self.offshift,
            self.offoff,
            self.off,
            self.hmask,
            self.hoff,
        )
        return U32Params(
            selector if self.matches else None,
            self.common.classid,
            self.table,
            self.link,
            self.divisor,
            self.keys.mark,
            self.indev,
            self.common.pipeline,
        )


class U32FrontEnd(FilterFrontEnd):
    """Matches, hash tables and links."""

    kinds = ("u32",)
    order = 0

    def read_handle(self, word: Word) -> int:
        try:
            return parse_u32_handle(word.text)
        except ValueError:
            raise said(word, "Illegal filter ID") from None

    def read(self, words: Words, kind: Word, handle: int) -> U32Params:
        if not words:
            return U32Params(options=False)
        line = _Line(handle)
        while words:
            self._word(words, line)
        self.order = line.order
        common = line.common
        if common.classid is not None or common.pipeline:
            line.flags |= TERMINAL
        return line.params()

    def handle(self, handle: int) -> int:
        return handle | self.order

    def _word(self, words: Words, line: _Line) -> None:
        word = words.here
        name = word.text
        if "match".startswith(name):
            take(words)
            if not words:
                take(words)
            read_match(words, line.keys)
            line.matches += 1
        elif "offset".startswith(name):
            take(words)
            if not words:
                take(words)
            _offset(words, line)
        elif "hashkey".startswith(name):
            take(words)
            if not words:
                take(words)
            _hashkey(words, line)
        elif line.common.read(words):
            pass
        elif "divisor".startswith(name):
            take(words)
            line.divisor = _divisor(words, 'Illegal "divisor"')
        elif "order".startswith(name):
            take(words)
            value = take(words)
            line.order = _number(value, 'Illegal "order"')
            if line.order and line.handle & NODE and line.order != line.handle & NODE:
                raise said(value, '"order" contradicts "handle"')
        elif name == "link":
            take(words)
            line.link = _table(take(words), "link", NODE)
        elif name == "ht":
            take(words)
            table = _table(take(words), "ht", 0)
            line.table = line.table & BUCKET | table & TABLE if line.sampled else table & (TABLE | BUCKET)
        elif name == "sample":
            take(words)
            _sample(words, line)
        elif name == "indev":
            take(words)
            if not words:
                raise said(words.here, "Illegal indev")
            line.indev = take(words).text
        elif name not in ("skip_hw", "skip_sw"):
            raise said(word, f'What is "{name}"?')
        else:
            take(words)

    def show(self, out: Output, classifier: Filter[Any], handle: int, params: Any) -> None:
        assert isinstance(classifier, U32)
        out.item("fh", f"fh {format_u32_handle(handle)} ", format_u32_handle(handle))
        node = classifier.node(handle)
        if node is None:
            out.item("ht_divisor", f"ht divisor {params.divisor} ", params.divisor)
            return
        out.item("order", f"order {handle & NODE} ", handle & NODE)
        table, bucket = f"{handle >> 20:x}", f"{(handle & BUCKET) >> 12:x}"
        out.item("key_ht", f"key ht {table} ", table)
        out.item("bkt", f"bkt {bucket} ", bucket)
        _show_class(out, node)
        out.item("not_in_hw", "not_in_hw ", True)
        if out.statistics:
            out.item("rule_hit", f" (rule hit {node.asked}", node.asked)
            out.item("success", f" success {node.hits})", node.hits)
        show_keys(out, node, classifier.protocol)
        if node.pipeline is not None and node.pipeline.actions[0].old_style:
            out.text += "\n"
        show_pipeline(out, node.pipeline, classifier.dev.now_ns())


def _show_class(out: Output, node: Node) -> None:
    terminal = node.flags & TERMINAL
    if node.classid is not None:
        out.item("flowid", f"{'*' if terminal else ''}flowid {format_classid(node.classid)} ")
        out.json["flowid"] = format_classid(node.classid)
    elif terminal:
        out.text += "terminal flowid "
    if node.down is not None:
        out.item("link", f"link {format_u32_handle(node.down.handle)} ", format_u32_handle(node.down.handle))


def _number(word: Word, complaint: str) -> int:
    try:
        return parse_u32(word.text)
    except ValueError:
        raise said(word, complaint) from None


def _divisor(words: Words, complaint: str) -> int:
    word = take(words)
    value = _number(word, complaint)
    if not 0 < value <= 0x100 or value & value - 1:
        raise said(word, complaint)
    return value


def _table(word: Word, name: str, refused: int) -> int:
    try:
        handle = parse_u32_handle(word.text)
    except ValueError:
        raise said(word, f'Illegal "{name}"') from None
    if handle & refused:
        raise said(word, f'"{name}" must be a hash table.')
    return handle


def _sample(words: Words, line: _Line) -> None:
    """A value, from which tc computes the bucket as the kernel would."""
    begin = words.here
    keys = Keys()
    if not words:
        take(words)
    try:
        read_match(words, keys)
    except ValueError as error:
        raise said(begin, str(getattr(error, "printed", "")).replace('Illegal "match"', 'Illegal "sample"')) from None
    if len(keys.keys) != 1:
        raise said(begin, '"sample" must contain exactly ONE key.')
    divisor = 0x100
    if words.peek() == "divisor":
        take(words)
        divisor = _divisor(words, 'Illegal sample "divisor"')
    key = keys.keys[0]
    found = int.from_bytes((key.value & key.mask).to_bytes(4, "big"), "little")
    found ^= found >> 16
    found ^= found >> 8
    line.table = (found & 0xFFFF_FFFF) % divisor << 12 | line.table & TABLE
    line.sampled = True


def _offset(words: Words, line: _Line) -> None:
    while words:
        word = words.here
        name = next((each for each in ("plus", "at", "mask", "shift", "eat") if each.startswith(word.text)), None)
        if name is None:
            return
        take(words)
        if name == "eat":
            line.flags |= EAT
            continue
        value = take(words)
        try:
            if name == "mask":
                line.offmask = parse_hex(value.text)
                if line.offmask > 0xFFFF:
                    raise ValueError
            else:
                number = parse_int(value.text)
                if name == "at" and number % 2:
                    raise said(value, 'offset "at" must be even\nIllegal "offset"')
                setattr(line, {"plus": "off", "at": "offoff", "shift": "offshift"}[name], number)
        except ValueError as error:
            raise error if hasattr(error, "printed") else said(value, 'Illegal "offset"') from None
        line.flags |= OFFSET if name == "plus" else VAROFFSET


def _hashkey(words: Words, line: _Line) -> None:
    while words:
        word = words.here
        name = next((each for each in ("mask", "at") if each.startswith(word.text)), None)
        if name is None:
            return
        take(words)
        value = take(words)
        try:
            if name == "mask":
                line.hmask = parse_hex(value.text)
            else:
                line.hoff = parse_int(value.text)
                if line.hoff % 4:
                    raise ValueError
        except ValueError:
            raise said(value, 'Illegal "hashkey"') from None
