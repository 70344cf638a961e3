#!/usr/bin/env python3
"""Measures Assay beside wrk, oha, Goose and Locust, in turn, against one nginx on loopback.

The generator has a core to itself, and nginx another one. How many requests there were is counted by
nginx, what they cost the generator is read from the kernel; no tool is asked about itself. What
counts are ratios within one round, and their median over rounds: the machine's speed drifts.

Prints ratios and writes docs/benchmarks.md.
"""

import argparse
import statistics
import subprocess
import sys
from datetime import date

import machine
import target
import tools

ASSAY, WRK, OHA, GOOSE, LOCUST = "Assay", "wrk", "oha", "Goose", "Locust"

# What Assay's processor time per request may be, as a ratio to each of the others.
BOUNDS = {WRK: 1.25, OHA: 1.1, GOOSE: 0.6, LOCUST: 0.035}


def saturated(nginx, rounds, seconds):
    """Per round: microseconds of processor time per request, and requests a second, of each tool."""
    found = []
    for number in range(rounds):
        row = {}
        for tool in tools.saturating(nginx.url, users=100):
            row[tool.name] = machine.measure(tool, nginx, seconds)
            print(f"round {number + 1}/{rounds}  {tool.name:<7} {row[tool.name]}", flush=True)
        found.append(row)
    return found


def thinking(nginx, rounds, seconds):
    found = []
    for number in range(rounds):
        row = {}
        for tool in tools.thinking(nginx.url, users=1000, seconds=1):
            row[tool.name] = machine.measure(tool, nginx, seconds)
            print(f"thinking {number + 1}/{rounds}  {tool.name:<7} {row[tool.name]}", flush=True)
        found.append(row)
    return found


def ratios(rounds, tool, other):
    return [row[tool].cost / row[other].cost for row in rounds]


def median(values):
    return statistics.median(values)


def verdict(met):
    return "yes" if met else "**no**"


def page(options, full, think, crowd, shop):
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench`; what it does is in [scripts/bench/run.py](../scripts/bench/run.py). "
        f"Measured on {date.today():%d %B %Y} on {machine.describe()}.",
        "",
        "Absolute figures are this machine's. Ratios are of two tools in one round, and the median over rounds "
        "is what counts.",
        "",
        "## One GET of 1 KB, 100 users, the generator's core saturated",
        "",
        f"{len(full)} rounds of {options.seconds} s each, interleaved. Assay records every request and runs a "
        "WebAssembly plugin.",
        "",
        "| tool | CPU per request | requests/s | core used | Assay's CPU to this tool's, median (min to max) | "
        "at most | met |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in full[0]:
        mine = [row[name] for row in full]
        cells = [
            name,
            f"{median([one.cost for one in mine]):.1f} µs",
            f"{median([one.rate for one in mine]):,.0f}",
            f"{median([one.core for one in mine]):.0%}",
        ]
        if name in BOUNDS:
            of = ratios(full, ASSAY, name)
            cells += [
                f"{median(of):.3f} ({min(of):.3f} to {max(of):.3f})",
                f"{BOUNDS[name]}",
                verdict(median(of) <= BOUNDS[name]),
            ]
        else:
            cells += ["", "", ""]
        lines.append("| " + " | ".join(cells) + " |")
    lines += [
        "",
        "## 1,000 users who think for 1 s",
        "",
        "| tool | CPU per request | requests/s | peak memory |",
        "|---|---|---|---|",
    ]
    for name in think[0]:
        mine = [row[name] for row in think]
        lines.append(
            f"| {name} | {median([one.cost for one in mine]):.1f} µs "
            f"| {median([one.rate for one in mine]):,.0f} | {max(one.peak for one in mine) >> 20} MiB |"
        )
    of = median(ratios(think, ASSAY, GOOSE))
    peak = max(row[ASSAY].peak for row in think)
    lines += [
        "",
        f"Peak memory at most 100 MiB: {verdict(peak <= 100 << 20)}. CPU per request at most Goose's: "
        f"{verdict(of <= 1)} ({of:.2f} of it).",
        "",
        "## 10,000 users in one process",
        "",
        f"Peak memory {crowd.peak >> 20} MiB at {crowd.rate:,.0f} requests/s, {crowd.cost:.1f} µs of CPU each. "
        f"At most 1 GiB: {verdict(crowd.peak <= 1 << 30)}.",
    ]
    if shop:
        lines += [
            "",
            "## The jewelry shop's behavior",
            "",
            "Beside the bare GET: whole tasks (forms, CSRF tokens, sales with a ledger) against the reference shop "
            "in a lab on the same machine. Requests are Assay's own count here.",
            "",
            f"{shop.cost:.0f} µs of CPU per request at {shop.rate:,.0f} requests/s, lab-keeping included.",
        ]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="rounds at saturation")
    parser.add_argument("--seconds", type=float, default=4, help="length of one measurement")
    parser.add_argument("--without-shop", action="store_true", help="leave out the run in the lab")
    parser.add_argument("--print-only", action="store_true", help="do not write docs/benchmarks.md")
    options = parser.parse_args()

    if machine.cores() < 2:
        sys.exit("the generator and its target need a core each, and this machine has one")
    with target.Nginx() as nginx:
        full = saturated(nginx, options.rounds, options.seconds)
        think = thinking(nginx, 3, options.seconds)
        crowd = machine.measure(tools.crowd(nginx.url, users=10_000, seconds=10), nginx, 10)
        print(f"crowd  {crowd}", flush=True)
    shop = None if options.without_shop else machine.measure_shop()
    text = page(options, full, think, crowd, shop)
    print(text)
    if not options.print_only:
        path = subprocess.run(["git", "rev-parse", "--show-toplevel"], capture_output=True, text=True, check=True)
        with open(f"{path.stdout.strip()}/docs/benchmarks.md", "w", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    main()
