"""Runs cocotb test modules from pytest: one pytest item for each ``@cocotb.test`` function.

A test file lists a module's tests and runs each::

    MODULE = "tb.tests.test_ring"

    @pytest.mark.parametrize("sim", SIMULATORS)
    @pytest.mark.parametrize("test", cocotb_tests(MODULE))
    def test_ring(sim: str, test: str) -> None:
        run_module(MODULE, test, sim=sim)

Environment: ``SEED`` (1) seeds everything random, ``WAVES=1`` keeps waves under ``build/sim/waves``.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from ringwire.cosim.build import SIMULATORS, Design
from ringwire.cosim.run import DEFAULT_LIMIT_S, Run, simulate
from ringwire.places import cache_root

WORLDS = ("fast", "hostile")
TEST_FILES = "test_*.py"

__all__ = ["SIMULATORS", "WORLDS", "cocotb_tests", "run_module"]


def cocotb_tests(module: str) -> list[str]:
    """Names of a module's ``@cocotb.test`` functions, in order, found without importing it."""
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"no module {module}")
    tree = ast.parse(Path(spec.origin).read_text())
    found = [
        node.name
        for node in tree.body
        if isinstance(node, ast.AsyncFunctionDef) and any(_marks_test(mark) for mark in node.decorator_list)
    ]
    if not found:
        raise ValueError(f"{module} has no @cocotb.test")
    return found


def _marks_test(mark: ast.expr) -> bool:
    return ast.unparse(mark.func if isinstance(mark, ast.Call) else mark) == "cocotb.test"


def run_module(
    module: str,
    test: str | None = None,
    *,
    sim: str = "verilator",
    data_w: int = 512,
    queues: int = 1,
    parameters: Mapping[str, int] | None = None,
    world: str = "fast",
    rtl: Path | None = None,
    limit_s: float = DEFAULT_LIMIT_S,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run one test of a module, with all its parameters, or all tests. SimulationFailed unless they pass.

    ``world`` is what ``tb.worlds.start_world`` will make. The JUnit file is kept under ``build/sim/results``.
    """
    if world not in WORLDS:
        raise ValueError(f"world is one of {', '.join(WORLDS)}, not {world}")
    waves = os.environ.get("WAVES", "") not in ("", "0")
    design = Design(sim, data_w, queues, parameters or {}, bus_models=world == "hostile", waves=waves, rtl=rtl)
    name = "-".join([module.rpartition(".")[2], test or "all", design.folder_name])
    simulate(
        Run(
            design,
            module,
            test_filter=None if test is None else rf"\.{re.escape(test)}(/.*)?$",
            seed=int(os.environ.get("SEED") or 1),
            limit_s=limit_s,
            environment={
                "RINGWIRE_WORLD": world,
                "COCOTB_REWRITE_ASSERTION_FILES": TEST_FILES,
                **(environment or {}),
            },
            results=cache_root() / "results" / f"{name}.xml",
            waves=cache_root() / "waves" / name if waves else None,
        ),
    )
