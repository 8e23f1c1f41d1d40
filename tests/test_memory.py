"""Host memory: what is mapped a device reads, and nothing else."""

from __future__ import annotations

import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringwire.host.memory import (
    DEFAULT_BASE,
    LINE,
    MAX_MAP,
    Coherent,
    DmaFault,
    HostMemory,
    MappingLeak,
    MemoryUseError,
    NotMapped,
    OutOfMemory,
)


@given(
    st.lists(st.tuples(st.integers(1, 5000), st.booleans()), min_size=1, max_size=40),
    st.integers(0, 2**32),
)
@settings(max_examples=60, deadline=None)
def test_each_live_mapping_reads_back_and_every_dead_one_faults(steps: list[tuple[int, bool]], seed: int) -> None:
    memory = HostMemory.create(1 << 22, seed=seed)
    draw = random.Random(seed)
    live: dict[int, bytes] = {}
    lines: dict[int, int] = {}
    for length, undo in steps:
        data = draw.randbytes(length)
        addr = memory.map(data)
        live[addr] = data
        for line in range(addr // LINE, (addr + length - 1) // LINE + 1):
            assert lines.setdefault(line, addr) == addr, "two mappings share a line"
        if undo:
            victim = draw.choice(sorted(live))
            memory.unmap(victim)
            gone = live.pop(victim)
            lines = {line: owner for line, owner in lines.items() if owner != victim}
            with pytest.raises(DmaFault):
                memory.device_read(victim, len(gone))
    for addr, data in live.items():
        assert memory.device_read(addr, len(data)) == data
    assert memory.live == len(live)
    for addr in live:
        memory.unmap(addr)
    memory.check_balance()
    assert (memory.maps, memory.unmaps) == (len(steps), len(steps))


def test_by_default_every_alignment_occurs_and_packets_lie_across_4_gib() -> None:
    memory = HostMemory.create()
    addrs = [memory.map(bytes(1500)) for _ in range(600)]
    assert {addr % LINE for addr in addrs} == set(range(LINE))
    boundary = 1 << 32
    assert min(addrs) < boundary < max(addrs)
    assert any(addr < boundary < addr + 1500 for addr in addrs)
    assert any(addr // 4096 != (addr + 1499) // 4096 for addr in addrs)


def test_the_offset_in_the_line_can_be_asked_for() -> None:
    memory = HostMemory.create()
    for start in range(LINE):
        for length in (1, 63, 64, 65, MAX_MAP):
            addr = memory.map(bytes(length), start)
            assert addr % LINE == start
            assert memory.device_read(addr, length) == bytes(length)
            memory.unmap(addr)


def test_the_same_seed_gives_the_same_addresses_and_another_does_not() -> None:
    first, again, other = (HostMemory.create(seed=seed) for seed in (3, 3, 4))
    lengths = [60, 1514, 9000, 61] * 8
    addrs = [first.map(bytes(length)) for length in lengths]
    assert addrs == [again.map(bytes(length)) for length in lengths]
    assert addrs != [other.map(bytes(length)) for length in lengths]


def test_a_place_is_not_used_again_at_once_so_that_a_late_read_faults() -> None:
    memory = HostMemory.create()
    addr = memory.map(b"old" * 100)
    memory.unmap(addr)
    for _ in range(20):
        memory.map(b"new" * 100)
    with pytest.raises(DmaFault, match=f"{addr:#x}"):
        memory.device_read(addr, 300)


def test_unmapping_twice_or_at_random_is_named() -> None:
    memory = HostMemory.create()
    addr = memory.map(b"packet")
    memory.unmap(addr)
    with pytest.raises(NotMapped, match=f"{addr:#x}"):
        memory.unmap(addr)
    with pytest.raises(NotMapped):
        memory.unmap(DEFAULT_BASE + 5)
    ring = memory.alloc_coherent(4096)
    memory.free(ring)
    with pytest.raises(NotMapped, match=f"{ring.addr:#x}"):
        memory.free(ring)


def test_a_leak_is_named_with_its_address_and_length() -> None:
    memory = HostMemory.create()
    addr = memory.map(bytes(77))
    with pytest.raises(MappingLeak, match=f"1 mappings .*{addr:#x} \\(77 bytes\\)"):
        memory.check_balance()


@pytest.mark.parametrize("length", [0, MAX_MAP + 1])
def test_a_mapping_that_no_descriptor_could_name_is_refused(length: int) -> None:
    memory = HostMemory.create()
    memory.map(bytes(1))
    with pytest.raises(MemoryUseError, match=str(length)):
        memory.map(bytes(length))


def test_memory_that_is_full_says_so_and_serves_again_once_something_is_given_back() -> None:
    memory = HostMemory.create(1 << 16)
    addrs = []
    with pytest.raises(OutOfMemory):
        while True:
            addrs.append(memory.map(bytes(2000)))
    with pytest.raises(OutOfMemory):
        memory.alloc_coherent(1 << 15)
    assert len(addrs) == (1 << 16) // (2048 + LINE)
    memory.unmap(addrs.pop(0))
    addrs.append(memory.map(bytes(1990)))


@given(st.lists(st.tuples(st.integers(1, 9000), st.integers(0, 12)), max_size=20), st.integers(0, 2**16))
@settings(max_examples=60, deadline=None)
def test_coherent_memory_is_aligned_zeroed_apart_and_mapped_until_freed(
    wanted: list[tuple[int, int]], seed: int
) -> None:
    memory = HostMemory.create(1 << 20)
    draw = random.Random(seed)
    live: list[Coherent] = []
    for size, log2 in wanted:
        area = memory.alloc_coherent(size, 1 << log2)
        assert area.addr % (1 << log2) == 0
        assert bytes(area.mem) == bytes(size)
        assert area.view.shape == (size,)
        for other in live:
            assert area.addr + size <= other.addr or other.addr + len(other) <= area.addr
        area.mem[:] = draw.randbytes(size)
        assert memory.device_read(area.addr, size) == bytes(area.mem) == area.view.tobytes()
        live.append(area)
        if draw.random() < 0.4:
            gone = live.pop(draw.randrange(len(live)))
            memory.free(gone)
            with pytest.raises(DmaFault):
                memory.device_read(gone.addr, 1)
    memory.check_balance()


def test_what_a_device_writes_software_sees_and_a_write_elsewhere_faults() -> None:
    memory = HostMemory.create()
    ring = memory.alloc_coherent(256, 128)
    memory.device_write(ring.addr + 16, struct.pack("<Q", 0x1122334455667788))
    assert struct.unpack_from("<Q", ring.mem, 16) == (0x1122334455667788,)
    with pytest.raises(DmaFault) as caught:
        memory.device_write(ring.addr + 250, bytes(16))
    assert (caught.value.kind, caught.value.addr, caught.value.length) == ("write", ring.addr + 250, 16)
    assert caught.value.first_bad == ring.addr + 256
    assert memory.faults == 1


@pytest.mark.parametrize("offset", [-LINE, -1, 1 << 16, (1 << 16) - 8])
def test_an_access_that_leaves_the_arena_faults_where_it_does(offset: int) -> None:
    memory = HostMemory.create(1 << 16)
    end = memory.base + memory.size
    area = memory.alloc_coherent(LINE)
    assert area.addr == end - LINE
    with pytest.raises(DmaFault) as caught:
        memory.device_read(memory.base + offset, 16)
    assert caught.value.first_bad == (end if offset == (1 << 16) - 8 else memory.base + offset)


def test_forbidden_lines_fault_until_they_are_allowed_or_mapped_anew() -> None:
    memory = HostMemory.create()
    addr = memory.map(bytes(300), start=0)
    memory.forbid(addr + 128)
    with pytest.raises(DmaFault) as caught:
        memory.device_read(addr, 300)
    assert caught.value.first_bad == addr + 128
    assert memory.device_read(addr, 128) == bytes(128)
    memory.allow(addr + 128)
    assert memory.device_read(addr, 300) == bytes(300)
    with pytest.raises(MemoryUseError):
        memory.forbid(memory.base - 1)


def test_arena_and_map_of_someone_else_are_used_as_they_are() -> None:
    arena, mapped = bytearray(1 << 16), bytearray(1 << 10)
    memory = HostMemory(memoryview(arena), memoryview(mapped), base=1 << 40)
    addr = memory.map(b"across" * 20, start=60)
    offset = addr - (1 << 40)
    assert arena[offset : offset + 120] == b"across" * 20
    assert [line for line, value in enumerate(mapped) if value] == [offset // 64, offset // 64 + 1, offset // 64 + 2]
    memory.unmap(addr)
    assert not any(mapped)
    with pytest.raises(ValueError, match="lines"):
        HostMemory(memoryview(arena), memoryview(bytearray(5)))
    with pytest.raises(ValueError, match="multiples"):
        HostMemory(memoryview(arena), memoryview(mapped), base=33)
