"""A device's features as ``ethtool -k`` lists and ``-K`` switches them.

Names and order are the kernel's (net/ethtool/common.c of Linux 6.12); the older names, which stand for one of them or
for a group, are ethtool's. How a request is carried out and reported follows net/ethtool/features.c.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ringwire.netdev.device import NetDevice
from ringwire.netdev.errors import DeviceError
from ringwire.netdev.features import ETHTOOL_NAMES, Feature

GSO = "tx-generic-segmentation"
_NAMES = """
    tx-scatter-gather tx-checksum-ipv4 tx-checksum-ip-generic tx-checksum-ipv6 highdma tx-scatter-gather-fraglist
    tx-vlan-hw-insert rx-vlan-hw-parse rx-vlan-filter vlan-challenged tx-generic-segmentation rx-gro rx-lro
    tx-tcp-segmentation tx-gso-robust tx-tcp-ecn-segmentation tx-tcp-mangleid-segmentation tx-tcp6-segmentation
    tx-fcoe-segmentation tx-gre-segmentation tx-gre-csum-segmentation tx-ipxip4-segmentation tx-ipxip6-segmentation
    tx-udp_tnl-segmentation tx-udp_tnl-csum-segmentation tx-gso-partial tx-tunnel-remcsum-segmentation
    tx-sctp-segmentation tx-esp-segmentation tx-udp-fragmentation tx-udp-segmentation tx-gso-list
    tx-checksum-fcoe-crc tx-checksum-sctp rx-ntuple-filter rx-hashing rx-checksum tx-nocache-copy loopback rx-fcs
    rx-all tx-vlan-stag-hw-insert rx-vlan-stag-hw-parse rx-vlan-stag-filter l2-fwd-offload hw-tc-offload
    esp-hw-offload esp-tx-csum-hw-offload rx-udp_tunnel-port-offload tls-hw-tx-offload tls-hw-rx-offload rx-gro-hw
    tls-hw-record rx-gro-list macsec-hw-offload rx-udp-gro-forwarding hsr-tag-ins-offload hsr-tag-rm-offload
    hsr-fwd-offload hsr-dup-offload
"""
FEATURE_NAMES = tuple(_NAMES.split())
"""The kernel's names in the order of its bits. tx-udp-fragmentation has a bit in Linux 6.12 but lost its name; here it
is a feature that one can switch, so it has one.
"""
ALWAYS_ON = ("highdma",)
"""What the device has and nobody switches: its addresses have 64 bits."""


class OldName(NamedTuple):
    """A name from before features had names of their own: it stands for one of them, or for a group."""

    short: str
    long: str
    members: tuple[str, ...]
    group: bool = False
    """Several: the name has a state, but neither mark."""


OLD_NAMES = (
    OldName("rx", "rx-checksumming", ("rx-checksum",)),
    OldName("tx", "tx-checksumming", tuple(n for n in FEATURE_NAMES if n.startswith("tx-checksum-")), True),
    OldName("sg", "scatter-gather", tuple(n for n in FEATURE_NAMES if n.startswith("tx-scatter-gather")), True),
    OldName(
        "tso",
        "tcp-segmentation-offload",
        tuple(n for n in FEATURE_NAMES if re.fullmatch("tx-tcp.*-segmentation", n)),
        True,
    ),
    OldName("gso", "generic-segmentation-offload", (GSO,)),
    OldName("gro", "generic-receive-offload", ("rx-gro",)),
    OldName("lro", "large-receive-offload", ("rx-lro",)),
    OldName("rxvlan", "rx-vlan-offload", ("rx-vlan-hw-parse",)),
    OldName("txvlan", "tx-vlan-offload", ("tx-vlan-hw-insert",)),
    OldName("ntuple", "ntuple-filters", ("rx-ntuple-filter",)),
    OldName("rxhash", "receive-hashing", ("rx-hashing",)),
)
_MEMBERS = {word: old.members for old in OLD_NAMES for word in (old.short, old.long)}
_MEMBERS |= dict.fromkeys(("ufo", "udp-fragmentation-offload"), ("tx-udp-fragmentation",))


@dataclass(frozen=True, slots=True)
class FeatureState:
    """A feature: whether it works, whether it is asked for, whether that can't be changed."""

    active: bool
    requested: bool
    fixed: bool


@dataclass(frozen=True, slots=True)
class FeatureChanges:
    """What became of a request, by the kernel's names and in its order."""

    changed: dict[str, bool]
    """Features that are not as they were."""
    refused: dict[str, bool]
    """What was asked of features that are otherwise."""
    requested: frozenset[str]

    @property
    def nothing_done(self) -> bool:
        """Nothing of all that was asked for is so."""
        return self.refused.keys() == self.requested

    def text(self) -> str:
        """As ethtool prints it: nothing where all went as requested."""
        if not self.refused and self.changed.keys() <= self.requested:
            return ""
        lines = ["Actual changes:"]
        for name in FEATURE_NAMES:
            if name in self.refused:
                lines.append(f"{name}: {on_off(not self.refused[name])} [requested {on_off(self.refused[name])}]")
            elif name in self.changed:
                mark = "" if name in self.requested else " [not requested]"
                lines.append(f"{name}: {on_off(self.changed[name])}{mark}")
        return "\n".join(lines) + "\n"


def get_features(dev: NetDevice) -> dict[str, FeatureState]:
    """Every feature by the kernel's name, in its order."""
    return {name: _feature(dev, name) for name in FEATURE_NAMES}


def _feature(dev: NetDevice, name: str) -> FeatureState:
    if name == GSO:
        return FeatureState(dev.gso and Feature.SG in dev.features, dev.gso, False)
    feature = ETHTOOL_NAMES.get(name)
    if feature is None:
        return FeatureState(name in ALWAYS_ON, False, True)
    can_change = feature in dev.hw_features
    return FeatureState(feature in dev.features, can_change and feature in dev.wanted_features, not can_change)


def set_features(dev: NetDevice, switches: Mapping[str, bool]) -> FeatureChanges:
    """ethtool -K, by the kernel's names or the old ones, long or short; a group's switch is one for each member.

    What can't be as requested stays as it is and is reported. DeviceError (EOPNOTSUPP): an unknown name.
    """
    requested = {member: on for name, on in switches.items() for member in members(name)}
    before = get_features(dev)
    wanted = dev.wanted_features
    for name, on in requested.items():
        feature = ETHTOOL_NAMES.get(name, Feature.NONE) & dev.hw_features
        wanted = wanted | feature if on else wanted & ~feature
    dev.gso = requested.get(GSO, dev.gso)
    dev.features = wanted
    after = get_features(dev)
    return FeatureChanges(
        {name: after[name].active for name in FEATURE_NAMES if after[name].active != before[name].active},
        {name: on for name, on in requested.items() if after[name].active != on},
        frozenset(requested),
    )


def members(name: str) -> tuple[str, ...]:
    """The kernel's names that a name of the command line stands for."""
    if name in _MEMBERS:
        return _MEMBERS[name]
    if name not in FEATURE_NAMES:
        known = [old.short for old in OLD_NAMES] + [*ETHTOOL_NAMES, GSO]
        raise DeviceError("EOPNOTSUPP", name, ", ".join(known), "bit name not found")
    return (name,)


def show_features(dev: NetDevice) -> str:
    """ethtool -k."""
    lines = [f"Features for {dev.name}:"]
    for name, state, member in _feature_list(dev):
        mark = ""
        if isinstance(state, FeatureState):
            mark = _mark(state)
            state = state.active
        lines.append(f"{chr(9) * member}{name}: {on_off(state)}{mark}")
    return "\n".join(lines) + "\n"


def _feature_list(dev: NetDevice) -> Iterator[tuple[str, FeatureState | bool, bool]]:
    """(name, state, whether it is a group's member) as ethtool lists them: a group has no state but on and off."""
    states = get_features(dev)
    for old in OLD_NAMES:
        if old.group:
            yield old.long, any(states[name].active for name in old.members), False
            for name in old.members:
                yield name, states.pop(name), True
        else:
            yield old.long, states.pop(old.members[0]), False
    for name, state in states.items():
        yield name, state, False


def _mark(state: FeatureState) -> str:
    if state.fixed:
        return " [fixed]"
    return "" if state.active == state.requested else f" [requested {on_off(state.requested)}]"


def features_json(dev: NetDevice) -> dict[str, object]:
    """One device's object of ``ethtool --json -k``."""
    found: dict[str, object] = {"ifname": dev.name}
    for name, state, _ in _feature_list(dev):
        if isinstance(state, FeatureState):
            found[name] = {"active": state.active, "fixed": state.fixed, "requested": state.requested}
        else:
            found[name] = {"active": state, "fixed": None, "requested": None}
    return found


def on_off(on: bool) -> str:
    return "on" if on else "off"
