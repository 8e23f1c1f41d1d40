"""Software segmentation and checksums against frames that a Linux kernel made (``gso_*.json.gz``)."""

from __future__ import annotations

from typing import Any

import pytest

from ringwire.gso import complete_checksum, segment
from ringwire.skb import GSO_ECN, CsumFlag, GsoType, Skb, Tunnel
from tests.conformance import vectors
from tests.conformance.tally import Tally

OUT_VNET = ("flags", "gso_type", "csum_start", "csum_offset")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    files = vectors.load("gso", metafunc.config)
    cases = [(stem, case["name"], (stem, case)) for stem, document in files for case in document["cases"]]
    vectors.parametrize(metafunc, "file, case", cases)


def test_frames_are_those_of_linux(file: str, case: dict[str, Any], tally: Tally) -> None:
    complete = case["mode"] == "full"
    skb = skb_of(bytes.fromhex(case["in"]), case["vnet"], case.get("tunnel"))
    if skb.is_gso:
        out = segment(skb, complete=complete)
    else:
        if complete:
            complete_checksum(skb)
        out = [skb]
    got = [one.linear().hex() for one in out]
    for index, (want, have) in enumerate(zip(case["out"], got, strict=False)):
        assert same_frame(want, have, case["vnet"]), f"frame {index}: {first_difference(want, have)}"
    assert len(got) == len(case["out"]), f"frames: expected {len(case['out'])}, got {len(got)}"
    assert [one.len for one in out] == [len(want) // 2 for want in case["out"]]
    expected = case.get("out_vnet", [[0, 0, 0, 0]] * len(out))
    for index, (one, want) in enumerate(zip(out, expected, strict=True)):
        difference = vectors.difference(OUT_VNET, want, vnet_of(one))
        assert difference is None, f"frame {index}: {difference}"
    tally.add(file, scenarios=1, frames=len(got))


def skb_of(frame: bytes, vnet: dict[str, int], tunnel: dict[str, int] | None = None) -> Skb:
    """The packet that a ``virtio_net_hdr`` and a frame describe, and what it says of a tunnel."""
    return Skb(
        len=len(frame),
        data=(frame,),
        csum_flags=CsumFlag(vnet["flags"]),
        csum_start=vnet["csum_start"],
        csum_offset=vnet["csum_offset"],
        gso_type=GsoType(vnet["gso_type"] & ~GSO_ECN),
        gso_ecn=bool(vnet["gso_type"] & GSO_ECN),
        gso_size=vnet["gso_size"],
        hdr_len=vnet["hdr_len"],
        tunnel=Tunnel(tunnel["kind"]) if tunnel else Tunnel.NONE,
        inner_l3=tunnel["inner_l3"] if tunnel else 0,
    )


def vnet_of(skb: Skb) -> list[int]:
    """What is left for the device to do; places are meaningful only where a checksum is asked for."""
    asked = skb.csum_flags & CsumFlag.NEEDS_CSUM
    where = [skb.csum_start, skb.csum_offset] if asked else [0, 0]
    return [int(skb.csum_flags), int(skb.gso_type), *where]


def same_frame(want: str, have: str, vnet: dict[str, int]) -> bool:
    """Byte for byte; a TCP checksum of 0x0000 and one of 0xffff say the same and are taken for equal."""
    if want == have:
        return True
    at = 2 * (vnet["csum_start"] + vnet["csum_offset"])
    zeros = {"0000", "ffff"}
    return (
        vnet["csum_offset"] == 16
        and {want[at : at + 4], have[at : at + 4]} == zeros
        and (want[:at], want[at + 4 :]) == (have[:at], have[at + 4 :])
    )


def first_difference(want: str, have: str) -> str:
    """The first byte that differs, as text."""
    if len(want) != len(have):
        return f"expected {len(want) // 2} bytes, got {len(have) // 2}"
    at = next(at for at in range(0, len(want), 2) if want[at : at + 2] != have[at : at + 2])
    return f"byte {at // 2}: expected {want[at : at + 2]}, got {have[at : at + 2]}"
