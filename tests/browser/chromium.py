"""Drives a headless Chromium over its DevTools pipe: no port is opened, no driver is needed beside the browser.

In:    a URL, keys, expressions of JavaScript.
Out:   values of the page, all that its console and its policies complain of, screenshots.
Never: waits without an end; leaves a browser, or its profile, behind.
"""

import base64
import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading
import time

PATIENCE_S = 60

# Keys that are no text: name → (code, Windows key code, text).
KEYS = {
    "Tab": ("Tab", 9, ""),
    "Enter": ("Enter", 13, "\r"),
    "Escape": ("Escape", 27, ""),
    "Space": ("Space", 32, " "),
    "ArrowDown": ("ArrowDown", 40, ""),
}


class Chromium:
    """One browser with a fresh profile."""

    def __init__(self):
        self.profile = tempfile.mkdtemp(prefix="waypost-chromium-")
        to_browser, ours_out = os.pipe()
        ours_in, from_browser = os.pipe()
        flags = [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
            "--no-default-browser-check", "--force-color-profile=srgb", "--hide-scrollbars", "--lang=en-GB", "--remote-debugging-pipe",
            f"--user-data-dir={self.profile}", "about:blank",
        ]
        # The pipe is descriptors 3 and 4 of the browser.
        command = ["bash", "-c", f'exec "$@" 3<&{to_browser} 4>&{from_browser}', "chromium", "chromium", *flags]
        self.log = open(os.path.join(self.profile, "browser.log"), "wb")
        self.process = subprocess.Popen(
            command, pass_fds=(to_browser, from_browser), stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            start_new_session=True,
        )
        os.close(to_browser)
        os.close(from_browser)
        self.out = os.fdopen(ours_out, "wb", buffering=0)
        self.answers = {}
        self.arrived = threading.Condition()
        self.events = queue.SimpleQueue()
        self.ended = False
        self.sent = 0
        self.reader = threading.Thread(target=self._read, args=(os.fdopen(ours_in, "rb", buffering=0),), daemon=True)
        self.reader.start()

    def _read(self, pipe):
        rest = b""
        while chunk := pipe.read(65536):
            *messages, rest = (rest + chunk).split(b"\0")
            for message in map(json.loads, messages):
                if "id" in message:
                    with self.arrived:
                        self.answers[message["id"]] = message
                        self.arrived.notify_all()
                else:
                    self.events.put(message)
        pipe.close()
        with self.arrived:
            self.ended = True
            self.arrived.notify_all()

    def call(self, method, session=None, **params):
        self.sent += 1
        number = self.sent
        message = {"id": number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        self.out.write(json.dumps(message).encode() + b"\0")
        with self.arrived:
            came = self.arrived.wait_for(lambda: number in self.answers or self.ended, PATIENCE_S)
            if not came or number not in self.answers:
                raise AssertionError(f"Chromium does not answer {method}: {self.tail()}")
            answer = self.answers.pop(number)
        if "error" in answer:
            raise AssertionError(f"{method}: {answer['error']}")
        return answer["result"]

    def tail(self):
        with open(self.log.name, errors="replace") as log:
            return log.read()[-2000:]

    def close(self):
        try:
            self.call("Browser.close")
            self.process.wait(10)
        except (AssertionError, OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        self.out.close()
        self.reader.join(10)
        self.log.close()
        shutil.rmtree(self.profile, ignore_errors=True)


class Page:
    """A tab."""

    def __init__(self, browser, width=1280, height=900, dark=False, calm=True):
        self.browser = browser
        context = browser.call("Target.createBrowserContext")["browserContextId"]
        self.target = browser.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=self.target, flatten=True)["sessionId"]
        for domain in ["Page", "Runtime", "Log", "Network"]:
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        if calm:
            features.append({"name": "prefers-reduced-motion", "value": "reduce"})
        self.call("Emulation.setEmulatedMedia", features=features)
        # A tab of its own window is in front; this says so to the page.
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)
        self.seen = []

    def call(self, method, **params):
        return self.browser.call(method, self.session, **params)

    def go(self, url):
        self.call("Page.navigate", url=url)
        self.until("the page is loaded", "document.readyState === 'complete' && document.querySelector('h1') !== null")

    def js(self, expression):
        said = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in said:
            raise AssertionError(f"{expression}: {said['exceptionDetails']}")
        return said["result"].get("value")

    def text(self, selector):
        return self.js(f"document.querySelector({json.dumps(selector)})?.innerText ?? null")

    def until(self, what, expression):
        """Waits until the expression holds; gives its value."""
        end = time.monotonic() + PATIENCE_S
        while not (value := self.js(expression)):
            if time.monotonic() > end:
                shown = self.js("document.body.innerText")
                raise AssertionError(f"it never came: {what}: {expression}\n{shown}\n{self.complaints()}")
            time.sleep(0.05)
        return value

    def key(self, name, shift=False):
        code, number, text = KEYS[name]
        key = " " if name == "Space" else name
        common = {"key": key, "code": code, "windowsVirtualKeyCode": number, "modifiers": 8 if shift else 0}
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def type(self, text):
        for char in text:
            self.call("Input.dispatchKeyEvent", type="keyDown", key=char, text=char)
            self.call("Input.dispatchKeyEvent", type="keyUp", key=char)

    def tab_to(self, selector, most=80):
        """Presses Tab until this has the focus; gives how often."""
        wanted = f"document.activeElement === document.querySelector({json.dumps(selector)})"
        for presses in range(1, most + 1):
            self.key("Tab")
            if self.js(wanted):
                return presses
        raise AssertionError(f"{most} times Tab do not lead to {selector}, but to {self.js('document.activeElement.outerHTML')}")

    def _drain(self):
        while not self.browser.events.empty():
            event = self.browser.events.get()
            if event.get("sessionId") == self.session:
                self.seen.append(event)

    def complaints(self):
        """What the console says that is no good, what is thrown, and what the policy of the page stops."""
        self._drain()
        found = []
        for event in self.seen:
            params = event["params"]
            if event["method"] == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
                found.append(f"{params['entry']['source']}: {params['entry']['text']} {params['entry'].get('url', '')}")
            elif event["method"] == "Runtime.exceptionThrown":
                found.append(f"thrown: {params['exceptionDetails']}")
            elif event["method"] == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
                found.append(f"console: {params['args']}")
        return found

    def requests(self):
        """Every URL asked for, in order."""
        self._drain()
        return [event["params"]["request"]["url"] for event in self.seen if event["method"] == "Network.requestWillBeSent"]

    def shot(self, path, whole=True):
        clip = {}
        if whole:
            size = self.call("Page.getLayoutMetrics")["cssContentSize"]
            clip = {"clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}}
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole, **clip)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def close(self):
        self.browser.call("Target.closeTarget", targetId=self.target)
