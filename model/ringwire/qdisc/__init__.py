"""Queueing disciplines: one file each, known by their kind."""

from ringwire.qdisc.base import (
    XMIT_CN,
    XMIT_DROP,
    XMIT_SUCCESS,
    AnyQdisc,
    NoParams,
    Qdisc,
    QdiscStats,
    option,
    psched_mtu,
    shown,
)
from ringwire.qdisc.registry import UnknownQdisc, kinds, qdisc_class
from ringwire.qdisc.watchdog import Watchdog

__all__ = [
    "XMIT_CN",
    "XMIT_DROP",
    "XMIT_SUCCESS",
    "AnyQdisc",
    "NoParams",
    "Qdisc",
    "QdiscStats",
    "UnknownQdisc",
    "Watchdog",
    "kinds",
    "option",
    "psched_mtu",
    "qdisc_class",
    "shown",
]
