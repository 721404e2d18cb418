"""Processes that we start: free ports, memory, stopping in good order."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

MB = 1e6


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextmanager
def running(process: subprocess.Popen[bytes]) -> Iterator[int]:
    """Gives the process's number; stops it at the end, whatever happens."""
    try:
        yield process.pid
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, and SIGKILL for a process that does not end."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def tree(pid: int) -> list[int]:
    """The process and all below it."""
    found = [pid]
    for parent in found:
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            found += [int(child) for child in children.read_text().split()]
    return found


def resident_mb(pid: int) -> float:
    """Resident memory of the process and all below it, in megabytes (10⁶ bytes): the sum of VmRSS."""
    return sum(_status_kib(one, "VmRSS") for one in tree(pid)) * 1024 / MB


def processor_seconds(pid: int) -> float:
    """What the process and all below it used of the processor so far, in steps of a hundredth of a second."""
    ticks = 0
    for one in tree(pid):
        # The name in brackets may hold anything: count from behind it. Fields 14 and 15 of proc(5), user and system.
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def processor_ms_of_threads(pid: int) -> float:
    """The same for the threads that are there now, in steps of a nanosecond: for a process that has just started."""
    files = [file for one in tree(pid) for file in Path(f"/proc/{one}/task").glob("*/schedstat")]
    return sum(int(file.read_text().split()[0]) for file in files) / 1e6


def _status_kib(pid: int, key: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1])
    raise RuntimeError(f"process {pid} has no {key}: has it ended?")


@dataclass(frozen=True)
class Usage:
    """What one command used."""

    seconds: float
    processor_seconds: float
    peak_mb: float
    output: bytes


def run_measured(command: Sequence[str | Path]) -> Usage:
    """Runs a command to its end.

    The peak of its resident memory is the kernel's own (`ru_maxrss`). That also counts what this process held when it
    started the command: a few megabytes here.
    """
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with code {process.returncode}")
    return Usage(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / MB, output)
