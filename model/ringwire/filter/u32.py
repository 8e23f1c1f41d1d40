"""u32: any bytes of the packet under masks, in hash tables that filters link to one another.

A key's offset counts from the network header; a linked table can move that, or set what ``nexthdr+`` adds. A packet
that is too short for a key ends the search. After net/sched/cls_u32.c of Linux 6.12.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from ringwire.action import Pipeline
from ringwire.filter.base import Filter
from ringwire.filter.frame import network_offset
from ringwire.filter.u32_table import (
    BUCKET,
    EAT,
    FIRST_ROOT,
    KEY,
    NODE,
    OFFSET,
    ROOT,
    TABLE,
    TERMINAL,
    VAROFFSET,
    Node,
    Selector,
    Table,
    Tables,
    U32Params,
)
from ringwire.qdisc.classify import OK, UNSPEC, Match
from ringwire.qdisc.errors import QdiscError
from ringwire.skb import Skb

MAX_DEPTH = 8
"""Links that are followed within one another."""
HEADROOM = 128
"""Bytes before the frame that can be read, as of any packet that the stack has made."""
NOWHERE = -(1 << 31)
_ETH_HLEN = 14


class U32(Filter[U32Params]):
    """All filters of one priority; tables are found from any priority of the same discipline."""

    kind: ClassVar[str] = "u32"
    params_type = U32Params

    def setup(self) -> None:
        self.tables: Tables = self.block.owner.filter_state.setdefault(self.kind, Tables())
        self.tables.users += 1
        first = FIRST_ROOT if not self.tables.by_number else 0
        self.root = self.tables.add(first, 1, self.prio, root=True)

    def classify(self, skb: Skb, match: Match) -> int:
        data = skb.data
        frame = data[0] if len(data) == 1 else b"".join(data)
        size = len(frame)
        # most packets carry no tag
        off = network_offset(frame) if size > _ETH_HLEN and frame[12] in (0x81, 0x88) else _ETH_HLEN
        next_header = 0
        above: list[tuple[list[Node], int, int]] = []
        bucket, at = self.root.buckets[0], 0
        mark = skb.mark
        # filters in a row often look at the same word
        word_at, word = NOWHERE, 0
        while True:
            while at < len(bucket):
                node = bucket[at]
                at += 1
                node.asked += 1
                if node.mark_mask:
                    if mark & node.mark_mask != node.mark:
                        continue
                    node.mark_hits += 1
                for offset, variable, mask, value, number in node.keys:
                    begin = off + offset + next_header if variable else off + offset
                    if begin != word_at:
                        word_at = begin
                        if begin < 0 or begin + 4 > size:
                            word = _beyond(frame, begin)
                        else:
                            word = int.from_bytes(frame[begin : begin + 4], "big")
                    if word < 0:
                        # of a packet of figures nothing is known, but bytes that don't matter match
                        if mask or size:
                            return UNSPEC
                    elif word & mask != value:
                        break
                    node.key_hits[number] += 1
                else:
                    table = node.down
                    if table is None:
                        if node.flags & TERMINAL:
                            verdict = self._end(node, skb, match)
                            if verdict != UNSPEC:
                                return verdict
                        continue
                    if len(above) >= MAX_DEPTH:
                        return UNSPEC
                    above.append((bucket, at, off))
                    way = _follow(node, table, frame, off, next_header)
                    if way is None:
                        return UNSPEC
                    number, off, next_header = way
                    bucket, at = (table.buckets[number] if number >= 0 else []), 0
            if not above:
                return UNSPEC
            # back to the filter that linked here, which may have a class or actions itself
            bucket, at, off = above.pop()
            node = bucket[at - 1]
            if node.flags & TERMINAL:
                verdict = self._end(node, skb, match)
                if verdict != UNSPEC:
                    return verdict

    def _end(self, node: Node, skb: Skb, match: Match) -> int:
        """A filter has matched; UNSPEC: go on all the same."""
        if node.ifindex and node.ifindex != skb.iif:
            return UNSPEC
        node.hits += 1
        verdict = node.pipeline.run(skb, self.dev) if node.pipeline is not None else OK
        if verdict != UNSPEC:
            match.classid = node.classid or 0
        return verdict

    # -- lines

    def change(self, handle: int, params: U32Params) -> None:
        if not params.options:
            if handle:
                raise QdiscError("EINVAL", "cls_u32: Filter handle requires options")
            return
        there = self._find(handle) if handle else None
        if there is not None:
            if isinstance(there, Table):
                raise QdiscError("EINVAL", "cls_u32: Key node id cannot be zero")
            self._replace(there, params)
        elif params.divisor:
            if handle & KEY:
                raise QdiscError("EINVAL", "cls_u32: Divisor can only be used on a hash table")
            self.tables.add(handle, params.divisor, self.prio)
        else:
            self._add(handle, params)

    def _add(self, handle: int, params: U32Params) -> None:
        place, table = self.root.handle, self.root
        if params.table & TABLE == ROOT:
            pass
        elif params.table:
            place = params.table
            found = self.tables.by_number.get(place & TABLE)
            if found is None:
                raise QdiscError("EINVAL", "cls_u32: Specified hash table not found")
            table = found
        if (place & BUCKET) >> 12 > table.last:
            raise QdiscError("EINVAL", "cls_u32: Specified hash table buckets exceed configured value")
        if handle:
            if handle & TABLE and (handle ^ place) & TABLE:
                raise QdiscError("EINVAL", "cls_u32: Handle specified hash table address mismatch")
            handle = place | handle & NODE
            if table.find(handle) is not None:
                raise QdiscError("ENOSPC")
        else:
            handle = table.free_handle(place)
        if params.selector is None:
            raise QdiscError("EINVAL", "cls_u32: Selector not specified")
        node = Node(handle, table, params.selector, params.mark)
        self._set(node, params)
        table.insert(node)

    def _replace(self, node: Node, params: U32Params) -> None:
        """Only class, link, device and actions: what it matches stays, whatever the line says of that."""
        before = node.pipeline
        self._set(node, params)
        self.release(before)

    def _set(self, node: Node, params: U32Params) -> None:
        pipeline = self.bind(params.actions)
        try:
            down, ifindex = self._link(node, params), node.ifindex
            if params.indev:
                indev = self.dev.net.device(params.indev)
                if indev is None:
                    raise QdiscError("ENODEV", "Network device not found")
                ifindex = indev.ifindex
        except QdiscError:
            self.release(pipeline)
            raise
        if down is not None:
            down.users += 1
        if node.down is not None:
            node.down.users -= 1
        node.down, node.ifindex, node.indev, node.pipeline = down, ifindex, params.indev or node.indev, pipeline
        if params.classid is not None:
            node.classid = params.classid

    def _link(self, node: Node, params: U32Params) -> Table | None:
        if params.link is None:
            return node.down
        if params.link & KEY:
            raise QdiscError("EINVAL", "cls_u32: u32 Link handle must be a hash table")
        if not params.link:
            return None
        table = self.tables.by_number.get(params.link)
        if table is None:
            raise QdiscError("EINVAL", "cls_u32: Link hash table not found")
        if table.root:
            raise QdiscError("EINVAL", "cls_u32: Not linking to root node")
        return table

    def _find(self, handle: int) -> Table | Node | None:
        number = handle & TABLE
        table = self.root if number == ROOT else self.tables.by_number.get(number)
        return table if table is None or not handle & KEY else table.find(handle)

    def delete(self, handle: int) -> None:
        there = self._find(handle)
        if isinstance(there, Node):
            there.up.buckets[(handle & BUCKET) >> 12].remove(there)
            self._free(there)
        elif there is not None:
            if there.root:
                raise QdiscError("EINVAL", "cls_u32: Not allowed to delete root node")
            if there.users:
                raise QdiscError("EBUSY", "cls_u32: Can not delete in-use filter")
            self._remove(there)

    def _free(self, node: Node) -> None:
        if node.down is not None:
            node.down.users -= 1
        self.release(node.pipeline)

    def _remove(self, table: Table) -> None:
        for node in table.nodes():
            self._free(node)
        self.tables.remove(table)

    def destroy(self) -> None:
        """Other tables of this priority stay for those that share them."""
        self._remove(self.root)
        self.tables.users -= 1
        if not self.tables.users:
            for table in list(self.tables.order):
                self._remove(table)
            del self.block.owner.filter_state[self.kind]

    def empty(self) -> bool:
        return self.tables.users == 1 and not self.tables.knodes()

    def has(self, handle: int) -> bool:
        return self._find(handle) is not None

    def filters(self) -> Iterator[tuple[int, U32Params]]:
        """Tables of this priority, each followed by its filters."""
        for table in self.tables.order:
            if table.prio == self.prio:
                yield table.handle, U32Params(divisor=table.last + 1)
                for node in table.nodes():
                    yield node.handle, self._shown(node)

    def _shown(self, node: Node) -> U32Params:
        return U32Params(
            node.selector,
            node.classid,
            node.handle & (TABLE | BUCKET),
            node.down.handle if node.down is not None else None,
            mark=(node.mark, node.mark_mask) if node.mark or node.mark_mask else None,
            indev=node.indev,
        )

    def node(self, handle: int) -> Node | None:
        """A filter that is there, with its counts; None for a table."""
        there = self._find(handle)
        return there if isinstance(there, Node) else None

    def actions(self, handle: int) -> Pipeline | None:
        node = self.node(handle)
        return node.pipeline if node is not None else None

    def class_ids(self) -> Iterator[int]:
        for table in self.tables.order:
            for node in table.nodes():
                if node.classid:
                    yield node.classid


def _follow(
    node: Node, table: Table, frame: bytes | memoryview, off: int, next_header: int
) -> tuple[int, int, int] | None:
    """Into a linked table: (bucket, offset, what ``nexthdr`` adds); no bucket (-1) behind the packet's end.

    None if the packet is too short for what the selector wants to know.
    """
    selector, flags, bucket = node.selector, node.flags, 0
    if table.last:
        begin = off + selector.hoff
        if begin < 0 or begin + 4 > len(frame):
            return None
        word = int.from_bytes(frame[begin : begin + 4], "big") & selector.hmask
        bucket = word >> node.hash_shift & table.last
    if not flags & (OFFSET | VAROFFSET | EAT):
        return bucket, off, next_header
    if flags & (OFFSET | VAROFFSET):
        next_header = selector.off + 3
        if flags & VAROFFSET:
            begin = off + selector.offoff
            if begin < 0 or begin + 2 > len(frame):
                return None
            next_header += ((frame[begin] << 8 | frame[begin + 1]) & selector.offmask) >> selector.offshift
        next_header &= ~3
    if flags & EAT:
        off += next_header
        next_header = 0
    return bucket if off < len(frame) else -1, off, next_header


def _beyond(frame: bytes | memoryview, begin: int) -> int:
    """Four bytes that are not all in the frame; -1 if the packet has none there.

    Before the frame there is the buffer's head room, which keys reach whose mask leaves it out.
    """
    if -HEADROOM <= begin < 0 and len(frame) >= begin + 4:
        return int.from_bytes(frame[: max(0, begin + 4)], "big")
    return -1


__all__ = ["U32", "Selector", "U32Params"]
