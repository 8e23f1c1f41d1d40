"""A TCP flow from its SYN to its last byte: on an ideal link, and through the real driver and the twin."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from ringwire.driver.config import DriverConfig
from ringwire.driver.ringwire import RingwireDriver
from ringwire.host.world import drive
from ringwire.netdev import NetDevice
from ringwire.nic.pacer import end_ps
from ringwire.nic.twin import TwinConfig
from ringwire.nic.twin_world import TwinWorld
from ringwire.traffic.tcp import TcpFlow
from ringwire.transport.path import Path
from tests.tcp_bench import MS, BenchEnvironment, TcpBench
