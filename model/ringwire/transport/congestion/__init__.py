"""Congestion control: how the window grows with what is acknowledged, and what is left of it after a loss.

An algorithm is a class in a file of this package, or offered by a package of its own under the entry point
``ringwire.congestion``. When to reduce, and how the window gets down there, is the sender's (RFC 6937).
"""

from ringwire.transport.congestion.base import ALGORITHMS, CongestionControl, UnknownCongestionControl, Window

__all__ = ["ALGORITHMS", "CongestionControl", "UnknownCongestionControl", "Window"]
