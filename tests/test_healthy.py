"""The watch says nothing of healthy traffic: short forms of what ``make soak`` does for longer."""

from __future__ import annotations

import pytest

from tests.healthy import healthy


@pytest.mark.parametrize("seed", range(1, 6))
def test_fifty_thousand_packets_on_the_twin(seed: int) -> None:
    healthy("twin", 10_000, seed, queues=(1, 4)[seed % 2])


@pytest.mark.parametrize("seed", (1, 2))
def test_ten_thousand_packets_on_the_rtl(seed: int) -> None:
    healthy("verilator", 5_000, seed, queues=(1, 4)[seed % 2])
