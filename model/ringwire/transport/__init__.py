"""TCP as a sender's stack has it, and what lies behind the wire: a path and a receiver.

A packet's way through the files: ``sendbuffer`` (what the application wrote), ``sender`` (what may be sent now),
``packet`` (its bytes), the stack, the device, the wire, ``path``, ``receiver``; and the acknowledgement's way back:
``sender`` again, with ``rtt``, ``scoreboard``, ``recovery``, ``rack`` and ``congestion``.
"""
