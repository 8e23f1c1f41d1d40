"""plug: what a command lets go, by epochs as output commit uses them (the comments of net/sched/sch_plug.c)."""

from __future__ import annotations

from ringwire.netdev import dev_queue_xmit
from ringwire.qdisc.plug import Plug
from ringwire.skb import Skb
from ringwire.tools.tc import Tc
from tests.stack_bench import StackBench


class PlugBench(StackBench):
    """A device with plug at its root; packets are numbered."""

    def __init__(self, line: str = "plug") -> None:
        super().__init__(name="eth0")
        self._tc = Tc([self.dev])
        self._tc.run(f"tc qdisc add dev eth0 root handle 1: {line}")
        self._next = 0

    def change(self, command: str) -> None:
        self._tc.run(f"tc qdisc change dev eth0 root plug {command}")
        self.drain()

    def send(self, count: int) -> list[int]:
        """Return codes."""
        first, self._next = self._next, self._next + count
        codes = [dev_queue_xmit(Skb(len=1000, id=ident), self.dev) for ident in range(first, self._next)]
        self.drain()
        return codes

    @property
    def out(self) -> list[int]:
        return [skb.id for skb in self.driver.sent]


def test_nothing_leaves_before_a_command() -> None:
    bench = PlugBench()
    bench.send(3)
    assert bench.out == [] and bench.dev.qdisc.qlen == 3


def test_release_lets_go_the_epoch_before_the_last_plug() -> None:
    bench = PlugBench()
    bench.send(3)
    bench.change("release")
    assert bench.out == [], "no plug was put behind them"
    bench.change("block")
    bench.send(2)
    bench.change("release")
    assert bench.out == [0, 1, 2]
    bench.change("release")
    assert bench.out == [0, 1, 2], "that epoch is gone already"
    bench.change("block")
    bench.send(1)
    bench.change("release")
    assert bench.out == [0, 1, 2, 3, 4]


def test_two_plugs_without_release_leave_the_older_epoch_to_the_next_one() -> None:
    """The count of an epoch is overwritten: its packets stay, and others are counted in their place."""
    bench = PlugBench()
    bench.send(3)
    bench.change("block")
    bench.send(1)
    bench.change("block")
    bench.change("release")
    assert bench.out == [0]


def test_release_indefinite_opens_until_the_next_plug() -> None:
    bench = PlugBench()
    bench.send(2)
    bench.change("release_indefinite")
    bench.send(2)
    assert bench.out == [0, 1, 2, 3]
    bench.change("block")
    bench.send(2)
    bench.change("release")
    assert bench.out == [0, 1, 2, 3], "what went through is in no epoch"
    bench.change("release_indefinite")
    assert bench.out == [0, 1, 2, 3, 4, 5]


def test_the_limit_is_in_bytes_and_a_command_at_creation_sets_it_to_none() -> None:
    bench = PlugBench()
    qdisc = bench.dev.qdisc
    assert isinstance(qdisc, Plug) and qdisc.limit == 1000 * 1514
    bench.change("limit 2k")
    assert bench.send(3) == [0, 0, 1] and qdisc.drops == 1
    assert PlugBench("plug limit 3000").send(4) == [0, 0, 0, 1]
    assert PlugBench("plug block").send(1) == [1], "its message has a limit of 0"


def test_a_blocked_child_shows_its_head_but_does_not_give_it() -> None:
    bench = StackBench()
    plug = Plug(bench.dev)
    skb = Skb(len=100, pkt_len=100)
    plug.enqueue(skb, [])
    assert plug.peek() is skb and plug.dequeue_peeked() is None and plug.qlen == 1


def test_a_reset_drops_all() -> None:
    bench = PlugBench()
    bench.send(3)
    bench.dev.close()
    assert [skb.id for skb in bench.dropped] == [0, 1, 2] and bench.dev.qdisc.qlen == 0
