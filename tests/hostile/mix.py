#!/usr/bin/env python3
"""The hostile mix: mix.py HOST UDP_PORT TCP_PORT SEED RATE, until standard input ends.

So many messages a second over UDP, from sources all over 127.0.0.0/8, none of which is seen twice in a while: calls with
Call-IDs, numbers and domains that nobody has had before, ENUM numbers that do not exist, numbers whose NAPTRs are bombs,
methods without sense, bytes without sense. Besides, connections that come and go, whole, cut or silent.
"""
import random
import select
import socket
import sys
import time

HOST, UDP, TCP = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
chance, RATE = random.Random(int(sys.argv[4])), int(sys.argv[5])
SOCKETS, CONNECTIONS, TURN_S = 64, 100, 0.02
WORDS = [b"INVITE", b"OPTIONS", b"REGISTER", b"CANCEL", b"ACK", b"BYE", b"SUBSCRIBE", b"MESSAGE", b"BREW"]


def source():
    """Never 127.0.0.1, from which the load comes."""
    while True:
        back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        back.setblocking(False)
        try:
            back.bind((f"127.{chance.randrange(1, 255)}.{chance.randrange(256)}.{chance.randrange(1, 255)}", 0))
            return back
        except OSError:
            back.close()


def message(method, user, domain):
    name = f"{chance.getrandbits(64):x}"
    return (
        b"%s sip:%s@%s SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;rport;branch=z9hG4bK%s\r\n"
        b"From: <sip:%s@%s>;tag=%s\r\nTo: <sip:%s@%s>\r\nCall-ID: %s@%s\r\nCSeq: 1 %s\r\n"
        b"Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    ) % tuple(
        part if isinstance(part, bytes) else part.encode()
        for part in (method, user, domain, name, name, domain, name, user, domain, name, domain, method)
    )


def hostile():
    kind = chance.randrange(10)
    digits = f"{chance.randrange(10**8):08d}"
    if kind < 3:
        return message(b"INVITE", f"+4430{digits}", f"{chance.getrandbits(48):x}.example.org")
    if kind < 5:
        return message(b"INVITE", f"+4421{digits}", "example.net")  # Water torture: no such name.
    if kind < 6:
        return message(b"INVITE", f"+4422{digits}", "example.net")  # Bombs in NAPTRs.
    if kind < 7:
        return message(b"INVITE", f"+4423{digits}", "example.net")  # A server that is dead.
    if kind < 8:
        return message(chance.choice(WORDS), f"{chance.getrandbits(256):x}", f"{chance.getrandbits(48):x}.example.org")
    if kind < 9:
        whole = bytearray(message(b"INVITE", f"+4430{digits}", "example.net"))
        for _ in range(chance.randrange(1, 20)):
            whole[chance.randrange(len(whole))] = chance.randrange(256)
        return bytes(whole[: chance.randrange(len(whole) + 1)])
    return chance.randbytes(chance.randrange(1, 2000))


sent = connected = 0
sockets = [source() for _ in range(SOCKETS)]
connections = []
next_turn = time.monotonic()
while not select.select([sys.stdin], [], [], max(0.0, next_turn - time.monotonic()))[0]:
    next_turn = max(next_turn + TURN_S, time.monotonic() - 1)
    for _ in range(int(RATE * TURN_S)):
        place = chance.randrange(SOCKETS)
        if chance.randrange(8) == 0:
            sockets[place].close()
            sockets[place] = source()
        try:
            sockets[place].sendto(hostile(), (HOST, UDP))
            sent += 1
        except OSError:
            pass
    for _ in range(2):
        if len(connections) >= CONNECTIONS:
            connections.pop(chance.randrange(CONNECTIONS)).close()
        stream = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        stream.settimeout(1)
        try:
            stream.connect((HOST, TCP))
            stream.setblocking(False)
            # Whole, cut, nonsense, or nothing.
            stream.send((hostile() + hostile())[: chance.choice([4000, 300, 17, 0])] or b"\r\n\r\n")
            connections.append(stream)
            connected += 1
        except OSError:
            stream.close()
print(f"sent {sent}")
print(f"connected {connected}")
