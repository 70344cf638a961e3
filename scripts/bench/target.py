"""The nginx that everything is measured against."""

import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request

import machine

HERE = pathlib.Path(__file__).parent

# Loopback is never behind a proxy, whatever the environment says.
ASK = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Nginx:
    """One worker on a core of its own, for as long as the `with` block lasts."""

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="assay-bench-")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        text = (HERE / "nginx.conf").read_text()
        for name, value in {"FOLDER": self.folder, "PORT": str(self.port), "BODY": "x" * 1024}.items():
            text = text.replace(f"@{name}@", value)
        config = pathlib.Path(self.folder, "nginx.conf")
        config.write_text(text)
        command = machine.pinned(machine.TARGET_CORE, ["/usr/sbin/nginx", "-p", self.folder, "-c", str(config)])
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        self.url = f"http://127.0.0.1:{self.port}"
        self.asked = 0
        try:
            machine.until("nginx answers", 10, self.answers)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder)

    def answers(self):
        try:
            return self.requests() >= 0
        except OSError:
            return False

    def requests(self):
        """How many requests it has served so far, those of this method left out."""
        with ASK.open(f"{self.url}/status", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        self.asked += 1
        # Third line: accepted, handled, requests.
        return int(lines[2].split()[2]) - self.asked

    def counted_at(self):
        """The count and the moment at which it was taken."""
        count = self.requests()
        return count, time.monotonic()
