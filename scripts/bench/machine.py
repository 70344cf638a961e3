"""Processes, cores and the kernel's own accounts of them."""

import dataclasses
import json
import os
import pathlib
import platform
import re
import shutil
import signal
import subprocess
import time

import tools

TARGET_CORE, GENERATOR_CORE = sorted(os.sched_getaffinity(0))[:2] if os.cpu_count() > 1 else (0, 0)
TICK = 1 / os.sysconf("SC_CLK_TCK")

# Load has to be up and caches warm before anything is measured.
WARM_UP = 3


@dataclasses.dataclass
class Measured:
    cost: float
    """Microseconds of processor time per request."""
    rate: float
    """Requests a second."""
    core: float
    """How much of its core the generator used."""
    peak: int
    """Bytes that were resident at most."""

    def __str__(self):
        return (
            f"{self.cost:8.2f} µs/request  {self.rate:9,.0f} requests/s  core {self.core:4.0%}  "
            f"peak {self.peak >> 20} MiB"
        )


def cores():
    return len(os.sched_getaffinity(0))


def pinned(core, command):
    return ["taskset", "--cpu-list", str(core), *command]


def until(what, seconds, holds):
    give_up = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > give_up:
            raise SystemExit(f"{what}: not within {seconds} s")
        time.sleep(0.05)


def family(pid):
    """A process and all that it started."""
    members = [pid]
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            members += [one for child in task.read_text().split() for one in family(int(child))]
        except FileNotFoundError:
            pass
    return members


def processor_time(pid):
    """Seconds that a process and its children have used."""
    total = 0
    for member in family(pid):
        try:
            fields = pathlib.Path(f"/proc/{member}/stat").read_text().rsplit(")", 1)[1].split()
        except FileNotFoundError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total * TICK


def peak_memory(pid):
    total = 0
    for member in family(pid):
        status = pathlib.Path(f"/proc/{member}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        total += int(found[1]) << 10 if found else 0
    return total


def measure(tool, nginx, seconds):
    before = nginx.requests()
    command = pinned(GENERATOR_CORE, tool.command)
    process = subprocess.Popen(
        command, env=tool.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until(f"{tool.name} sends requests", 60, lambda: nginx.requests() > before + 100)
        # The last user of a crowd comes when its ramp has ended.
        time.sleep(WARM_UP if seconds < 10 else 15)
        count, begun = nginx.counted_at()
        used = processor_time(process.pid)
        time.sleep(seconds)
        more, ended = nginx.counted_at()
        used = processor_time(process.pid) - used
        if process.poll() is not None:
            raise SystemExit(f"{tool.name} ended by itself: {' '.join(tool.command)}")
        peak = peak_memory(process.pid)
    finally:
        end(process)
    requests, passed = more - count, ended - begun
    return Measured(used / requests * 1e6, requests / passed, used / passed, peak)


def end(process):
    for sign in (signal.SIGINT, signal.SIGKILL):
        if process.poll() is None:
            process.send_signal(sign)
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                pass


def measure_shop():
    """The reference shop's behavior, in a lab. It shares the cores, so its own count is taken."""
    tool = tools.shop()
    runs = tools.INSTALLED / "runs"
    shutil.rmtree(runs, ignore_errors=True)
    started = time.monotonic()
    process = subprocess.Popen(tool.command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    passed = time.monotonic() - started
    if os.waitstatus_to_exitcode(status) != 0:
        print("the shop's run did not pass; it is left out")
        return None
    (summary,) = runs.glob("*/summary.json")
    requests = json.loads(summary.read_text())["load"]["whole"]["requests"]
    # Only the host itself: what ran in its lab is reaped by the lab's own first process.
    used = usage.ru_utime + usage.ru_stime
    return Measured(used / requests * 1e6, requests / passed, used / passed, usage.ru_maxrss << 10)


def describe():
    model = re.search(r"model name\s*:\s*(.+)", pathlib.Path("/proc/cpuinfo").read_text())
    name = model[1] if model else platform.machine()
    return f"{cores()} cores of {name}, Linux {platform.release().split('-')[0]}"
