"""A Waypost of its own for a test: on ports that the system gives, in a directory of its own.

In:    route files, lines of configuration.
Out:   where it is; its answers; what its command line says.
Never: outlives its test.
"""

import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time

WAYPOST = os.environ.get("WAYPOST", "target/release/waypost")
PATIENCE_S = 60
KEY = "key: 000102030405060708090a0b0c0d0e0f\n"


class Server:
    def __init__(self, routes, config="", place="127.0.0.1:0"):
        self.dir = tempfile.mkdtemp(prefix="waypost-browser-")
        self.routes = os.path.join(self.dir, "routes")
        self.config = os.path.join(self.dir, "waypost.yaml")
        if os.path.isdir(routes):
            shutil.copytree(routes, self.routes)
        else:
            os.mkdir(self.routes)
            self.write(routes)
        config = config.replace("DIR", self.dir)
        with open(self.config, "w") as file:
            file.write(KEY + config)
        with open(os.path.join(self.dir, "token"), "w") as file:
            file.write("the-token-of-this-port\n")
        self.process, self.lines = None, []
        self.start(place)

    def start(self, place):
        """Starts it; at a place of its own when it ran before."""
        command = [WAYPOST, "serve", "--config", self.config, "--routes", self.routes, "--listen", "udp:127.0.0.1:0", "--admin", place]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.lines = []
        reader = threading.Thread(target=lambda: self.lines.extend(iter(self.process.stderr.readline, "")), daemon=True)
        reader.start()
        hello = eventually("the server says hello", lambda: next((line for line in self.lines if " serves " in line), None))
        self.sip = int(re.search(r"udp:127\.0\.0\.1:(\d+)", hello)[1])
        self.admin = int(re.search(r"admin https?://[^:]+:(\d+)", hello)[1])
        self.url = f"http://127.0.0.1:{self.admin}/"

    def write(self, text, name="routes.yaml"):
        new = os.path.join(self.routes, ".new")
        with open(new, "w") as file:
            file.write(text)
        os.rename(new, os.path.join(self.routes, name))

    def get(self, path, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=PATIENCE_S)
        connection.request("GET", path, headers=headers or {})
        said = connection.getresponse()
        return said.status, dict(said.getheaders()), said.read().decode()

    def api(self, path):
        status, _, body = self.get(f"/api/v1/{path}")
        assert status == 200, body
        return json.loads(body)

    def call(self, uri, call_id="call"):
        """A real INVITE; its answer."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller:
            caller.bind(("127.0.0.1", 0))
            caller.settimeout(5)
            here = "%s:%d" % caller.getsockname()
            caller.sendto(invite(uri, here, call_id), ("127.0.0.1", self.sip))
            return caller.recv(65535).decode()

    def ctl(self, *words):
        """`waypost` with these words; what it prints."""
        return subprocess.run([WAYPOST, *words], check=True, capture_output=True, text=True, timeout=PATIENCE_S).stdout

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE_S)
        self.process.stderr.close()

    def close(self):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)


def invite(uri, here, call_id):
    return (
        f"INVITE {uri} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {here};branch=z9hG4bK{call_id};rport\r\n"
        "Max-Forwards: 70\r\n"
        f"From: <sip:+441632960001@{here}>;tag=1\r\n"
        f"To: <{uri}>\r\n"
        f"Call-ID: {call_id}\r\n"
        "CSeq: 1 INVITE\r\n"
        f"Contact: <sip:caller@{here}>\r\n"
        "Content-Length: 0\r\n\r\n"
    ).encode()


def eventually(what, holds):
    """Waits until it holds; gives what it gives."""
    end = time.monotonic() + PATIENCE_S
    while not (value := holds()):
        if time.monotonic() > end:
            raise AssertionError(f"it never came: {what}")
        time.sleep(0.02)
    return value
