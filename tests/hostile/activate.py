#!/usr/bin/env python3
"""As systemd does with a socket unit and Restart=on-failure: activate.py HOST PORT BUFFER_BYTES PIDS COMMAND...

Binds a UDP socket, keeps it, and starts COMMAND with it (sd_listen_fds(3)) as often as it ends with an error. The
process id of each goes to the file PIDS, a line each.
"""
import os
import signal
import socket
import sys

host, port, buffer_bytes, pids, command = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5:]
held = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
held.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
held.bind((host, port))
child = 0


def end(*_):
    if child:
        os.kill(child, signal.SIGTERM)
        os.waitpid(child, 0)
    os._exit(0)


signal.signal(signal.SIGTERM, end)
for _ in range(1000):
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        # SD_LISTEN_FDS_START is 3.
        os.dup2(held.fileno(), 3)
        os.set_inheritable(3, True)
        os.environ |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid()), "LISTEN_FDNAMES": "udp"}
        os.execv(command[0], command)
    with open(pids, "a") as file:
        print(child, file=file, flush=True)
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) == 0:
        break
