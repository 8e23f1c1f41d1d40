"""Starts a simulator, and ends it with whoever asked for it: ``python -I launch.py COMMAND...``.

When the caller is gone, so that stdin ends, the launcher ends its process group, and with it the simulator. It imports
little: a simulator is started for most runs.
"""

from __future__ import annotations

import os
import signal
import sys
import threading


def main() -> int:
    command = sys.argv[1:]
    try:
        # Python has these two ignored, and a simulator is to have them as they are
        simulator = os.posix_spawnp(command[0], command, os.environ, setsigdef=(signal.SIGPIPE, signal.SIGXFSZ))
    except OSError as error:
        print(f"error: {command[0]} does not start: {error.strerror}")
        return 127
    threading.Thread(target=_end_with_caller, daemon=True).start()
    code = os.waitstatus_to_exitcode(os.waitpid(simulator, 0)[1])
    if code < 0:
        print(end_by_signal(-code))
    return abs(code)


def end_by_signal(number: int) -> str:
    """The last line of a simulator that can't say why it ends."""
    return f"{signal.strsignal(number) or 'ended'} (error, signal {number})"


def _end_with_caller() -> None:
    while os.read(0, 4096):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
