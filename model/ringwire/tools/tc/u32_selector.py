"""``match ...`` of u32 filters: names of header fields as keys at fixed offsets; after tc/f_u32.c of iproute2 6.1.

``ip dport`` is bytes 22 and 23 behind the start of the IP header, whatever options stand in between: only ``tcp`` and
``udp`` use the offset that a link has computed (``nexthdr+``).
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv6Address
from typing import NamedTuple, NoReturn

from ringwire.filter.u32_table import Key
from ringwire.tools.tc.addresses import parse_ipv4_prefix, parse_ipv6_prefix
from ringwire.tools.tc.errors import PARSE_STATUS, TcError, take
from ringwire.tools.units import parse_hex, parse_int, parse_u32
from ringwire.tools.words import Word, Words

U32 = 0xFFFF_FFFF
MOST_KEYS = 128


class _Field(NamedTuple):
    size: int
    """Bytes."""
    offset: int
    nexthdr: bool = False


IP_FIELDS = {
    "tos": _Field(1, 1),
    "ihl": _Field(1, 0),
    "protocol": _Field(1, 9),
    "dport": _Field(2, 22),
    "sport": _Field(2, 20),
    "icmp_type": _Field(1, 20),
    "icmp_code": _Field(1, 21),
}
IP_ABBREVIATED = {"dsfield": _Field(1, 1), "precedence": _Field(1, 1)}
IP_FLAGS = {"nofrag": (0, 0x3FFF), "firstfrag": (0x2000, 0x3FFF), "df": (0x4000, 0x4000), "mf": (0x2000, 0x2000)}
IP6_FIELDS = {
    "protocol": _Field(1, 6),
    "flowlabel": _Field(4, 0),
    "dport": _Field(2, 42),
    "sport": _Field(2, 40),
    "icmp_type": _Field(1, 40),
    "icmp_code": _Field(1, 41, True),
}
PORTS = {"src": _Field(2, 0, True), "dst": _Field(2, 2, True)}
ICMP = {"type": _Field(1, 0, True), "code": _Field(1, 1, True)}
ANY = {"u32": _Field(4, 0), "u16": _Field(2, 0), "u8": _Field(1, 0)}


class Keys:
    """Keys in the making: those of the same four bytes are one."""

    def __init__(self) -> None:
        self.keys: list[Key] = []
        self.mark: tuple[int, int] | None = None

    def pack(self, value: int, mask: int, offset: int, nexthdr: bool) -> bool:
        """Enter a word; False if it contradicts one that is there or can't be entered."""
        value &= mask
        for at, key in enumerate(self.keys):
            if key.offset == offset and key.nexthdr == nexthdr:
                if (value ^ key.value) & mask & key.mask:
                    return False
                self.keys[at] = Key(key.value | value, key.mask | mask, offset, nexthdr)
                return True
        if len(self.keys) >= MOST_KEYS or offset % 4:
            return False
        self.keys.append(Key(value, mask, offset, nexthdr))
        return True

    def pack_part(self, size: int, value: int, mask: int, offset: int, nexthdr: bool) -> bool:
        """Enter 1, 2 or 4 bytes in their place in a word."""
        if size == 4:
            return self.pack(value, mask, offset, nexthdr)
        if value >> 8 * size or mask >> 8 * size:
            return False
        within = offset & 3
        shift = (16 if within == 0 else 0) if size == 2 else 8 * (3 - within)
        return self.pack(value << shift, mask << shift, offset & ~3, nexthdr)


def read_match(words: Words, keys: Keys) -> None:
    """What follows ``match`` or ``sample``."""
    begin = words.here
    name = take(words)
    for names, read in _SELECTORS:
        if names.startswith(name.text):
            if not words:
                take(words)
            read(words, keys, begin)
            return
    _illegal(name)


def _illegal(word: Word, before: str = "") -> NoReturn:
    raise TcError(word, f'{before}Illegal "match"', status=PARSE_STATUS)


def _fields(table: dict[str, _Field], abbreviated: dict[str, _Field]) -> Callable[[Words, Keys, Word], None]:
    def read(words: Words, keys: Keys, begin: Word) -> None:
        name = take(words)
        field = table.get(name.text)
        if field is None:
            field = next((each for full, each in abbreviated.items() if full.startswith(name.text)), None)
        if field is None or words.left < 1:
            _illegal(name)
        _value(words, keys, field, name)

    return read


def _value(words: Words, keys: Keys, field: _Field, begin: Word) -> None:
    """``VALUE MASK [at [nexthdr+]OFFSET]``; the mask is hexadecimal."""
    if words.left < 2:
        _illegal(words.last)
    word = take(words)
    try:
        value = parse_u32(word.text)
        word = take(words)
        mask = parse_hex(word.text)
        if field.size == 1 and (value > 0xFF or mask > 0xFF):
            raise ValueError
    except ValueError:
        _illegal(word)
    offset, nexthdr = read_at(words, field.offset, field.nexthdr)
    if not keys.pack_part(field.size, value, mask, offset, nexthdr):
        _illegal(begin)


def read_at(words: Words, offset: int, nexthdr: bool) -> tuple[int, bool]:
    """``at OFFSET``, ``at nexthdr+OFFSET``, if that is next."""
    if words.peek() != "at":
        return offset, nexthdr
    take(words)
    word = take(words)
    text = word.text
    if text.startswith("nexthdr+") and text != "nexthdr+":
        text, nexthdr = text.removeprefix("nexthdr+"), True
    elif "nexthdr+".startswith(text):
        word = take(words)
        text, nexthdr = word.text, True
    try:
        return parse_int(text), nexthdr
    except ValueError:
        _illegal(word)


def _any(size: int) -> Callable[[Words, Keys, Word], None]:
    def read(words: Words, keys: Keys, begin: Word) -> None:
        _value(words, keys, _Field(size, 0), begin)

    return read


def _ip(words: Words, keys: Keys, begin: Word) -> None:
    name = words.here
    if words.left < 2:
        # even a word that stands alone needs another one behind it
        _illegal(name)
    if name.text in ("src", "dst"):
        take(words)
        word = take(words)
        try:
            address, mask = parse_ipv4_prefix(word.text)
        except ValueError:
            _illegal(word)
        offset, nexthdr = read_at(words, 12 if name.text == "src" else 16, False)
        if not keys.pack(address, mask, offset, nexthdr):
            _illegal(begin)
    elif name.text in IP_FLAGS:
        take(words)
        value, mask = IP_FLAGS[name.text]
        if not keys.pack_part(2, value, mask, 6, False):
            _illegal(name)
    else:
        _fields(IP_FIELDS, IP_ABBREVIATED)(words, keys, begin)


def _ip6(words: Words, keys: Keys, begin: Word) -> None:
    name = words.here
    if words.left < 2:
        _illegal(name)
    if name.text in ("src", "dst"):
        take(words)
        word = take(words)
        try:
            address, bits = parse_ipv6_prefix(word.text)
        except ValueError:
            _illegal(word)
        offset, nexthdr = read_at(words, 8 if name.text == "src" else 24, False)
        for part in range(0, bits, 32):
            mask = U32 << max(0, 32 - (bits - part)) & U32
            if not keys.pack(_word(address, part // 32), mask, offset + part // 8, nexthdr):
                _illegal(begin)
    elif name.text == "priority":
        take(words)
        if words.left < 2:
            _illegal(name)
        word = take(words)
        try:
            value = parse_u32(word.text)
            word = take(words)
            mask = parse_hex(word.text)
            if value > 0xFF or mask > 0xFF:
                raise ValueError
        except ValueError:
            _illegal(word)
        if not keys.pack(value << 20, mask << 20, 0, False):
            _illegal(begin)
    else:
        _fields(IP6_FIELDS, {})(words, keys, begin)


def _word(address: IPv6Address, index: int) -> int:
    return int(address) >> 96 - 32 * index & U32


def _mark(words: Words, keys: Keys, begin: Word) -> None:
    if words.left <= 1:
        _illegal(words.here)
    parts = []
    for name in ("value", "mask"):
        word = take(words)
        try:
            parts.append(parse_u32(word.text))
        except ValueError:
            _illegal(word, f'Illegal "mark" {name}\n')
        if not words:
            # tc wants a word behind a mark, whatever it is
            take(words)
    value, mask = parts
    if value & mask != value:
        _illegal(begin, 'Illegal "mark" (impossible combination)\n')
    keys.mark = value, mask


def _ether(words: Words, keys: Keys, begin: Word) -> None:
    if words.left < 2:
        _illegal(words.here)
    name = take(words)
    if name.text not in ("src", "dst"):
        _illegal(name, f"Unknown match: ether {name.text}\n")
    word = take(words)
    parts = word.text.split(":")
    try:
        address = bytes(int(part, 16) for part in parts)
        if len(address) != 6:
            raise ValueError
    except ValueError:
        _illegal(word, f"parse_ether_addr: improperly formed address '{word.text}'\n")
    offset, nexthdr = read_at(words, -8 if name.text == "src" else -14, False)
    for at in range(0, 6, 2):
        if not keys.pack_part(2, address[at] << 8 | address[at + 1], 0xFFFF, offset + at, nexthdr):
            _illegal(begin)


_SELECTORS: tuple[tuple[str, Callable[[Words, Keys, Word], None]], ...] = (
    *((name, _any(field.size)) for name, field in ANY.items()),
    ("ip", _ip),
    ("ip6", _ip6),
    ("udp", _fields(PORTS, {})),
    ("tcp", _fields(PORTS, {})),
    ("icmp", _fields(ICMP, {})),
    ("mark", _mark),
    ("ether", _ether),
)
"""In the order in which abbreviations are tried."""
