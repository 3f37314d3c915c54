#!/usr/bin/env python3
"""A faulty link between UDP clients and a server: faulty_link.py LISTEN_HOST LISTEN_PORT HOST PORT SEED FAULT...

Each datagram, either way, has each of the faults with ten per cent: `lost`, `doubled`, `held_back` (others overtake it);
on the way to the server also `cut` and `bent`. When it is ended by SIGTERM it says what it did, and `changed`: how often
the server gave a request (known by its branch and CSeq) another answer than before.
"""
import collections
import heapq
import random
import select
import signal
import socket
import sys
import time

listen, server = (sys.argv[1], int(sys.argv[2])), (sys.argv[3], int(sys.argv[4]))
chance = random.Random(int(sys.argv[5]))
faults = sys.argv[6:]
CLIENTS_MAX, REMEMBERED_MAX = 1000, 100_000
count = collections.Counter()
front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
front.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
front.bind(listen)
backs, clients, said, held, order = {}, {}, {}, [], 0
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


def faulty(data, send, to_server):
    """Sends it, or whatever becomes of it."""
    global order
    count["datagrams"] += 1
    turn = chance.randrange(100) // 10
    fault = faults[turn] if turn < len(faults) else None
    if fault in ("cut", "bent") and not to_server:
        fault = None
    count[fault] += 1
    if fault == "lost":
        return
    if fault == "doubled":
        send(data)
    elif fault == "held_back":
        order += 1
        heapq.heappush(held, (time.monotonic() + chance.uniform(0.005, 0.1), order, data, send))
        return
    elif fault == "cut":
        data = data[: chance.randrange(len(data) + 1)]
    elif fault == "bent":
        bent = bytearray(data)
        for _ in range(chance.randrange(1, 8)):
            bent[chance.randrange(len(bent))] = chance.randrange(256)
        data = bytes(bent)
    send(data)


def call_of(data):
    """The first Via's branch, which an answer brings back, and the method."""
    _, _, rest = data.partition(b"branch=")
    _, _, cseq = data.partition(b"\nCSeq:")
    return rest.split(b"\r")[0].split(b";")[0], cseq.split(b"\r")[0].strip()


def back_of(client):
    if client not in backs and len(backs) < CLIENTS_MAX:
        back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        back.connect(server)
        backs[client], clients[back] = back, client
    return backs.get(client)


def remember(answer):
    key = call_of(answer)
    if key in said and said[key] != answer:
        count["changed"] += 1
    elif len(said) < REMEMBERED_MAX:
        said[key] = answer


try:
    while True:
        wait = max(0.0, held[0][0] - time.monotonic()) if held else 1.0
        for ready in select.select([front, *clients], [], [], wait)[0]:
            try:
                if ready is front:
                    data, client = front.recvfrom(65536)
                    back = back_of(client)
                    if back and data:
                        faulty(data, back.send, True)
                else:
                    data, client = ready.recv(65536), clients[ready]
                    # What a bent request was answered with is no answer to the one that was meant.
                    if "bent" not in faults and "cut" not in faults:
                        remember(data)
                    if data:
                        faulty(data, lambda bytes_, client=client: front.sendto(bytes_, client), False)
            except OSError:
                count["errors"] += 1
        while held and held[0][0] <= time.monotonic():
            _, _, data, send = heapq.heappop(held)
            try:
                send(data)
            except OSError:
                count["errors"] += 1
finally:
    for name in ("datagrams", "lost", "doubled", "held_back", "cut", "bent", "changed", "errors"):
        print(name, count[name])
