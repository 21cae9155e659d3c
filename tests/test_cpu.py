"""The cores that a process may use, and what the system says of the CPU."""

import os
import platform
from pathlib import Path

import pytest

from fullseg import cpu

LINUX = """processor\t: 0
model name\t: A CPU: 2 GHz
flags\t\t: fpu avx2 {more}

processor\t: 1
model name\t: Another
flags\t\t: amx_bf16
"""


def test_a_process_uses_the_cores_that_it_is_tied_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 4, 5}, raising=False)
    assert cpu.available_cores() == 3


@pytest.mark.parametrize(("counted", "expected"), [(6, 6), (None, 1)])
def test_systems_without_affinity_count_all_cores(
    monkeypatch: pytest.MonkeyPatch, counted: int | None, expected: int
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: counted)
    assert cpu.available_cores() == expected


@pytest.mark.parametrize(("more", "bf16"), [("fma", False), ("avx512_bf16", True), ("amx_bf16 amx_tile", True)])
def test_linux_says_what_the_first_core_is(
    more: str, bf16: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpuinfo").write_text(LINUX.format(more=more))
    monkeypatch.setattr(cpu, "CPUINFO", tmp_path / "cpuinfo")
    assert cpu.cpu_model() == "A CPU: 2 GHz"
    assert cpu.instruction_sets() == {"fpu", "avx2", *more.split()}
    assert cpu.computes_bf16() == bf16


def test_other_systems_say_their_architecture_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "CPUINFO", tmp_path / "cpuinfo")
    assert cpu.cpu_model() == platform.machine()
    assert not cpu.computes_bf16()
