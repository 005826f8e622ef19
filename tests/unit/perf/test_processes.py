"""CPU and memory come from the kernel's books."""

import os
import time

import pytest

from perf import machine, processes


def test_work_shows_up_as_cpu_of_the_process() -> None:
    pids = {"own": os.getpid()}
    before = processes.cpu_of(pids)
    begin = time.process_time()
    while time.process_time() - begin < 0.1:
        pass
    spent = processes.spent(before, processes.cpu_of(pids))
    assert 0.05 <= spent["own"] < 5


def test_memory_is_what_the_process_holds_and_held_at_most() -> None:
    assert 5 < processes.resident_mib(os.getpid()) <= processes.peak_mib(os.getpid())


def test_an_unknown_field_is_an_error() -> None:
    with pytest.raises(ValueError, match="has no VmNothing"):
        processes._status(os.getpid(), "VmNothing")


def test_the_machine_is_described_without_names_or_paths() -> None:
    text = machine.machine().describe()
    assert "cores" in text
    assert "/" not in text.split("(")[0]
    assert 0 <= machine.busy_share(0.05) <= 1
