"""What ``tc qdisc|class|filter show`` prints; after tc/tc_qdisc.c, tc_class.c and tc_filter.c of iproute2 6.1."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from ringwire.filter import Filter
from ringwire.netdev.cls_api import find_block
from ringwire.netdev.device import NetDevice
from ringwire.netdev.tree import qdiscs
from ringwire.qdisc.base import MQROOT, ROOT_ID, AnyQdisc, QdiscStats
from ringwire.qdisc.classful import QdiscClass
from ringwire.qdisc.classify import FilterBlock
from ringwire.qdisc.errors import QdiscError
from ringwire.tools.jsonwriter import compact, pretty
from ringwire.tools.tc.filterfront import filter_front_end
from ringwire.tools.tc.frontend import front_end
from ringwire.tools.tc.output import Output
from ringwire.tools.tc.protocols import format_protocol
from ringwire.tools.tc.show_actions import old_police_statistics
from ringwire.tools.tc.show_command import ShowCommand
from ringwire.tools.tc.stab import show_stab
from ringwire.tools.units import format_classid, format_handle, format_size


def show(dev: NetDevice, statistics: bool = True, details: bool = True) -> str:
    """The device's disciplines as ``tc -s -d qdisc show`` prints them."""
    return "".join(describe_qdisc(qdisc, Output(details, statistics)).text for qdisc in qdiscs(dev))


def show_classes(dev: NetDevice, statistics: bool = True, details: bool = True) -> str:
    """The device's classes as ``tc -s -d class show`` prints them."""
    return "".join(
        describe_class(qdisc, cls, Output(details, statistics)).text
        for qdisc in qdiscs(dev, hidden=True)
        for cls in qdisc.classes()
    )


def carry_out(command: ShowCommand, devices: Iterable[NetDevice]) -> str:
    """A ``show`` line, for these devices. Classes and filters are those of a device that it names, or none.

    Classes have no JSON.
    """
    if command.subject != "qdisc" and command.dev is None:
        devices = ()
    shown = [each for dev in devices for each in _of_device(command, dev, command.dev is None)]
    if command.json and command.subject != "class":
        objects = [each.json for each in shown]
        return pretty(objects) if command.pretty else compact(objects)
    return "".join(each.text for each in shown)


def _of_device(command: ShowCommand, dev: NetDevice, named: bool) -> list[Output]:
    ids = dict(command.ids)
    shown: list[Output] = []

    def out() -> Output:
        return Output(command.details, command.statistics, command.pretty)

    if command.subject == "qdisc":
        for qdisc in qdiscs(dev, command.hidden):
            if ids.get("parent") in (None, qdisc.parent_id) and ids.get("handle") in (None, qdisc.handle):
                shown.append(describe_qdisc(qdisc, out(), dev.name if named else ""))
    elif command.subject == "class":
        for qdisc in qdiscs(dev, hidden=True):
            for cls in qdisc.classes():
                if (
                    ids.get("qdisc") in (None, qdisc.handle)
                    and ids.get("classid") in (None, cls.classid)
                    and ids.get("parent") in (None, cls.parent_id)
                ):
                    shown.append(describe_class(qdisc, cls, out()))
    else:
        try:
            block = find_block(dev, ids.get("parent", 0))
        except QdiscError:
            # where no filters can be, there are none
            return shown
        for chain, classifier in block.walk():
            assert isinstance(classifier, Filter)
            if (
                ids.get("chain", chain) == chain
                and ids.get("pref", classifier.prio) == classifier.prio
                and ids.get("protocol", classifier.protocol) == classifier.protocol
            ):
                shown.extend(_classifier(block, chain, classifier, out, ids))
    return shown


def describe_qdisc(qdisc: AnyQdisc, out: Output, dev: str = "") -> Output:
    """A discipline's line and, with statistics, those that follow it."""
    front = front_end(qdisc.kind)
    out.item("kind", f"qdisc {qdisc.kind} ", qdisc.kind)
    out.item("handle", f"{format_handle(qdisc.handle)} ", format_handle(qdisc.handle))
    if dev:
        out.item("dev", f"dev {dev} ", dev)
    if qdisc.parent_id == ROOT_ID:
        out.item("root", "root ", True)
        if not qdisc.flags & MQROOT:
            references = qdisc.dev.num_tx_queues + 1
            out.item("refcnt", f"refcnt {references} ", references)
    else:
        parent = format_classid(qdisc.parent_id)
        out.item("parent", f"parent {parent} ", parent)
    options = out.nested("options")
    front.show(options, qdisc)
    out.close("options", options)
    out.text += "\n"
    if out.details and qdisc.stab is not None:
        show_stab(out, qdisc.stab)
    if out.statistics:
        _show_stats(out, qdisc.stats())
        xstats = out.nested("")
        front.show_xstats(xstats, qdisc)
        if xstats.text:
            out.text += f"\n{xstats.text}"
        out.json |= xstats.json
        out.text += "\n"
    return out


def describe_class(qdisc: AnyQdisc, cls: QdiscClass, out: Output) -> Output:
    """A class's line and, with statistics, those that follow it."""
    front = front_end(qdisc.kind)
    out.item("class", f"class {qdisc.kind} ", qdisc.kind)
    out.item("handle", f"{format_handle(cls.classid)} ", format_handle(cls.classid))
    if cls.parent_id == ROOT_ID:
        out.item("root", "root ", True)
    else:
        parent = format_classid(cls.parent_id)
        out.item("parent", f"parent {parent} ", parent)
    if cls.leaf and cls.qdisc.handle:
        leaf = format_handle(cls.qdisc.handle)
        out.item("leaf", f"leaf {leaf} ", leaf)
    options = out.nested("options")
    front.show_class(options, cls)
    out.close("options", options)
    out.text += "\n"
    if out.statistics:
        stats = cls.stats()
        if stats is not None:
            _show_stats(out, stats, cls.counts_sent)
        xstats = out.nested("")
        front.show_class_xstats(xstats, cls)
        if xstats.text:
            out.text += f"\n{xstats.text}"
        out.json |= xstats.json
        out.text += "\n"
    return out


def _show_stats(out: Output, now: QdiscStats, sent: bool = True) -> None:
    if sent:
        out.text += f" Sent {now.bytes} bytes {now.packets} pkt"
        out.json |= {"bytes": now.bytes, "packets": now.packets}
    out.text += (
        f" (dropped {now.drops}, overlimits {now.overlimits} requeues {now.requeues}) \n"
        f" backlog {format_size(now.backlog)} {now.qlen}p requeues {now.requeues}"
    )
    out.json |= {
        "drops": now.drops,
        "overlimits": now.overlimits,
        "requeues": now.requeues,
        "backlog": now.backlog,
        "qlen": now.qlen,
    }


def _classifier(
    block: FilterBlock, chain: int, classifier: Filter[object], out: Callable[[], Output], said: Mapping[str, int]
) -> Iterator[Output]:
    """A line for the classifier, and one for each filter."""
    front = filter_front_end(classifier.kind)
    if front.shows_itself(classifier):
        line = _filter_line(block, chain, classifier, out(), said)
        line.text += "\n"
        yield line
    for handle, params in classifier.filters():
        line = _filter_line(block, chain, classifier, out(), said)
        inner = line.nested("options")
        front.show(inner, classifier, handle, params)
        line.close("options", inner)
        line.text += "\n"
        old_police_statistics(line, classifier.actions(handle))
        yield line


def _filter_line(
    block: FilterBlock, chain: int, classifier: Filter[object], out: Output, said: Mapping[str, int]
) -> Output:
    """What all lines of a classifier begin with; what the command has narrowed the list to goes without saying."""
    out.text += "filter "
    for name, text, value in (
        ("parent", format_classid(block.parent_id), format_classid(block.parent_id)),
        ("protocol", format_protocol(classifier.protocol), format_protocol(classifier.protocol)),
        ("pref", str(classifier.prio), classifier.prio),
        ("kind", "", classifier.kind),
        ("chain", str(chain), chain),
    ):
        if name == "kind":
            out.item("kind", f"{value} ", value)
        elif name not in said:
            out.item(name, f"{name} {text} ", value)
    return out
