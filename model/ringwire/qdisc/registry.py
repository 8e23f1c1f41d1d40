"""Which queueing disciplines there are, by kind (:mod:`ringwire.registry`); entry-point group: ``ringwire.qdiscs``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ringwire.registry import Registry

if TYPE_CHECKING:
    from ringwire.qdisc.base import Qdisc


class UnknownQdisc(LookupError):
    """No qdisc of this kind."""


QDISCS: Registry[Qdisc[Any]] = Registry("qdisc", "ringwire.qdisc", "ringwire.qdiscs", UnknownQdisc)
qdisc_class, kinds = QDISCS.find, QDISCS.kinds
