"""Filters: one file each, known by their kind. They say which class a packet belongs to, and what becomes of it."""

from ringwire.filter.base import Filter
from ringwire.filter.registry import UnknownFilter, filter_class, kinds

__all__ = ["Filter", "UnknownFilter", "filter_class", "kinds"]
