"""What a stage says of being awake, as properties of its netlist: asleep, none of its registers would change.

``add_stillness`` takes a module as yosys writes it (``write_json``: flattened, registers as ``$dff``, memories as
``$mem_v2``) and adds an assertion for each register and each memory, named after it, and one for each FIFO. A register
that may follow its input while nobody looks at it is named with what tells that somebody does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Bit = int | str
"""A net's number, or a constant: 0, 1, x, z."""

FIFOS = (
    (r"(.*\.)?out_reg", (r"\1valid_reg", r"\1out_count_reg")),
    (r"(.*\.)?next_reg", (r"\1out_count_reg[1]",)),
)
"""In a FIFO the next word's register follows what comes in until there is one: its name, what tells that there is. That
a FIFO which holds words has the oldest of them in its register is proved beside."""


class _Module:
    """A module of a netlist, to which cells are added."""

    def __init__(self, module: dict[str, Any]) -> None:
        self.cells: dict[str, Any] = module["cells"]
        self.names: dict[str, list[Bit]] = {name: net["bits"] for name, net in module["netnames"].items()}
        bits = [bit for net in self.names.values() for bit in net if isinstance(bit, int)]
        self._next = max(bits) + 1

    def wire(self, width: int) -> list[Bit]:
        self._next += width
        return list(range(self._next - width, self._next))

    def add(self, kind: str, name: str = "", **ports: Sequence[Bit]) -> None:
        name = name or f"$stillness${len(self.cells)}"
        inputs = {port for port in ports if port != "Y"}
        self.cells[name] = {
            "hide_name": int(name.startswith("$")),
            "type": kind,
            "parameters": _parameters(kind, ports),
            "attributes": {"src": name},
            "port_directions": {port: "input" if port in inputs else "output" for port in ports},
            "connections": {port: list(bits) for port, bits in ports.items()},
        }

    def of_one(self, kind: str, a: Sequence[Bit]) -> Bit:
        """Output of a cell with one input and one bit of output."""
        (y,) = self.wire(1)
        self.add(kind, A=a, Y=[y])
        return y

    def of_each(self, kind: str, a: Sequence[Bit]) -> list[Bit]:
        """Output of a cell with one input, as wide as this."""
        y = self.wire(len(a))
        self.add(kind, A=a, Y=y)
        return y

    def of_two(self, kind: str, a: Sequence[Bit], b: Sequence[Bit], width: int = 1) -> list[Bit]:
        y = self.wire(width)
        self.add(kind, A=a, B=b, Y=y)
        return y


def _parameters(kind: str, ports: Mapping[str, Sequence[Bit]]) -> dict[str, str]:
    if kind in ("$assert", "$assume", "$cover", "$initstate"):
        return {}
    values = {f"{port}_WIDTH": len(bits) for port, bits in ports.items()}
    values |= {f"{port}_SIGNED": 0 for port in ports if port != "Y"}
    return {name: f"{value:032b}" for name, value in values.items()}


def add_stillness(netlist: dict[str, Any], needed: Mapping[str, str]) -> None:
    """Assert of a module's registers and memories that each stays as it is while ``awake`` and ``rst`` are low.

    ``needed`` has, for registers that may change all the same, a regular expression of names and what tells that the
    register is looked at: names joined by ``|``, with a bit's number in brackets or without, one with ``!`` when it is
    low; with ``[]`` behind them bit by bit. ValueError if a name is none of the module's, and if there is a cell that
    holds something and is none of these two.
    """
    module = _Module(netlist)
    (awake,) = module.names["awake"]
    resets = module.names.get("rst", ["0"])
    asleep = module.of_one("$logic_not", [awake, *resets])
    initial = module.wire(1)
    module.add("$initstate", Y=initial)
    if resets != ["0"]:
        begins = module.of_two("$or", [module.of_one("$logic_not", initial)], resets)
        module.add("$assume", "begins_with_a_reset", A=begins, EN=["1"])
    for name, count in list(module.names.items()):
        fifo, _, register = name.rpartition(".")
        if register == "count_reg" and (valid := module.names.get(f"{fifo}.valid_reg")):
            agree = module.of_two("$eq", [module.of_one("$reduce_or", count)], valid)
            module.add("$assert", f"{fifo}.has_its_oldest_word", A=module.of_two("$or", agree, resets), EN=["1"])
    looked_at, used = _looked_at(module, {**_fifos(module), **needed})
    if missing := [pattern for pattern in needed if pattern not in used]:
        raise ValueError(f"no register is {', '.join(missing)}")
    names = _names(module)
    for name, cell in list(module.cells.items()):
        ports = cell["connections"]
        if cell["type"] == "$dff":
            changes = module.of_two("$xor", ports["D"], ports["Q"], len(ports["Q"]))
            counts = [looked_at.get(bit, "1") for bit in ports["Q"]]
            matter = module.of_two("$and", changes, counts, len(changes))
            told = names.get(ports["Q"][0], name)
        elif cell["type"] == "$mem_v2" and not int(cell["parameters"]["RD_CLK_ENABLE"], 2):
            matter, told = ports["WR_EN"], name
        elif re.search(r"ff|latch|mem|\$sr$", cell["type"]):
            raise ValueError(f"{name} is a {cell['type']}, of which nothing is known")
        else:
            continue
        stays = module.of_one("$logic_not", module.of_two("$logic_and", [asleep], matter))
        module.add("$assert", _unused(module, f"{told}_stays"), A=[stays], EN=["1"])
    module.add("$cover", "sleeps", A=[asleep], EN=["1"])
    module.add("$cover", "wakes", A=module.of_two("$gt", [awake], resets), EN=["1"])


def _looked_at(module: _Module, needed: Mapping[str, str]) -> tuple[dict[Bit, Bit], set[str]]:
    """By bit of a register that may change: what tells that it is looked at; and which expressions name one."""
    found: dict[Bit, Bit] = {}
    used = set()
    for name, bits in module.names.items():
        for pattern, condition in needed.items():
            match = re.fullmatch(pattern, name)
            if match is None:
                continue
            used.add(pattern)
            conditions = _conditions(module, match.expand(condition), len(bits))
            for bit, tells in zip(bits, conditions, strict=True):  # registers that are the same are one, with two names
                found[bit] = module.of_two("$or", [found.get(bit, "0")], [tells])[0]
    return found, used


def _fifos(module: _Module) -> dict[str, str]:
    """What tells of the registers of FIFOs in a module, as ``needed`` has it."""
    found = {}
    for name in module.names:
        for pattern, tells in FIFOS:
            if match := re.fullmatch(pattern, name):
                there = (match.expand(each) for each in tells)
                found[re.escape(name)] = next(each for each in there if each.removesuffix("[1]") in module.names)
    return found


def _conditions(module: _Module, tells: str, width: int) -> list[Bit]:
    """A bit for each of a register's: somebody looks at it."""
    terms = []
    for term in tells.removesuffix("[]").split("|"):
        bits = _bits(module, term.removeprefix("!"))
        terms.append(module.of_each("$not", bits) if term.startswith("!") else bits)
    if not tells.endswith("[]"):
        return [module.of_one("$reduce_or", [bit for bits in terms for bit in bits])] * width
    return [module.of_one("$reduce_or", bits) for bits in zip(*terms, strict=True)]


def _bits(module: _Module, name: str) -> list[Bit]:
    """Of a net, or of one bit of it."""
    whole, _, number = name.removesuffix("]").partition("[")
    if name not in module.names and number.isdigit() and int(number) < len(module.names.get(whole, ())):
        return [module.names[whole][int(number)]]
    if name not in module.names:
        raise ValueError(f"there is no {name}")
    return module.names[name]


def _names(module: _Module) -> dict[Bit, str]:
    """What a bit is called, where it has a name that somebody gave it: the shortest."""
    names: dict[Bit, str] = {}
    for name, bits in module.names.items():
        if "$" in name:
            continue
        for bit in bits:
            if len(name) < len(names.get(bit, name + " ")):
                names[bit] = name
    return names


def _unused(module: _Module, name: str) -> str:
    tried: Iterable[str] = (name, *(f"{name}_{number}" for number in range(2, 1000)))
    return next(each for each in tried if each not in module.cells)
