"""The README's way from a clone to a number explained in the browser: its commands are run as they stand there, and its
address is opened in a browser. Runs in a network of its own, for the ports are the usual ones.
"""

import os
import re
import signal
import subprocess
import unittest
from urllib.request import urlopen

from chromium import Chromium, Page
from server import eventually

SHOTS = "target/browser"
# A release build, on a machine that does much else.
BUILD_S = 900


def way():
    """The commands under the heading, and the address and number after them."""
    with open("README.md") as file:
        text = file.read().split("## Your own number, explained\n")[1].split("\n## ")[0]
    commands = re.search(r"```sh\n(.*?)```", text, re.S)[1].splitlines()
    address = re.search(r"<(http://\S+)>", text)[1]
    return [command.split("#")[0].strip() for command in commands], address


class ReadmeTest(unittest.TestCase):
    def test_a_newcomer_gets_there_in_under_five_commands(self):
        commands, address = way()
        # The clone is what we stand in; opening the page is one, too.
        self.assertLess(len(commands) + 1, 5)
        self.assertEqual([command.split()[:2] for command in commands[:2]], [["git", "clone"], ["cd", "waypost"]])
        [command] = commands[2:]
        server = subprocess.Popen(["bash", "-c", f"exec {command}"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True)
        self.addCleanup(server.stderr.close)
        self.addCleanup(server.wait, 60)
        self.addCleanup(server.send_signal, signal.SIGTERM)
        for line in iter(server.stderr.readline, ""):
            if " serves " in line:
                break
        else:
            self.fail(f"{command} ended with {server.wait(60)}")
        eventually("it is ready", lambda: urlopen(f"{address}readyz", timeout=5).status == 200)
        browser = Chromium()
        self.addCleanup(browser.close)
        page = Page(browser)
        page.go(address)
        page.until("the status", "document.querySelector('#ready').innerText === '✓ ready'")
        page.tab_to("#call")
        page.type("+442079460123")
        page.key("Enter")
        page.until("the number explained", "/^[1-6][0-9][0-9] /.test(document.querySelector('#explain-said').innerText) && document.querySelectorAll('.route').length > 0")
        self.assertTrue(page.text("#answer").startswith("SIP/2.0 "))
        self.assertEqual(page.complaints(), [])
        os.makedirs(SHOTS, exist_ok=True)
        page.shot(f"{SHOTS}/newcomer.png", whole=False)


if __name__ == "__main__":
    unittest.main(verbosity=2)
