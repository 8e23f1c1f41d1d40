"""Runs one scenario of ``tests/`` in the world that its run was asked for: see ``tests.datapath.worlds``."""

from __future__ import annotations

import importlib
import os
import pickle
from pathlib import Path
from typing import Any

import cocotb

from ringwire.cosim.warm import wait_for_run
from tb.worlds import start_world


@cocotb.test()
async def test_scenario(dut: Any) -> None:
    wait_for_run()
    folder = Path(os.environ["RINGWIRE_SCENARIO"])
    dotted, config, knobs = pickle.loads((folder / "request").read_bytes())
    module, _, name = dotted.rpartition(".")
    world = await start_world(dut, **knobs)
    result = await getattr(importlib.import_module(module), name)(world, config)
    world.finish()
    (folder / "result").write_bytes(pickle.dumps(result))
