"""Orders are done when they are confirmed, and only for who may give them."""

import json

from case import SHOTS, PageCase



class OrdersTest(PageCase):
    def test_a_reload_that_fails_is_told_and_kept(self):
        server = self.serve("routes: [ { name: all, answer: 404 } ]\n")
        page = self.open_ready(server)
        server.write("routes: [ { name: all, answer: { contact: nowhere } } ]\n")
        page.js("document.querySelector('#reload').focus()")
        page.key("Enter")
        page.until("a question", "document.querySelector('#confirm').open")
        # Nothing is done by a slip: Cancel has the focus.
        page.key("Enter")
        page.until("no question", "!document.querySelector('#confirm').open")
        self.assertEqual(page.js("document.activeElement.id"), "reload", "the focus comes back")
        # Asked again before the browser has told the end of the first question.
        page.js("for (const id of ['reload', 'confirm-no', 'reload', 'confirm-no']) document.getElementById(id).click()")
        page.key("Enter")
        page.until("a question", "document.querySelector('#confirm').open")
        page.tab_to("#confirm-yes")
        page.key("Enter")
        page.until("the error", "document.querySelector('#said').innerText.includes('no gateway or group `nowhere`')")
        page.until("the history", "document.querySelector('#reloads-list').innerText.includes('no gateway or group `nowhere`')")
        self.assertIn("routes.yaml:1:", page.text("#reloads-list .scroll"))
        self.assertIn("The last one failed", page.text("#reloads-said"))
        server.write("routes: [ { name: some, answer: 404 }, { name: all, answer: 486 } ]\n")
        page.until("the differences", "document.querySelector('#reloads-list .changes')?.innerText.includes('1 route added')")
        self.assertIn("~ 1 changed", page.text("#reloads-list .changes"))
        self.in_sight(page, "#reloads")
        page.shot(f"{SHOTS}/reloads.png")
        # A 422 is the server's answer, which the console counts as an error.
        self.assertEqual([one for one in page.complaints() if "422" not in one], [])

    def test_drain_turns_readiness_and_undrain_turns_it_back(self):
        server = self.serve()
        page = self.open_ready(server)
        for word, ready, badge in [("Drain", 503, "✗ not ready: the server is draining"), ("Undrain", 200, "✓ ready")]:
            self.assertEqual(page.text("#drain"), word)
            page.js("document.querySelector('#drain').click()")
            page.until("a question", "document.querySelector('#confirm').open")
            self.assertEqual(page.text("#confirm-yes"), word)
            page.key("Escape")
            page.until("no question", "!document.querySelector('#confirm').open")
            self.assertEqual(server.get("/readyz")[0], 200 if word == "Drain" else 503, "Escape does nothing")
            page.js("document.querySelector('#drain').click()")
            page.js("document.querySelector('#confirm-yes').click()")
            page.until(badge, f"document.querySelector('#ready').innerText === {json.dumps(badge)}")
            self.assertEqual(server.get("/readyz")[0], ready)
        self.quiet(page)

    def test_a_gateway_is_marked_by_keyboard_and_calls_leave_it_out(self):
        routes = "gateways: { east: 'sip:east.example', west: 'sip:west.example' }\nroutes: [ { answer: { contacts: [east, west] } } ]\n"
        server = self.serve(routes)
        page = self.open_ready(server)
        self.in_sight(page, "#gateways")
        button = lambda mark: f"button[data-gateway='west'][data-mark='{mark}']"
        pressed = "[...document.querySelectorAll(\"#gateways-list tr:nth-child(2) [aria-pressed='true']\")].map((one) => one.innerText).join()"
        page.until("the gateways", f"{pressed} === 'auto'")
        page.js("document.querySelector('#gateways-name').focus()")
        page.tab_to(button("down"))
        page.key("Enter")
        page.until("a question", "document.querySelector('#confirm').open")
        self.assertEqual(page.text("#confirm-head"), "Mark west down?")
        # Cancel has the focus.
        page.key("Enter")
        page.until("no question", "!document.querySelector('#confirm').open")
        self.assertEqual([one["mark"] for one in server.api("gateways")["gateways"]], ["auto", "auto"], "nothing is done by a slip")
        self.assertIn("west.example", server.call("sip:+441632960123@waypost.example.net", "before"))
        for mark, up, is_offered in [("down", False, False), ("up", True, True), ("auto", True, True)]:
            page.js(f"document.querySelector(\"{button(mark)}\").focus()")
            page.key("Enter")
            page.until("a question", "document.querySelector('#confirm').open")
            page.tab_to("#confirm-yes")
            page.key("Enter")
            page.until(f"it is marked {mark}", f"{pressed} === {json.dumps(mark)}")
            page.until("the focus comes back", f"document.activeElement === document.querySelector(\"{button(mark)}\")")
            self.assertIn(f"Gateway west: {'up' if up else 'down'}", page.text("#said"))
            self.assertEqual([(one["name"], one["mark"], one["up"]) for one in server.api("gateways")["gateways"]], [("east", "auto", True), ("west", mark, up)])
            self.assertEqual("west.example" in server.call("sip:+441632960123@waypost.example.net", mark), is_offered)
            if mark == "down":
                page.shot(f"{SHOTS}/gateway-down.png")
        self.quiet(page)

    def test_a_gateway_that_went_with_a_reload_is_told(self):
        server = self.serve("gateways: { east: 'sip:east.example' }\nroutes: [ { answer: { contact: east } } ]\n")
        page = self.open_ready(server)
        self.in_sight(page, "#gateways")
        page.until("the gateway", "document.querySelector('#gateways-list button') !== null")
        page.js("document.querySelector('#pause').click()")
        server.write("routes: [ { answer: 404 } ]\n")
        server.ctl("ctl", "reload", "--config", server.config, "--admin", f"127.0.0.1:{server.admin}")
        page.js("document.querySelector(\"button[data-mark='down']\").click()")
        page.js("document.querySelector('#confirm-yes').click()")
        page.until("it is said", "document.querySelector('#said').classList.contains('bad') && document.querySelector('#said').innerText.includes('east')")
        self.assertEqual([one for one in page.complaints() if "404" not in one], [])

    def test_a_token_is_asked_for_and_stays_in_the_tab(self):
        server = self.serve(config='admin: {address: "127.0.0.1:0", token_file: DIR/token}\n')
        page = self.open(server)
        page.until("the question", "document.querySelector('#token-dialog').open")
        self.assertEqual(page.js("document.activeElement.id"), "token")
        page.shot(f"{SHOTS}/token.png", whole=False)
        page.key("Escape")
        page.type("a-wrong-token-of-16")
        page.key("Enter")
        page.until("it is wrong", "document.querySelector('#token-why').innerText === 'this is not the token of this port'")
        page.type("the-token-of-this-port")
        page.key("Enter")
        page.until("the status", "document.querySelector('#ready').innerText === '✓ ready'")
        self.assertFalse(page.js("document.querySelector('#token-dialog').open"))
        kept = page.js("[Object.values(sessionStorage), Object.keys(localStorage).length, document.cookie, location.href]")
        self.assertEqual(kept, [["the-token-of-this-port"], 0, "", server.url])
        page.go(server.url)
        page.until("the status without a question", "document.querySelector('#ready').innerText === '✓ ready'")
        other = self.open(server)
        other.until("another tab has to ask", "document.querySelector('#token-dialog').open")
        page.js("document.querySelector('#forget').click()")
        page.until("it is forgotten", "document.querySelector('#token-dialog')?.open && sessionStorage.length === 0")
        self.assertEqual([one for one in page.complaints() if "401" not in one], [])
        self.assertFalse(any("the-token" in url for url in page.requests()))
        # The files of the page are open, and nothing else is.
        self.assertEqual([server.get(path)[0] for path in ["/", "/page/main.js", "/page/none.js", "/api/v1/status"]], [200, 200, 401, 401])

    def test_files_come_with_their_headers_and_only_once(self):
        server = self.serve()
        for path, media in [("/", "text/html"), ("/page/page.css", "text/css"), ("/page/main.js", "text/javascript")]:
            status, headers, body = server.get(path)
            self.assertEqual((status, headers["content-type"], headers["x-content-type-options"]), (200, f"{media}; charset=utf-8", "nosniff"))
            policy = headers["content-security-policy"].split("; ")
            for rule in ["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src data:", "frame-ancestors 'none'"]:
                self.assertIn(rule, policy)
            self.assertNotEqual(body, "")
            status, again, body = server.get(path, {"If-None-Match": headers["etag"]})
            self.assertEqual((status, body, again["etag"]), (304, "", headers["etag"]))

    def test_the_policy_holds(self):
        page = self.open_ready(self.serve())
        page.js("(() => { const script = document.createElement('script'); script.textContent = 'document.title = 1'; document.head.append(script); })()")
        page.js("document.body.setAttribute('onclick', 'document.title = 1'); document.body.click()")
        self.assertEqual(page.js("fetch('http://127.0.0.1:9/').then(() => 'went out', () => 'stopped')"), "stopped")
        self.assertEqual(page.js("document.title"), "Waypost")
        stopped = "\n".join(page.complaints())
        self.assertRegex(stopped, r"inline script")
        self.assertRegex(stopped, r"127\.0\.0\.1:9")
