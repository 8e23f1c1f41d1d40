"""Published numbers, each with the scenario that gives ours: what ``ringwire results`` runs, and docs/results.md."""

from __future__ import annotations

from ringwire.experiment.published.atm import ATM
from ringwire.experiment.published.bql_limit import BQL_LIMIT
from ringwire.experiment.published.bufferbloat import BUFFERBLOAT
from ringwire.experiment.published.bulk_dequeue import BULK_DEQUEUE
from ringwire.experiment.published.moderation import MODERATION
from ringwire.experiment.published.ring_delay import RING_DELAY
from ringwire.experiment.published.ring_grid import RING_GRID
from ringwire.experiment.published.small_queues import SMALL_QUEUES
from ringwire.experiment.published.study import Figure, Run, Study
from ringwire.experiment.published.super_packet import SUPER_PACKET
from ringwire.experiment.published.tso import BURSTS, TSO
from ringwire.experiment.published.tso_moderation import TSO_MODERATION
from ringwire.experiment.published.txqueuelen import TXQUEUELEN
from ringwire.experiment.published.unclassified import UNCLASSIFIED
from ringwire.experiment.published.write_back import WRITE_BACK

STUDIES: tuple[Study, ...] = (
    RING_DELAY,
    BQL_LIMIT,
    MODERATION,
    TSO_MODERATION,
    RING_GRID,
    SMALL_QUEUES,
    SUPER_PACKET,
    BULK_DEQUEUE,
    TXQUEUELEN,
    BUFFERBLOAT,
    ATM,
    UNCLASSIFIED,
    TSO,
    BURSTS,
    WRITE_BACK,
)
"""In the document's order."""

__all__ = ["STUDIES", "Figure", "Run", "Study"]
