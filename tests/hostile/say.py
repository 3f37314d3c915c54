#!/usr/bin/env python3
"""One request, and what its answer says that is no echo of it: say.py udp|tcp HOST PORT METHOD USER."""
import socket
import sys

transport, host, port, method, user = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5]
kind = socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM
ECHOED = ("via", "from", "to", "call-id", "cseq")
with socket.socket(socket.AF_INET, kind) as back:
    back.settimeout(2)
    try:
        back.connect((host, port))
        back.sendall(
            f"{method} sip:{user}@{host} SIP/2.0\r\n"
            f"Via: SIP/2.0/{transport.upper()} 127.0.0.1:{back.getsockname()[1]};rport;branch=z9hG4bK{user}\r\n"
            f"From: <sip:{user}@{host}>;tag=1\r\nTo: <sip:{user}@{host}>\r\nCall-ID: 1@say\r\nCSeq: 1 {method}\r\n"
            f"Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n".encode()
        )
        lines = back.recv(65536).decode().split("\r\n")
    except OSError as error:
        lines = [f"nothing: {error}"]
    print(" | ".join(line for line in lines if line and line.split(":")[0].lower() not in ECHOED))
