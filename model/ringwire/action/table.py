"""The actions that a host has, by kind and index; after tcf_idr_* in net/sched/act_api.c of Linux 6.12."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

from ringwire.action.base import Action, ActionDevice
from ringwire.action.estimator import EstimatorSpec
from ringwire.action.pipeline import MAX_ACTIONS, ActionSpec, Pipeline
from ringwire.action.registry import action_class
from ringwire.qdisc.errors import QdiscError

AnyAction = Action[Any]


class ActionTable:
    """Filters bind actions and release them; ``tc actions`` makes, changes and deletes them by index."""

    def __init__(self) -> None:
        self._by_kind: dict[str, dict[int, AnyAction]] = {}

    def of_kind(self, kind: str) -> list[AnyAction]:
        """By ascending index."""
        there = self._by_kind.get(kind, {})
        return [there[index] for index in sorted(there)]

    def __bool__(self) -> bool:
        return any(self._by_kind.values())

    # -- filters

    def bind(
        self, dev: ActionDevice, specs: Sequence[ActionSpec], estimator: EstimatorSpec | None = None
    ) -> Pipeline | None:
        """The actions of a filter, those that there are or new ones; None if there are none. QdiscError refuses."""
        if not specs:
            return None
        if len(specs) > MAX_ACTIONS:
            raise QdiscError("EINVAL", "Number of actions exceeds the maximum")
        bound: list[AnyAction] = []
        try:
            for spec in specs:
                action = self._by_kind.get(spec.kind, {}).get(spec.index)
                if action is None:
                    action = self._make(dev, spec, estimator)
                else:
                    action.references += 1
                action.bound += 1
                bound.append(action)
        except QdiscError:
            self.release(Pipeline(bound))
            raise
        return Pipeline(bound)

    def release(self, pipeline: Pipeline | None) -> None:
        """A filter has gone, and with it actions that nobody else uses."""
        for action in pipeline.actions if pipeline is not None else ():
            action.bound -= 1
            self._put(action)

    # -- tc actions

    def add(self, dev: ActionDevice, specs: Sequence[ActionSpec], replace: bool) -> None:
        """Make actions, or with ``replace`` change those that there are. QdiscError: those before are taken back."""
        made: list[AnyAction] = []
        try:
            for spec in specs:
                action = self._by_kind.get(spec.kind, {}).get(spec.index)
                if action is None:
                    made.append(self._make(dev, spec, None))
                elif not replace:
                    raise QdiscError("EEXIST")
                else:
                    action.change(dev, spec.params)
                    action.cookie = spec.cookie or action.cookie
        except QdiscError:
            for action in made:
                self._put(action)
            raise

    def get(self, kind: str, index: int) -> AnyAction:
        action = self._by_kind.get(kind, {}).get(index)
        if action is None:
            raise QdiscError("ENOENT", "TC action with specified index not found")
        return action

    def delete(self, kind: str, index: int) -> None:
        action = self.get(kind, index)
        if action.bound:
            raise QdiscError("EPERM", "Failed to delete TC action")
        self._put(action)

    def flush(self, kind: str) -> bool:
        """Delete all of a kind, up to the first that a filter uses: True if there is one. EPERM if it is the first."""
        for number, action in enumerate(self.of_kind(kind)):
            if action.bound:
                if not number:
                    raise QdiscError("EPERM")
                return True
            self._put(action)
        return False

    def _make(self, dev: ActionDevice, spec: ActionSpec, estimator: EstimatorSpec | None) -> AnyAction:
        there = self._by_kind.setdefault(spec.kind, {})
        index = spec.index or next(index for index in count(1) if index not in there)
        measure = estimator.start(dev.now_ns()) if estimator is not None else None
        action = action_class(spec.kind)(dev, index, spec.params, measure)
        action.cookie, action.old_style = spec.cookie, spec.old_style
        there[index] = action
        return action

    def _put(self, action: AnyAction) -> None:
        action.references -= 1
        if not action.references:
            del self._by_kind[action.kind][action.index]
