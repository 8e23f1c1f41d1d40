"""Which actions there are, by kind (:mod:`ringwire.registry`); entry-point group: ``ringwire.actions``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ringwire.registry import Registry

if TYPE_CHECKING:
    from ringwire.action.base import Action


class UnknownAction(LookupError):
    """No action of this kind."""


ACTIONS: Registry[Action[Any]] = Registry("action", "ringwire.action", "ringwire.actions", UnknownAction)
action_class, kinds = ACTIONS.find, ACTIONS.kinds
