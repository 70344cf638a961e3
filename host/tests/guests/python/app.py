"""A behavior in Python, from the same contract: reads a page, and writes while keeping the ledger.

There is no SDK for Python; this is what one would do. Two rules matter: import everything at the top
(the interpreter is initialised and frozen at build time), and let no exception but `Err` leave an
export, because any other one is a trap that ends the user.
"""

import functools
import json
import traceback

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.behavior import AuditPage, Plan, Task, UserInfo
from wit_world.exports.plugin import About
from wit_world.imports import clock, http, ledger, log, metrics, random
from wit_world.imports.types import ConfigError, Failure_Conflict, Failure_Other

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "path": {"type": "string", "pattern": "^/", "default": "/", "description": "What `read` gets."},
        "write-path": {"type": "string", "pattern": "^/", "default": "/write", "description": "What `write` posts to."},
        "fail": {"enum": ["never", "err", "exception"], "default": "never", "description": "How `read` ends."},
    },
}


def call(function):
    """Turns every exception into a failure of the contract, and shows where it came from."""

    @functools.wraps(function)
    def guarded(*arguments):
        try:
            return function(*arguments)
        except Err:
            raise
        except Exception as exception:
            log.write(log.Level.ERROR, traceback.format_exc())
            raise Err(Failure_Other(f"{type(exception).__name__}: {exception}")) from exception

    return guarded


def send(request: http.Request) -> http.Response:
    """Sends a request; no answer is a failure of the task."""
    try:
        return http.send(request)
    except Err as error:
        raise Err(Failure_Other(f"{type(error.value).__name__}: {error.value.value}")) from error


def request(method: http.Method, url: str, body: http.Body) -> http.Request:
    return http.Request(method, url, [], body, None, None, None, None, None)


class Plugin(exports.Plugin):
    def describe(self) -> About:
        return About("python", "0.1.0", "A behavior in Python, for the host's tests.", json.dumps(SCHEMA), [])


class Reader:
    """The virtual user. One instance of the component is one user, so there is one of these."""

    def __init__(self):
        self.config = {}
        self.user = None
        self.written = 0

    def read(self) -> None:
        if self.config["fail"] == "err":
            raise Err(Failure_Conflict("as told"))
        if self.config["fail"] == "exception":
            raise ValueError("as told")
        # Leaving the block drops the answer, and that commits its sample.
        with send(request(http.Method.GET, self.config["path"], http.Body_Empty())) as answer:
            metrics.check("answered as expected", answer.status() < 400)
            if not answer.text():
                answer.fail("an empty page")

    def write(self) -> None:
        self.written += 1
        key = f"{self.user.run}-{self.user.id}-{self.written}-{random.next() % 1000}"
        ledger.attempt(key)
        body = http.Body_Form([("key", key)])
        with send(request(http.Method.POST, self.config["write-path"], body)) as answer:
            if answer.status() < 300:
                ledger.confirm(key)
            elif 400 <= answer.status() < 500:
                ledger.reject(key)


# The class below is made anew for every call, so what lasts must be outside of it.
READER = Reader()
TASKS = [("read", "reading", READER.read, False), ("write", "writing", READER.write, True)]


class Behavior(exports.Behavior):
    def configure(self, config: str) -> Plan:
        try:
            READER.config = {"path": "/", "write-path": "/write", "fail": "never"} | json.loads(config)
        except ValueError as error:
            raise Err([ConfigError("", f"not JSON: {error}")]) from error
        unknown = READER.config.keys() - SCHEMA["properties"].keys()
        if unknown:
            raise Err([ConfigError(f"/{key}", "there is no such key") for key in sorted(unknown)])
        if not READER.config["path"].startswith("/"):
            raise Err([ConfigError("/path", "expected a path that begins with `/`")])
        tasks = [Task(name, group, 1, writes) for name, group, _, writes in TASKS]
        return Plan(tasks, [("reading", 3), ("writing", 1)])

    @call
    def start(self, user: UserInfo) -> None:
        READER.user = user
        log.write(log.Level.INFO, f"user {user.id} of run {user.run} starts at {clock.now()} ns")

    @call
    def run(self, task: int) -> None:
        TASKS[task][2]()

    def stop(self) -> None:
        log.write(log.Level.INFO, f"user {READER.user.id} leaves")

    @call
    def audit(self, after: str | None) -> AuditPage:
        return AuditPage([], None)
