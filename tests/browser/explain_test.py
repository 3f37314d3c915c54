"""A call is explained in the page as the command explains it."""

import json
import time

from case import SHOTS, PageCase



class ExplainTest(PageCase):
    def explained(self, server, *words):
        told = server.ctl(
            "explain", *words, "--live", "--json", "--routes", server.routes, "--config", server.config,
            "--admin", f"127.0.0.1:{server.admin}", "--listen", f"udp:127.0.0.1:{server.sip}",
        )
        return json.loads(told)

    def test_a_call_is_explained_by_keyboard_alone_as_the_command_explains_it(self):
        server = self.serve()
        page = self.open_ready(server)
        # The first Tab of a page leads to the way past its head.
        page.key("Tab")
        self.assertEqual(page.js("document.activeElement.className"), "skip")
        page.key("Enter")
        page.until("the section has the focus", "document.activeElement.id === 'explain'")
        self.assertEqual(page.tab_to("#call"), 1)
        page.type("+441632960101")
        page.tab_to("#source")
        page.type("198.51.100.7:5080")
        page.tab_to("#from")
        page.type("+441632960001")
        page.tab_to("#transport")
        page.type("u")
        page.key("Enter")
        if page.text("#explain-said") == "":
            page.tab_to("#explain-form button[type=submit]")
            page.key("Enter")
        page.until("the answer", "document.querySelector('#answer') !== null")
        command = self.explained(server, "+441632960101", "--from", "198.51.100.7:5080", "--caller", "+441632960001", "--transport", "udp", "--at", self.moment(page))
        self.same_as_command(page, command)
        self.assertEqual(command["verdict"]["route"]["name"], "home numbers")
        page.shot(f"{SHOTS}/explain.png")
        self.quiet(page)

    def moment(self, page):
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.told(page)["at_unix_s"]))

    def same_as_command(self, page, command):
        told = self.told(page)
        for one in (told, command):
            # Its name, and what passes meanwhile.
            one["live"]["admin"] = None
            one["listener"] = None
        self.assertEqual(told, command)
        # And what people see of it.
        self.assertEqual(page.js("document.querySelector('#answer').textContent"), command["verdict"]["answer"].replace("\r\n", "\n"))
        conditions = [step for step in command["steps"] if step["step"] == "condition"]
        shown = page.js("[...document.querySelectorAll('.step.condition')].map((line) => line.textContent)")
        self.assertEqual(len(shown), len(conditions))
        for line, step in zip(shown, conditions):
            self.assertTrue(line.startswith("✓ yes" if step["holds"] else "✗ no"), line)
            self.assertIn(step["condition"], line)
        routes = page.js("[...document.querySelectorAll('.route > summary b')].map((name) => name.textContent)")
        self.assertEqual(routes, [step["route"]["name"] for step in command["steps"] if step["step"] == "route"])
        contacts = page.js("[...document.querySelectorAll('.contacts code')].map((uri) => uri.textContent)")
        self.assertEqual(contacts, [step["uri"] for step in command["steps"] if step["step"] == "contact"])
        status = str(command["verdict"]["status"])
        self.assertTrue(page.text("#explain-said").startswith(status), page.text("#explain-said"))

    def test_a_number_with_a_domain_and_more_is_explained(self):
        server = self.serve()
        page = self.open_ready(server)
        page.js("document.querySelector('#explain-form details').open = true")
        for field, text in [("call", "+12025550123"), ("domain", "waypost.example.net"), ("at", "2026-12-24T10:00:00Z"), ("headers", "X-Trunk: gold")]:
            page.js(f"document.querySelector('#{field}').focus()")
            page.type(text)
        page.tab_to("#explain-form button[type=submit]")
        page.key("Space")
        page.until("the answer", "document.querySelector('#answer') !== null")
        command = self.explained(server, "sip:+12025550123@waypost.example.net", "--at", "2026-12-24T10:00:00Z", "--header", "X-Trunk: gold")
        self.same_as_command(page, command)
        self.quiet(page)

    def test_what_is_no_call_is_said_beside_the_form(self):
        server = self.serve()
        page = self.open_ready(server)
        page.js("document.querySelector('#call').focus()")
        page.key("Enter")
        page.until("a word", "document.querySelector('#explain-said').innerText.startsWith('Type a number')")
        page.type("sip:a@b.example")
        page.js("document.querySelector('#domain').focus()")
        page.type("c.example")
        page.key("Enter")
        page.until("a word", "document.querySelector('#explain-said').innerText.startsWith('A URI has its own domain')")
        self.quiet(page)
        page.js("document.querySelector('#domain').value = ''; document.querySelector('#source').value = 'nowhere'")
        page.key("Enter")
        page.until("the server's word", "document.querySelector('#explain-said').innerText.startsWith('source: expected IP or IP:PORT')")
