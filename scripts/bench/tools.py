"""How each tool is told to send one GET."""

import dataclasses
import os
import pathlib

PROJECT = pathlib.Path(__file__).parent.parent.parent
INSTALLED = PROJECT / "target/bench"
HOST = PROJECT / "target/release/host"

# Longer than any measurement: the tools are ended when it is over.
FOREVER = "600s"


@dataclasses.dataclass
class Tool:
    name: str
    command: list
    env: dict = dataclasses.field(default_factory=dict)

    def environment(self):
        return {**os.environ, **self.env}


def assay(url, users, think, ramp="0s", duration=FOREVER):
    sets = [
        f"environments.here.url={url}",
        f"phases.load.users={users}",
        f"phases.load.ramp={ramp}",
        f"phases.load.duration={duration}",
        f"behaviors.http-get.think-time={think}",
    ]
    command = [str(HOST), "run", str(PROJECT / "scripts/bench/get.toml"), "--quiet"]
    command += ["--runs", str(INSTALLED / "runs")]
    for value in sets:
        command += ["--set", value]
    return Tool("Assay", command)


def goose(url, users, think_ms=None):
    command = [str(INSTALLED / "build/release/bench-goose"), "--host", url, "--users", str(users)]
    command += ["--increase-rate", str(users), "--run-time", FOREVER, "--no-telnet", "--no-websocket", "-q"]
    return Tool("Goose", command, {} if think_ms is None else {"THINK_MS": str(think_ms)})


def saturating(url, users):
    yield Tool("wrk", ["wrk", "-t1", f"-c{users}", f"-d{FOREVER}", f"{url}/"])
    yield Tool("oha", [str(INSTALLED / "bin/oha"), "--no-tui", "-c", str(users), "-z", FOREVER, f"{url}/"])
    yield assay(url, users, "0s")
    yield goose(url, users)
    locust = [str(INSTALLED / "locust/bin/locust"), "-f", str(PROJECT / "scripts/bench/locustfile.py")]
    locust += ["--headless", "--only-summary", "-u", str(users), "-r", str(users), "-t", FOREVER, "--host", url]
    yield Tool("Locust", locust)


def thinking(url, users, seconds):
    yield assay(url, users, f"{seconds}s")
    yield goose(url, users, seconds * 1000)


def crowd(url, users, seconds):
    return assay(url, users, f"{seconds}s", ramp="10s")


def shop():
    command = [str(HOST), "run", str(PROJECT / "config/smoke.toml"), "--quiet"]
    command += ["--runs", str(INSTALLED / "runs"), "--set", "phases.smoke.users=50", "--set", "phases.smoke.duration=60s"]
    return Tool("shop", command)
