"""A queueing discipline of one's own: of the packets that wait, the shortest leaves first. docs/qdisc.md runs it."""

from dataclasses import dataclass
from heapq import heappop, heappush

from ringwire.qdisc import XMIT_SUCCESS, Qdisc, option
from ringwire.skb import Skb


@dataclass(frozen=True, slots=True)
class ShortestParams:
    limit: int | None = option("size", shown="packets")


class Shortest(Qdisc[ShortestParams]):
    kind = "shortest"
    params_type = ShortestParams

    def setup(self) -> None:
        self.limit, self.count = self.dev.tx_queue_len, 0
        self.heap: list[tuple[int, int, Skb]] = []

    def change(self, params: ShortestParams) -> None:
        self.limit = self.limit if params.limit is None else params.limit

    def params(self) -> ShortestParams:
        return ShortestParams(self.limit)

    def enqueue(self, skb: Skb, to_free: list[Skb]) -> int:
        if self.qlen >= self.limit:
            return self.refuse(skb, to_free)
        self.count += 1  # of equal ones the first is the first
        heappush(self.heap, (skb.pkt_len, self.count, skb))
        self.qlen += 1
        self.backlog += skb.pkt_len
        return XMIT_SUCCESS

    def dequeue(self) -> Skb | None:
        if not self.heap:
            return None
        skb = heappop(self.heap)[2]
        self.qlen -= 1
        self.backlog -= skb.pkt_len
        self.count_sent(skb)
        return skb

    def clear(self) -> None:
        while self.heap:
            self.dev.drop(self.heap.pop()[2])
