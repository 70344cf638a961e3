#!/usr/bin/env python3
"""A second opinion on an outage: how long a jewelry shop took to sell again after its database lost the primary.

A process with a clock and a client of its own, that has nothing of Assay's. It signs in as an owner, records 20
sales a second by the way that users take, and keeps a connection to the Patroni of the primary open: when that
breaks, the primary is gone. It says two lines, each a JSON object: that it has begun, and what it measured.
"""

import argparse
import http.client
import itertools
import json
import os
import socket
import sys
import threading
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from http.cookies import SimpleCookie

from outage import Sample, outage

RATE = 20
# As many as are under way when each waits as long as it may.
WRITERS = 120
# Silence after which a request has failed.
PATIENCE = 5.0
# Of what there is less, others may buy the last.
PLENTY = 1000


class Shop:
    """The shop as an owner uses it, who is signed in."""

    def __init__(self, address):
        self.address = address
        self.cookies = {}
        self.ask("GET", "/login/")
        who = {"username": "owner@aurum.example", "password": "assay-demo-pass"}
        form = {**who, "csrfmiddlewaretoken": self.cookies.get("csrftoken", "")}
        status, _ = self.ask("POST", "/login/", urllib.parse.urlencode(form), "application/x-www-form-urlencoded")
        if status != 302:
            raise OSError(f"signing in was answered with status {status}")
        _, found = self.ask("GET", "/pos/lookup/?q=AUR-")
        products = json.loads(found)["products"]
        self.skus = [product["sku"] for product in products if product["quantity"] >= PLENTY]
        if not self.skus:
            raise OSError(f"there is not enough of anything left to sell: {products}")

    def ask(self, method, path, body=None, kind=None):
        connection = http.client.HTTPConnection(self.address, timeout=PATIENCE)
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if body is not None:
            headers |= {"Content-Type": kind, "X-CSRFToken": self.cookies.get("csrftoken", "")}
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        for header in response.headers.get_all("Set-Cookie", []):
            self.cookies |= {name: cookie.value for name, cookie in SimpleCookie(header).items()}
        return response.status, text

    def sell(self, number):
        """One sale. It is good if the shop says that it is recorded."""
        sku = self.skus[number % len(self.skus)]
        sale = {"reference": f"prober-{os.getpid()}-{number}", "items": [{"sku": sku, "quantity": 1}]}
        sent = time.monotonic()
        try:
            status, _ = self.ask("POST", "/pos/sales/", json.dumps(sale), "application/json")
        except (OSError, http.client.HTTPException):
            status = None
        return Sample(sent, time.monotonic(), status == 201)


class Primary:
    """The database's primary, and the moment at which it was no more."""

    def __init__(self, addresses):
        self.ended = None
        self.connection = socket.create_connection(self.find(addresses), timeout=PATIENCE)
        self.connection.settimeout(None)
        threading.Thread(target=self.watch, daemon=True).start()

    @staticmethod
    def find(addresses):
        for address in addresses:
            connection = http.client.HTTPConnection(address, timeout=PATIENCE)
            try:
                connection.request("GET", "/primary")
                if connection.getresponse().status == 200:
                    return connection.host, connection.port
            except (OSError, http.client.HTTPException):
                pass
            finally:
                connection.close()
        raise OSError(f"none of {', '.join(addresses)} is a primary")

    def watch(self):
        try:
            # It was asked nothing, so all that can come is the end.
            self.connection.recv(1)
        except OSError:
            pass
        self.ended = time.monotonic()


def until_there(make, give_up):
    """What `make` makes, once it can be made."""
    while True:
        try:
            return make()
        except (OSError, http.client.HTTPException) as error:
            if time.monotonic() > give_up:
                sys.exit(f"prober: {error}")
            time.sleep(0.2)


def end_with_input():
    """Ends this process when nobody is there any more who could want to know."""
    sys.stdin.read()
    os._exit(1)


def say(**what):
    print(json.dumps(what), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shop", required=True, metavar="HOST:PORT", help="the shop's front door")
    parser.add_argument("--patroni", required=True, nargs="+", metavar="HOST:PORT", help="every Patroni")
    parser.add_argument("--give-up", type=float, default=300, metavar="SECONDS")
    options = parser.parse_args()
    give_up = time.monotonic() + options.give_up
    threading.Thread(target=end_with_input, daemon=True).start()

    shop = until_there(lambda: Shop(options.shop), give_up)
    primary = until_there(lambda: Primary(options.patroni), give_up)
    say(begun=True)

    samples = []
    with ThreadPoolExecutor(WRITERS) as writers:
        begun = time.monotonic()
        for number in itertools.count():
            time.sleep(max(0, begun + number / RATE - time.monotonic()))
            writers.submit(lambda number=number: samples.append(shop.sell(number)))
            now = time.monotonic()
            if primary.ended is not None and number % RATE == 0:
                measured = outage(list(samples), primary.ended, now)
                if measured is not None:
                    say(**measured._asdict(), writes=len(samples))
                    return
            if now > give_up:
                seen = "the primary did not end" if primary.ended is None else "no outage that ended was seen"
                sys.exit(f"prober: {seen} within {options.give_up:.0f} s, in {len(samples)} writes")


if __name__ == "__main__":
    main()
