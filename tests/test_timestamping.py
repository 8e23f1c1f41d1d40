"""SO_TIMESTAMPING: options, keys, the error queue, and stamps that are the wire's. Worlds: as each test names them."""

from __future__ import annotations

import pytest

from ringwire.driver.config import DriverConfig
from ringwire.host.world import drive
from ringwire.nic.twin_world import TwinWorld
from ringwire.skb import Skb, linear_truesize
from ringwire.socket import Socket
from ringwire.timestamping import ErrorQueue, StampKind, Timestamping, TxTimestamp, checked
from tests.datapath.worlds import TWIN, Place, run, worlds
from tests.driver_bench import DriverBench
from tests.stack_bench import StackBench
from tests.stamping import stamped

HARDWARE = Timestamping.TX_HARDWARE | Timestamping.RAW_HARDWARE


@worlds("verilator", TWIN)
@pytest.mark.parametrize("by_device", [True, False], ids=["device cuts", "stack cuts"])
def test_each_stamp_is_the_start_of_its_frame(sim: Place, by_device: bool) -> None:
    run(sim, stamped, by_device)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (1 << 1, "SO_TIMESTAMPING 0x2: no such option here; allowed: TX_HARDWARE, SOFTWARE, RAW_HARDWARE, OPT_ID, "),
        (1 << 30 | 1, "SO_TIMESTAMPING 0x40000001: no such option here; allowed: "),
        (Timestamping.TX_HARDWARE, "SO_TIMESTAMPING TX_HARDWARE: its stamps would never be reported; add RAW_HARDWARE"),
        (Timestamping.TX_SCHED | HARDWARE, "SO_TIMESTAMPING TX_SCHED: its stamps would never be reported; add SOFTW"),
    ],
)
def test_options_that_make_no_sense_are_refused_in_one_line(options: int, says: str) -> None:
    for refuse in (checked, lambda wanted: Socket(StackBench().dev, timestamping=wanted)):
        with pytest.raises(ValueError) as caught:
            refuse(options)
        assert str(caught.value).startswith(says) and "\n" not in str(caught.value)


def stamp_all(bench: StackBench) -> None:
    """Have the driver hand a stamp back for each packet that asks: a hundred times its length."""
    for skb in bench.driver.sent:
        if skb.wants_timestamp:
            skb.stamp(skb.len * 100.0)


def test_keys_count_packets_from_when_they_are_asked_for() -> None:
    bench = StackBench()
    socket = Socket(bench.dev, timestamping=HARDWARE)

    def send(*lengths: int) -> list[tuple[int, float]]:
        """Keys and stamps of packets."""
        bench.driver.sent.clear()
        socket.send([Skb(len=length) for length in lengths])
        bench.drain()
        stamp_all(bench)
        found = [socket.error_queue.receive() for _ in range(len(socket.error_queue))]
        return [(message.key, message.hardware_ns) for message in found if message is not None]

    assert send(70, 80) == [(0, 7000), (0, 8000)], "no numbers without OPT_ID"
    socket.set_timestamping(HARDWARE | Timestamping.OPT_ID)
    assert send(70, 80) == [(0, 7000), (1, 8000)]
    socket.set_timestamping(HARDWARE | Timestamping.OPT_ID | Timestamping.OPT_TSONLY)
    assert send(90) == [(2, 9000)], "OPT_ID was on all the time"
    socket.set_timestamping(HARDWARE)
    socket.set_timestamping(HARDWARE | Timestamping.OPT_ID)
    assert send(60) == [(0, 6000)]
    socket.set_timestamping(0)
    assert send(60) == []


def test_a_packet_may_ask_by_itself() -> None:
    bench = StackBench()
    socket = Socket(bench.dev, timestamping=Timestamping.RAW_HARDWARE | Timestamping.OPT_ID)
    socket.send([Skb(len=100), Skb(len=200, wants_timestamp=True), Skb(len=300)])
    bench.drain()
    stamp_all(bench)
    message = socket.error_queue.receive()
    assert message == (0, StampKind.SND, 0, 20_000, bench.driver.sent[1])
    assert socket.error_queue.receive() is None


def test_a_full_error_queue_loses_messages_and_has_room_again_once_it_is_read() -> None:
    heard: list[int] = []
    queue = ErrorQueue(rcvbuf=10 * linear_truesize(0))
    queue.on_message = lambda: heard.append(len(queue))
    message = TxTimestamp(0, StampKind.SND, 0, 1.0, None)
    for _ in range(12):
        queue.put(message)
    assert (len(queue), queue.lost, heard) == (9, 3, list(range(1, 10)))
    assert queue.receive() == message
    queue.put(message._replace(skb=Skb(len=1514, truesize=linear_truesize(1514))))
    assert (len(queue), queue.lost) == (8, 4), "a message with its packet takes the packet's room"
    queue.put(message)
    assert (len(queue), queue.lost) == (9, 4)


def test_where_the_device_has_no_wire_times_no_message_comes() -> None:
    async def test() -> None:
        bench = await DriverBench(TwinWorld(), DriverConfig(head_write_back=True)).up()
        socket = Socket(bench.dev, timestamping=HARDWARE)
        socket.send([bench.skb(100), bench.skb(200)])
        await bench.all_done()
        assert len(socket.error_queue) == 0
        bench.check()

    drive(test())
