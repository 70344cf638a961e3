"""Runs of the host for the soak, and what their summaries say."""

import json
import os
import shlex
import shutil
import subprocess
import sys

import book

RUNS = book.PROJECT / "target/soak"

# Passed, failed, and not enough seen to tell: a run that ended otherwise came to no verdict.
JUDGED = {0: "pass", 1: "fail", 4: "inconclusive"}


def run(config, *arguments, runs):
    """Runs a config as root, its run directory below `runs` and nothing else there. Answers that directory, the
    summary in it, and the verdict."""
    below = RUNS / runs
    shutil.rmtree(below, ignore_errors=True)
    host = [*shlex.split(os.environ.get("SUDO", "")), "target/debug/host"]
    command = [*host, "run", config, "--quiet", "--runs", str(below), *arguments]
    code = subprocess.run(command, cwd=book.PROJECT, stdout=subprocess.DEVNULL).returncode
    if code not in JUDGED:
        sys.exit(f"{config} ended with exit code {code}")
    [directory] = below.iterdir()
    return directory, json.loads((directory / "summary.json").read_text()), JUDGED[code]


def writes(summary):
    """How many writes were confirmed, and how many of them were lost."""
    return tuple(sum(audit[figure] for audit in summary["audits"]) for figure in ("confirmed", "lost"))


def row(*cells):
    return f"| {' | '.join(map(str, cells))} |"


def seconds(nanos):
    return f"{nanos / 1e9:.1f} s"
