"""Extended matches as text: ``cmp(u8 at 0 layer 1 eq 5) and not (meta(priority gt 3) or ...)``.

After tc/m_ematch.c, emp_ematch.y and em_*.c of iproute2 6.1.
"""

from __future__ import annotations

import re
from typing import NamedTuple, NoReturn

from ringwire.filter.ematch import EQ, GT, LT, META, Cmp, Ematch, Meta, Nbyte, Operand, Term, U32Match
from ringwire.tools.tc.errors import PARSE_STATUS, TcError, incomplete, unknown
from ringwire.tools.units import parse_int, parse_u32
from ringwire.tools.words import Word, Words

_TOKEN = re.compile(r'\s*(?:(?P<bracket>[()])|"(?P<text>(?:[^"\\]|\\.)*)"|(?P<bare>[^\s()"]+)|(?P<open>".*))')
SIZES = {"u8": 1, "u16": 2, "u32": 4}
LAYERS = {"link": 0, "network": 1, "transport": 2}
OPERANDS = (EQ, LT, GT)
NOT_MODELLED = ("ipset", "ipt", "canid", "text")
ALL_META = frozenset(
    (
        "random", "loadavg_1", "loadavg_5", "loadavg_15", "dev", "priority", "protocol", "pkt_type", "pkt_len",
        "data_len", "mac_len", "nf_mark", "fwmark", "tc_index", "rt_classid", "rt_iif", "vlan", "sk_family",
        "sk_state", "sk_reuse", "sk_bind_if", "sk_refcnt", "sk_shutdown", "sk_proto", "sk_type", "sk_rcvbuf",
        "sk_rmem", "sk_wmem", "sk_omem", "sk_wmem_queue", "sk_snd_queue", "sk_rcv_queue", "sk_err_queue",
        "sk_fwd_alloc", "sk_sndbuf",
    )
)  # fmt: skip


class _Token(NamedTuple):
    text: str
    column: int
    quoted: bool = False

    def word(self) -> Word:
        return Word(self.text, self.column)


class _Reader:
    """Takes tokens out of words as they are needed: an expression may be one quoted word or many."""

    def __init__(self, words: Words) -> None:
        self.words = words
        self.waiting: list[_Token] = []
        self.seen: list[str] = []
        """Words that were looked at, for complaints."""

    def peek(self) -> _Token | None:
        while not self.waiting and self.words:
            word = self.words.take("")
            self.seen.append(word.text)
            for match in _TOKEN.finditer(word.text):
                kind = match.lastgroup or ""
                text = match[kind]
                column = word.column + match.start(kind)
                self.waiting.append(_Token(_unescaped(text) if kind == "text" else text, column, kind == "text"))
        return self.waiting[0] if self.waiting else None

    def take(self, what: str = "") -> _Token:
        token = self.peek()
        if token is None or (what and (token.text != what or token.quoted)):
            self.syntax_error(token)
        return self.waiting.pop(0)

    def next_is(self, *texts: str) -> bool:
        token = self.peek()
        return token is not None and not token.quoted and token.text in texts

    def syntax_error(self, token: _Token | None) -> NoReturn:
        self.fail(token, "Parse error: syntax error", "")

    def fail(self, token: _Token | None, complaint: str, call: str) -> NoReturn:
        """tc's complaint: which word of the line, which part of it, and that the match is illegal."""
        *before, last = self.seen or [""]
        line = " ".join([*before, f">>{last}<<"])
        printed = f"{complaint}\n... {line} ...\n{call}"
        word = token.word() if token is not None else self.words.here
        raise TcError(word, f'{printed}Illegal "ematch"', status=PARSE_STATUS)


def _unescaped(text: str) -> str:
    """Characters behind a backslash, of which ``\\x`` is two hexadecimal digits' one."""
    plain = {"n": "\n", "t": "\t", "r": "\r", "v": "\v", "b": "\b", "f": "\f", "a": "\a"}

    def one(match: re.Match[str]) -> str:
        if match[1]:
            return chr(int(match[1], 16))
        return plain.get(match[2], match[2])

    return re.sub(r"\\(?:x([0-9a-fA-F]{1,2})|(.))", one, text)


def read_ematch(words: Words) -> tuple[Term, ...]:
    """An expression; the words behind it stay."""
    if not words:
        raise incomplete(words)
    reader = _Reader(words)
    terms = _sequence(reader)
    if reader.waiting:
        # the parser has looked at one word too many, or at one that goes on
        if reader.waiting[0].column != words.last.column:
            reader.syntax_error(reader.waiting[0])
        words.back()
    return terms


def _sequence(reader: _Reader) -> tuple[Term, ...]:
    terms = []
    while True:
        inverted = reader.next_is("not", "NOT")
        if inverted:
            reader.take()
        test: Ematch | tuple[Term, ...]
        if reader.next_is("("):
            reader.take("(")
            test = _sequence(reader)
            reader.take(")")
        else:
            test = _call(reader)
        relation = ""
        for name in ("and", "or"):
            if reader.next_is(name, name.upper()):
                relation = name
        if reader.next_is("&&", "||"):
            relation = "and" if reader.next_is("&&") else "or"
        terms.append(Term(test, inverted, relation))
        if not relation:
            return tuple(terms)
        reader.take()


def _call(reader: _Reader) -> Ematch:
    name = reader.take()
    if name.text in ("(", ")") or name.quoted:
        reader.syntax_error(name)
    reader.take("(")
    tokens = []
    while not reader.next_is(")"):
        if reader.next_is("("):
            reader.syntax_error(reader.peek())
        tokens.append(reader.take())
    reader.take(")")
    if name.text in NOT_MODELLED:
        raise unknown(name.word(), "ematch", list(_KINDS))
    kind = _KINDS.get(name.text)
    if kind is None:
        raise TcError(name.word(), f'Unknown ematch "{name.text}"\nIllegal "ematch"', allowed=", ".join(_KINDS))
    if not tokens:
        reader.syntax_error(name)
    return kind(_Arguments(reader, name.text, tokens))


class _Arguments:
    """What stands in the brackets of one match."""

    def __init__(self, reader: _Reader, kind: str, tokens: list[_Token]) -> None:
        self.reader, self.kind, self.tokens, self.at = reader, kind, tokens, 0

    def __bool__(self) -> bool:
        return self.at < len(self.tokens)

    def peek(self) -> str:
        return self.tokens[self.at].text if self else ""

    def take(self) -> _Token:
        self.at += 1
        return self.tokens[self.at - 1]

    def fail(self, token: _Token | None, complaint: str) -> NoReturn:
        shown = " ".join(f">>{each.text}<<" if each is token else each.text for each in self.tokens)
        self.reader.fail(token or self.tokens[0], complaint, f"... {self.kind}({shown})...\n")

    def number(self, complaint: str, signed: bool = False) -> int:
        if not self:
            self.fail(None, complaint)
        token = self.take()
        try:
            return parse_int(token.text) if signed else parse_u32(token.text)
        except ValueError:
            self.fail(token, complaint)

    def layer(self, illegal: str) -> int:
        if not self:
            self.fail(None, illegal)
        token = self.take()
        if token.text in LAYERS:
            return LAYERS[token.text]
        if token.text not in ("0", "1", "2"):
            self.fail(token, f"{self.kind}: illegal layer, must be in 0..2" if token.text.isdigit() else illegal)
        return int(token.text)


def _cmp(arguments: _Arguments) -> Ematch:
    align = arguments.take()
    if align.text not in SIZES:
        arguments.fail(align, "cmp: invalid alignment")
    offset: int | None = None
    layer, mask, trans, operand, value = LAYERS["network"], 0, False, "", 0
    while arguments:
        token = arguments.take()
        if token.text == "at":
            offset = arguments.number("cmp: invalid offset, must be numeric", signed=True)
        elif token.text == "layer":
            layer = arguments.layer("cmp: invalid layer")
        elif token.text == "mask":
            mask = arguments.number("cmp: invalid mask")
        elif token.text == "trans":
            trans = True
        elif token.text in OPERANDS:
            operand = token.text
            value = arguments.number("cmp: invalid value")
        else:
            # tc names the wrong kind here
            arguments.fail(token, "nbyte: unknown parameter")
    if offset is None or not operand:
        arguments.fail(None, "cmp: offset required" if offset is None else "cmp: value required")
    return Cmp(SIZES[align.text], offset, layer, mask, trans, operand, value)


def _u32(arguments: _Arguments) -> Ematch:
    align = arguments.take()
    if align.text not in SIZES:
        arguments.fail(align, "u32: invalid alignment")
    value = arguments.number("u32: invalid key, must be numeric")
    mask = arguments.number("u32: invalid mask, must be numeric")
    if arguments.peek() != "at":
        arguments.fail(None, 'u32: missing "at"')
    arguments.take()
    nexthdr = arguments.peek().startswith("nexthdr+")
    token = arguments.take() if arguments else None
    try:
        offset = parse_int((token.text if token is not None else "").removeprefix("nexthdr+"))
    except ValueError:
        arguments.fail(token, "u32: invalid offset")
    size = SIZES[align.text]
    shift = 8 * (4 - size - offset % 4) if size < 4 and offset % 4 <= 4 - size else 0
    return U32Match(value << shift & 0xFFFF_FFFF, mask << shift & 0xFFFF_FFFF, offset & ~3, nexthdr)


def _nbyte(arguments: _Arguments) -> Ematch:
    needle = arguments.take()
    offset: int | None = None
    layer = LAYERS["network"]
    while arguments:
        token = arguments.take()
        if token.text == "at":
            offset = arguments.number("nbyte: invalid offset, must be numeric", signed=True)
        elif token.text == "layer":
            layer = arguments.layer("nbyte: invalid layer")
        else:
            arguments.fail(token, "nbyte: unknown parameter")
    if offset is None:
        arguments.fail(None, "nbyte: offset required")
    return Nbyte(needle.text.encode("latin-1", "replace"), offset, layer)


def _meta(arguments: _Arguments) -> Ematch:
    left = _operand(arguments)
    if not arguments:
        arguments.fail(None, "meta: missing operand")
    operator = arguments.take()
    if operator.text not in OPERANDS:
        arguments.fail(operator, "meta: invalid operand")
    if not arguments:
        arguments.fail(arguments.tokens[0], "meta: missing rvalue")
    right = _operand(arguments)
    if arguments:
        arguments.fail(arguments.take(), "meta: unexpected trailer")
    return Meta(left, operator.text, right)


def _operand(arguments: _Arguments) -> Operand:
    token = arguments.take()
    if token.quoted:
        return Operand(text=token.text)
    try:
        return Operand(number=parse_u32(token.text))
    except ValueError:
        pass
    if token.text not in META:
        if token.text in ALL_META:
            raise unknown(token.word(), "meta id", list(META))
        arguments.fail(token, "meta: unknown meta id\n")
    shift = mask = 0
    while arguments.peek() in ("shift", "mask"):
        if arguments.take().text == "shift":
            shift = arguments.number("meta: invalid shift, must be numeric")
        else:
            mask = arguments.number("meta: invalid mask, must be numeric")
    return Operand(token.text, shift=shift, mask=mask)


_KINDS = {"cmp": _cmp, "u32": _u32, "nbyte": _nbyte, "meta": _meta}
