#!/usr/bin/env python3
"""Clients of TCP and TLS that behave badly, until standard input ends.

  clients.py idle HOST PORT COUNT            connections that say nothing; tells how many were taken
  clients.py send PLAIN_PORT TLS_PORT ...    see USAGE

Prints one `name value` to a line at its end.
"""
import select
import socket
import ssl
import sys
import time

USAGE = "usage: clients.py idle|slow-send|slow-read HOST PLAIN_PORT TLS_PORT COUNT SECONDS"

# A client that does not read has others beside it.
BYTES_PER_TURN = 1 << 20


def request(number, port):
    """An INVITE whose answer is some kB: its Vias come back."""
    vias = "".join(f"Via: SIP/2.0/TCP hop{hop}.example.net;branch=z9hG4bK{number}x{hop}\r\n" for hop in range(40))
    return (
        f"INVITE sip:+4420{number:08d}@example.net SIP/2.0\r\n"
        f"Via: SIP/2.0/TCP 127.0.0.1:{port};branch=z9hG4bK{number}\r\n{vias}"
        f"From: <sip:slow@example.net>;tag={number}\r\nTo: <sip:+4420{number:08d}@example.net>\r\n"
        f"Call-ID: {number}@slow\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    ).encode()


class Client:
    def __init__(self, host, port, is_tls, number, receive_bytes=None):
        raw = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_bytes:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        raw.settimeout(5)
        raw.connect((host, port))
        if is_tls:
            # Whose certificate it is does not matter here: nothing secret is sent.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            raw = context.wrap_socket(raw)
        raw.setblocking(False)
        self.socket, self.is_tls, self.number = raw, is_tls, number
        self.sent = 0
        self.message = request(number, raw.getsockname()[1])
        self.is_open = True
        # select(2) knows no more than 1024 files.
        self.readable = select.poll()
        self.readable.register(raw, select.POLLIN)

    def is_ended(self):
        """Whether the server has ended it; reads nothing of a plain connection that has data."""
        if not self.readable.poll(0):
            return False
        try:
            if self.is_tls:
                return self.socket.recv(1) == b""
            return self.socket.recv(1, socket.MSG_PEEK) == b""
        except (ssl.SSLWantReadError, BlockingIOError):
            return False
        except OSError:
            return True

    def send(self, most):
        """The next bytes, over and over the same request."""
        start = self.sent % len(self.message)
        try:
            self.sent += self.socket.send(self.message[start : start + most])
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError, BlockingIOError):
            pass
        except OSError:
            self.is_open = False

    def close(self):
        try:
            self.socket.close()
        except OSError:
            pass


def connect(host, ports, count, receive_bytes=None):
    clients, refused = [], 0
    for number in range(count):
        is_tls = number % 2 == 1 and ports[1] != 0
        try:
            clients.append(Client(host, ports[1] if is_tls else ports[0], is_tls, number, receive_bytes))
        except OSError:
            refused += 1
    return clients, refused


def main(words):
    if len(words) != 6:
        sys.exit(USAGE)
    what, host = words[0], words[1]
    ports, count, seconds = (int(words[2]), int(words[3])), int(words[4]), float(words[5])
    if what not in ("idle", "slow-send", "slow-read") or not 1 <= count <= 20000:
        sys.exit(USAGE)
    clients, refused = connect(host, ports, count, 2048 if what == "slow-read" else None)
    began = time.monotonic()
    print(f"connected {len(clients)}", flush=True)
    print(f"refused {refused}", flush=True)
    ended = 0
    while time.monotonic() - began < seconds:
        for client in [client for client in clients if client.is_open]:
            if what == "slow-send":
                # A byte at a time: no message is ever whole.
                client.send(1)
                if client.is_ended():
                    client.is_open = False
            elif what == "slow-read":
                # All the server takes, and nothing is read.
                before, end = -1, client.sent + BYTES_PER_TURN
                while client.is_open and client.sent != before and client.sent < end:
                    before = client.sent
                    for _ in range(16):
                        client.send(len(client.message))
            if not client.is_open:
                client.close()
                ended += 1
        time.sleep(0.2)
    for client in clients:
        client.close()
    print(f"ended_by_server {ended}")
    print(f"bytes_sent {sum(client.sent for client in clients)}")


main(sys.argv[1:])
