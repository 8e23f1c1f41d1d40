"""The cocotb module that runs a job: see ``ringwire.cosim.run``."""

from __future__ import annotations

import gc
import inspect
import os
import pickle
from pathlib import Path
from typing import Any

import cocotb

from ringwire.cosim.run import JOB_VARIABLE, named
from ringwire.cosim.warm import wait_for_run
from ringwire.cosim.world import FastWorld

GC_THRESHOLD = 1_000_000


@cocotb.test()
async def job(dut: Any) -> None:
    wait_for_run()
    folder = Path(os.environ[JOB_VARIABLE])
    dotted, config, settings = pickle.loads((folder / "request").read_bytes())
    world = FastWorld(dut, settings)
    # packets end by reference counts: looking for cycles among them would only take time
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
    result = named(dotted)(world, config)
    if inspect.iscoroutine(result):
        result = await world.directly(result)
    world.finish()
    (folder / "result").write_bytes(pickle.dumps(result))
