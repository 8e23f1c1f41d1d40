"""What flows that send a small packet now and then have in common."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field

from ringwire.traffic.datagrams import Datagrams
from ringwire.traffic.flow import Environment


@dataclass
class Sparse(Datagrams):
    """Sends one datagram after the other, whatever became of those before."""

    _stopped: bool = field(default=False, init=False, repr=False)

    @abstractmethod
    def next_gap_ns(self) -> float:
        """From this datagram to the next."""

    @abstractmethod
    def next_size(self) -> int:
        """Of the next frame, bytes without FCS."""

    def start(self, env: Environment) -> None:
        self._env = env
        self._due_ns = float(env.now_ns())
        env.clock.call_at(env.now_ns(), self._write)

    def stop(self) -> None:
        self._stopped = True

    def _write(self) -> None:
        """A datagram is due; its sender may have had to wait for the CPU."""
        if self._stopped:
            return
        env = self._env
        due_ns = round(self._due_ns)
        self._due_ns += self.next_gap_ns()
        env.charge(env.syscall_ns)
        env.send(self, self.datagram(self.next_size()), due_ns)
        env.clock.call_at(round(self._due_ns), self._write)
