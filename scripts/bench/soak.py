#!/usr/bin/env python3
"""Ten minutes at full speed: does memory stay where it was? Writes docs/soak.md."""

import argparse
import pathlib
import re
import subprocess
import time
from datetime import date

import machine
import target
import tools

MINUTE = 60


def resident(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=10)
    options = parser.parse_args()
    with target.Nginx() as nginx:
        # Longer than what is watched: it must not end meanwhile.
        tool = tools.assay(nginx.url, users=100, think="0s", duration=f"{options.minutes + 2}m")
        process = subprocess.Popen(
            machine.pinned(machine.GENERATOR_CORE, tool.command), stdout=subprocess.DEVNULL
        )
        try:
            machine.until("load", 60, lambda: nginx.requests() > 1000)
            begun, readings = time.monotonic(), []
            for minute in range(1, options.minutes + 1):
                time.sleep(max(0, begun + minute * MINUTE - time.monotonic()))
                readings.append((minute, resident(process.pid), nginx.requests()))
                print("minute %d: %d KiB, %d requests" % readings[-1], flush=True)
        finally:
            machine.end(process)
    first, last = readings[0][1], readings[-1][1]
    growth = last / first - 1
    lines = [
        "# Soak",
        "",
        f"Written by `make soak`. Measured on {date.today():%d %B %Y} on {machine.describe()}.",
        "",
        "100 users without pauses, one GET of 1 KB each, recording on, the generator on a core of its own.",
        "",
        "| minute | resident | requests so far |",
        "|---|---|---|",
        *(f"| {minute} | {size / 1024:.1f} MiB | {count:,} |" for minute, size, count in readings),
        "",
        f"Memory after {readings[-1][0]} minutes is {growth:+.1%} of memory after one; "
        f"at most 5 %: {'yes' if growth <= 0.05 else '**no**'}.",
    ]
    (tools.PROJECT / "docs/soak.md").write_text("\n".join(lines) + "\n")
    print(lines[-1])


if __name__ == "__main__":
    main()
