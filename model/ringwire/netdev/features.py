"""What a device can do for a packet, and which of it a given packet needs."""

from __future__ import annotations

from enum import IntFlag

from ringwire.skb import GsoType, Skb


class Feature(IntFlag):
    """Offloads; in brackets the names that ``ethtool -k`` has for them."""

    NONE = 0
    SG = 1
    """Packets in several fragments (tx-scatter-gather)."""
    HW_CSUM = 2
    """A checksum from csum_start on into csum_offset (tx-checksum-ip-generic)."""
    VLAN_TX = 4
    """Insertion of a tag (tx-vlan-hw-insert)."""
    TSO = 8
    """TCP over IPv4 (tx-tcp-segmentation)."""
    TSO6 = 16
    """TCP over IPv6 (tx-tcp6-segmentation)."""
    TSO_ECN = 32
    """Super-packets that carry CWR (tx-tcp-ecn-segmentation)."""
    USO = 64
    """UDP datagrams (tx-udp-segmentation)."""
    UFO = 128
    """IPv4 fragments of one UDP datagram (tx-udp-fragmentation)."""
    TSO_MANGLEID = 256
    """Super-packets whose segments all have one IPv4 id (tx-tcp-mangleid-segmentation)."""
    ALL = 511


GSO_FEATURES = Feature.TSO | Feature.TSO6 | Feature.TSO_ECN | Feature.USO | Feature.UFO | Feature.TSO_MANGLEID
"""Segmentation by the device; each of them needs HW_CSUM, and all but USO need SG."""
ALL_TSO = Feature.TSO | Feature.TSO6 | Feature.TSO_ECN | Feature.TSO_MANGLEID

ETHTOOL_NAMES = {
    "tx-scatter-gather": Feature.SG,
    "tx-checksum-ip-generic": Feature.HW_CSUM,
    "tx-vlan-hw-insert": Feature.VLAN_TX,
    "tx-tcp-segmentation": Feature.TSO,
    "tx-tcp6-segmentation": Feature.TSO6,
    "tx-tcp-ecn-segmentation": Feature.TSO_ECN,
    "tx-udp-segmentation": Feature.USO,
    "tx-udp-fragmentation": Feature.UFO,
    "tx-tcp-mangleid-segmentation": Feature.TSO_MANGLEID,
}
"""The features by the names of ``ethtool -K``."""

# Plain integers for the tests that every packet meets.
SG = int(Feature.SG)
HW_CSUM = int(Feature.HW_CSUM)
VLAN_TX = int(Feature.VLAN_TX)
_TSO_ECN, _TSO_MANGLEID = int(Feature.TSO_ECN), int(Feature.TSO_MANGLEID)
_GSO = {
    GsoType.TCPV4: int(Feature.TSO),
    GsoType.TCPV6: int(Feature.TSO6),
    GsoType.UDP_L4: int(Feature.USO),
    GsoType.UDP: int(Feature.UFO),
}


def consistent(features: Feature) -> Feature:
    """The features that remain when those are gone that lack another one they need (netdev_fix_features)."""
    if not features & Feature.HW_CSUM:
        features &= ~GSO_FEATURES
    if not features & Feature.SG:
        features &= ~(ALL_TSO | Feature.UFO)
    if not features & Feature.TSO:
        features &= ~Feature.TSO_MANGLEID
    if not features & (Feature.TSO | Feature.TSO6):
        features &= ~Feature.TSO_ECN
    return features


def can_segment(skb: Skb, features: int) -> bool:
    """Whether a device with these features takes this super-packet as it is."""
    needed = _GSO.get(skb.gso_type, 0)
    if skb.gso_ecn:
        needed |= _TSO_ECN
    if skb.gso_fixed_id:
        needed |= _TSO_MANGLEID
    return needed != 0 and features & needed == needed and bool(skb.csum_flags)
