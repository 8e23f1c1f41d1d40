"""A pytest plugin for ``make sim``: of all tests, those that drive the RTL on one simulator.

A testbench names its simulator in the parameter ``sim``. Where one comes at several widths or numbers of queues
(``data_w``, ``queues``), the settings WIDTH and QUEUES choose among them.
"""

from __future__ import annotations

import os

import pytest

SETTINGS = {"sim": "SIM", "data_w": "WIDTH", "width": "WIDTH", "queues": "QUEUES"}
"""Parameter of a test: the environment variable that chooses its value."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep what was asked for."""
    chosen = [item for item in items if is_chosen(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(chosen)])
    items[:] = chosen


def is_chosen(item: pytest.Item) -> bool:
    """Whether a test drives the RTL, on the simulator and of the shape that the settings name."""
    params = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    if "sim" not in params:
        return False
    return all(
        str(params[name]) == os.environ[variable]
        for name, variable in SETTINGS.items()
        if name in params and os.environ.get(variable)
    )
