"""Actions: one file each, known by their kind. They say what becomes of a packet that a filter has matched."""

from ringwire.action.base import JUMP, JUMP_MASK, Action, ActionDevice
from ringwire.action.pipeline import ActionSpec, Pipeline
from ringwire.action.registry import UnknownAction, action_class, kinds
from ringwire.action.table import ActionTable

__all__ = [
    "JUMP",
    "JUMP_MASK",
    "Action",
    "ActionDevice",
    "ActionSpec",
    "ActionTable",
    "Pipeline",
    "UnknownAction",
    "action_class",
    "kinds",
]
