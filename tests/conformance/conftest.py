"""Fixtures of the conformance tests."""

from __future__ import annotations

import pytest

from tests.conformance.tally import Tally


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Tally:
    """Where a test notes how much of a vector file agreed, once it has compared all of it."""
    return Tally(request.node.user_properties)
