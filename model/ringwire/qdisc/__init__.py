"""Queueing disciplines: one file each, known by their kind."""

from ringwire.qdisc.base import (
    XMIT_BYPASS,
    XMIT_CN,
    XMIT_DROP,
    XMIT_MASK,
    XMIT_STOLEN,
    XMIT_SUCCESS,
    AnyQdisc,
    Qdisc,
    QdiscStats,
    psched_mtu,
)
from ringwire.qdisc.errors import QdiscError
from ringwire.qdisc.options import NoParams, option, shown
from ringwire.qdisc.registry import UnknownQdisc, kinds, qdisc_class
from ringwire.qdisc.watchdog import Watchdog

__all__ = [
    "XMIT_BYPASS",
    "XMIT_CN",
    "XMIT_DROP",
    "XMIT_MASK",
    "XMIT_STOLEN",
    "XMIT_SUCCESS",
    "AnyQdisc",
    "NoParams",
    "Qdisc",
    "QdiscError",
    "QdiscStats",
    "UnknownQdisc",
    "Watchdog",
    "kinds",
    "option",
    "psched_mtu",
    "qdisc_class",
    "shown",
]
