"""Which filters there are, by kind (:mod:`ringwire.registry`); entry-point group: ``ringwire.filters``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ringwire.registry import Registry

if TYPE_CHECKING:
    from ringwire.filter.base import Filter


class UnknownFilter(LookupError):
    """No filter of this kind."""


FILTERS: Registry[Filter[Any]] = Registry("filter", "ringwire.filter", "ringwire.filters", UnknownFilter)
filter_class, kinds = FILTERS.find, FILTERS.kinds
