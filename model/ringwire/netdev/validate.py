"""The last look at packets before the driver: what the device can't do is done here (validate_xmit_skb)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ringwire.gso import GsoError
from ringwire.netdev.features import GSO_FEATURES, HW_CSUM, SG, VLAN_TX, can_segment
from ringwire.skb import CsumFlag, Skb

if TYPE_CHECKING:
    from ringwire.netdev.device import NetDevice

ETH_ALEN = 6
ETH_P_8021Q = 0x8100
VLAN_HLEN = 4
_ORDINARY = HW_CSUM | SG
_CHECKSUMS = HW_CSUM | int(GSO_FEATURES)
_NEEDS_CSUM = int(CsumFlag.NEEDS_CSUM)


def validate_xmit_skb_list(skbs: list[Skb], dev: NetDevice) -> list[Skb]:
    """The packets to hand to the driver for these: tagged, segmented and with checksums as far as needed.

    A packet that can't be made fit is dropped; the list may come back empty.
    """
    check = dev.features_check
    ready: list[Skb] = []
    for skb in skbs:
        features = dev.feature_bits if check is None else check(skb, dev.feature_bits)
        if skb.tunnel:
            features &= dev.hw_enc_features
        if skb.csum_flags > _NEEDS_CSUM:
            features &= ~_CHECKSUMS
        if skb.gso_size or skb.vlan_tci is not None or features & _ORDINARY != _ORDINARY:
            try:
                ready += _make_fit(skb, dev, features)
            except GsoError:
                dev.tx_dropped += 1
                dev.drop(skb)
        else:
            ready.append(skb)
    return ready


def _make_fit(skb: Skb, dev: NetDevice, features: int) -> list[Skb]:
    """Do what a device with ``features`` would not do; :class:`GsoError` if that is impossible."""
    if skb.vlan_tci is not None and not features & VLAN_TX:
        push_vlan(skb)
    if skb.gso_size and not (
        can_segment(skb, features) and skb.len < dev.gso_max_size and gso_segments(skb) <= dev.gso_max_segs
    ):
        ready = dev.segment(skb, not features & HW_CSUM)
    else:
        if not features & HW_CSUM:
            dev.complete_checksum(skb)
        ready = [skb]
    if not features & SG:
        for each in ready:
            each.data = (each.linear(),) if each.data else ()
    return ready


def segment_for(skb: Skb, dev: NetDevice) -> list[Skb]:
    """Cut a super-packet that a discipline can't take whole; the device still completes what checksums it can."""
    features = dev.feature_bits if dev.features_check is None else dev.features_check(skb, dev.feature_bits)
    if skb.tunnel:
        features &= dev.hw_enc_features
    return dev.segment(skb, not features & HW_CSUM)


def gso_segments(skb: Skb) -> int:
    """Number of wire frames of a super-packet."""
    return skb.gso_segs or -((skb.hdr_len - skb.len) // skb.gso_size)


def push_vlan(skb: Skb) -> None:
    """Write the 802.1Q tag into the frame, behind the addresses; everything after it moves by four bytes."""
    assert skb.vlan_tci is not None
    if skb.data:
        if len(skb.data[0]) < 2 * ETH_ALEN:
            skb.data = (skb.linear(),)
        first = bytes(skb.data[0])
        tag = ETH_P_8021Q.to_bytes(2, "big") + skb.vlan_tci.to_bytes(2, "big")
        skb.data = (first[: 2 * ETH_ALEN] + tag + first[2 * ETH_ALEN :], *skb.data[1:])
    skb.vlan_tci = None
    skb.len += VLAN_HLEN
    if skb.csum_flags:
        skb.csum_start += VLAN_HLEN
    if skb.tunnel:
        skb.inner_l3 += VLAN_HLEN
    if skb.gso_size:
        skb.hdr_len += VLAN_HLEN
