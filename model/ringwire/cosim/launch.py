"""Runs cocotb's runner in a process of its own: ``python -m ringwire.cosim.launch`` with a line of JSON on stdin.

The runner takes its settings from the environment, ends its process when a test fails, and knows no time limit; here
none of that reaches the process that asked for the run. When that process is gone, so that stdin ends, the launcher
ends its process group, and with it the simulator.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading

from cocotb_tools.runner import get_runner


def main() -> None:
    request = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_caller, daemon=True).start()
    runner = get_runner(request.pop("sim"))
    runner.test(**request)


def _end_with_caller() -> None:
    sys.stdin.read()
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
