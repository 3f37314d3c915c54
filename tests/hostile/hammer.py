#!/usr/bin/env python3
"""Hammers an admin port: hammer.py HOST PORT SECONDS. Prints one `name value` to a line at its end."""
import collections
import http.client
import socket
import sys
import threading
import time

HOST, PORT, SECONDS = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
END = time.monotonic() + SECONDS
THREADS = 24
count = collections.Counter()

REQUESTS = [
    ("GET", "/metrics", None, {}),
    ("GET", "/api/v1/status", None, {}),
    ("GET", "/api/v1/routes", None, {}),
    ("GET", "/api/v1/top", None, {}),
    ("POST", "/api/v1/explain", '{"to": "+442079460123"}', {"Content-Type": "application/json"}),
    ("POST", "/diff", "+442079460123\n" * 1000, {"Content-Type": "text/plain"}),
    ("POST", "/-/reload", None, {}),
    ("GET", "/" + "a" * 8000, None, {}),
    ("GET", "/../../etc/passwd", None, {}),
    ("POST", "/api/v1/explain", "x" * 200_000, {"Content-Type": "application/json"}),
    ("POST", "/api/v1/explain", "[" * 100_000, {"Content-Type": "application/json"}),
    ("DELETE", "/api/v1/routes", None, {}),
]
# A page of another site, and a name that is not ours: neither may steer.
FORGED = [
    ("POST", "/api/v1/drain", None, {"Origin": "http://elsewhere.example"}),
    ("POST", "/api/v1/drain", None, {"Host": "elsewhere.example"}),
]
BYTES = [b"\0" * 4096, b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5000, b"\x16\x03\x01\x02\x00" * 100, b"INVITE sip:a SIP/2.0\r\n\r\n"]


def ask(turn):
    forged = turn % 16 == 0
    method, path, body, headers = FORGED[turn // 16 % len(FORGED)] if forged else REQUESTS[turn % len(REQUESTS)]
    connection = http.client.HTTPConnection(HOST, PORT, timeout=5)
    try:
        count["connections"] += 1
        connection.request(method, path, body, headers)
        status = connection.getresponse().status
        count["answered"] += 1
        count["refused"] += status >= 400
        count["steered"] += forged and status < 400
    except (OSError, http.client.HTTPException):
        count["cut_off"] += 1
    finally:
        connection.close()


def shout(turn):
    try:
        with socket.create_connection((HOST, PORT), timeout=2) as connection:
            count["connections"] += 1
            connection.sendall(BYTES[turn % len(BYTES)])
            connection.settimeout(0.2)
            connection.recv(4096)
    except OSError:
        count["cut_off"] += 1


def hammer(number):
    turn = number
    while time.monotonic() < END:
        (shout if number % 4 == 0 else ask)(turn)
        turn += 1


# Connections that say nothing, or half of a head: as many as the port serves are taken by them now and then.
silent = []
for number in range(16):
    connection = socket.create_connection((HOST, PORT), timeout=5)
    count["connections"] += 1
    if number % 2:
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\nX-")
    silent.append(connection)
threads = [threading.Thread(target=hammer, args=(number,)) for number in range(THREADS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
for name in ("connections", "answered", "refused", "steered", "cut_off"):
    print(name, count[name])
