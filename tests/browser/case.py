"""What every test of the operator's page begins with: a browser, servers, pages. Screenshots go to target/browser/."""

import json
import os
import unittest

from chromium import Chromium, Page
from server import Server

SHOTS = "target/browser"


class PageCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        os.makedirs(SHOTS, exist_ok=True)
        cls.browser = Chromium()
        cls.addClassCleanup(cls.browser.close)

    def serve(self, routes="routes", config=""):
        server = Server(routes, config)
        self.addCleanup(server.close)
        return server

    def open(self, server, **how):
        page = Page(self.browser, **how)
        self.addCleanup(page.close)
        page.go(server.url)
        return page

    def open_ready(self, server, **how):
        page = self.open(server, **how)
        page.until("the status", "document.querySelector('#ready').innerText.includes('ready')")
        return page

    def in_sight(self, page, selector):
        # Again and again for a while: on a slow machine sections above it are filled later, and push it out of sight.
        page.js(
            f"(() => {{ const show = () => document.querySelector({json.dumps(selector)}).scrollIntoView({{ behavior: 'instant' }});"
            " const again = setInterval(show, 250); setTimeout(() => clearInterval(again), 10000); show(); })()"
        )

    def quiet(self, page):
        self.assertEqual(page.complaints(), [])

    def told(self, page):
        """What the page has, whole."""
        page.js("for (const one of document.querySelectorAll('#explained > details')) one.open = true")
        page.until("the JSON", "document.querySelector('#explained-json') !== null")
        return json.loads(page.js("document.querySelector('#explained-json').textContent"))
