"""What every filter kind is: all its filters at one place, of one protocol and priority.

A kind subclasses :class:`Filter`, names its ``kind`` and gives ``classify`` and what makes, changes and lists single
filters; that makes it known to ``tc filter`` lines. After struct tcf_proto_ops in include/net/sch_generic.h of Linux
6.12.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar, Generic, TypeVar, cast

from ringwire.action import ActionDevice, ActionSpec, Pipeline
from ringwire.action.estimator import EstimatorSpec
from ringwire.filter.registry import FILTERS
from ringwire.qdisc.classify import FilterBlock, Match
from ringwire.skb import Skb

F = TypeVar("F")


class Filter(ABC, Generic[F]):
    """Filters by handle (32 bits, whose meaning is the kind's), each with parameters ``F``."""

    kind: ClassVar[str]
    """Name in ``tc filter`` lines; a subclass that sets it is registered under it."""
    params_type: ClassVar[type[Any]]
    """Dataclass of one filter's options, its fields made with :func:`ringwire.qdisc.option`."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        FILTERS.note(cls)

    def __init__(self, block: FilterBlock, protocol: int, prio: int) -> None:
        self.block = block
        """Where it is attached; ``block.owner`` is the discipline and leads to the device."""
        self.dev = cast(ActionDevice, block.owner.dev)
        """The device, as actions use it."""
        self.protocol = protocol
        self.prio = prio
        self.estimator: EstimatorSpec | None = None
        """What the line at hand says of measuring its actions' rates."""
        self.setup()

    def setup(self) -> None:
        """Make the empty table of filters."""

    @abstractmethod
    def classify(self, skb: Skb, match: Match) -> int:
        """A verdict of :mod:`ringwire.qdisc.classify`; UNSPEC if no filter matches.

        A match sets ``match.classid`` to the class's 32-bit id and gives OK, or what its actions say. Actions may send
        other packets through the same filters: set it after they have run.
        """

    @abstractmethod
    def change(self, handle: int, params: F) -> None:
        """Make the filter ``handle`` (0: a free one), or change the one there is; QdiscError refuses."""

    @abstractmethod
    def delete(self, handle: int) -> None:
        """Take the filter ``handle``, which is there, away; QdiscError refuses."""

    @abstractmethod
    def filters(self) -> Iterator[tuple[int, F]]:
        """(handle, parameters) of each filter, in the order shown."""

    def actions(self, handle: int) -> Pipeline | None:
        """The actions of a filter that is there."""
        return None

    def has(self, handle: int) -> bool:
        """Whether there is a filter of this handle."""
        return any(each == handle for each, _ in self.filters())

    def empty(self) -> bool:
        """Whether the last filter has gone, so that its place by priority goes as well."""
        return next(self.filters(), None) is None

    def class_ids(self) -> Iterable[int]:
        """Classes that filters name: those of parameters with a ``classid``."""
        for _, params in self.filters():
            classid = getattr(params, "classid", None)
            if classid:
                yield classid

    def destroy(self) -> None:
        """It was taken out for good: let go of the filters' actions."""
        for handle, _ in self.filters():
            self.release(self.actions(handle))

    # -- what kinds with actions use

    def bind(self, specs: Sequence[ActionSpec]) -> Pipeline | None:
        """The actions that a line asks for, to be released when the filter goes; QdiscError refuses."""
        return self.dev.net.actions.bind(self.dev, specs, self.estimator)

    def release(self, pipeline: Pipeline | None) -> None:
        self.dev.net.actions.release(pipeline)


FILTERS.base = Filter
