"""The operator's page in a real browser: what is shown is what the server says, what is pressed is done.

Screenshots go to target/browser/.
"""

import json
import os
import re
import subprocess
import time
import unittest

from chromium import Chromium, Page
from server import Server, eventually

SHOTS = "target/browser"
PHONE = {"width": 390, "height": 844}
# A name that would be markup, and one that would turn the line around.
HOSTILE = '<img src=x onerror="document.title=1">'
TURNED = "evil\u202etxt"


class PageTest(unittest.TestCase):
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
        page.js(f"document.querySelector({json.dumps(selector)}).scrollIntoView({{ behavior: 'instant' }})")

    def quiet(self, page):
        self.assertEqual(page.complaints(), [])

    # What is shown.

    def test_the_page_shows_what_serves(self):
        server = self.serve()
        page = self.open_ready(server, calm=False)
        status = server.api("status")
        self.assertEqual(page.text("#ready"), "✓ ready")
        self.assertIn(f"generation 1, {status['table']['routes']} routes", page.text("#serves"))
        self.assertIn(status["listeners"][0]["address"], page.text("#facts"))
        for number in range(20):
            server.call("sip:+441632960123@waypost.example.net", f"shown-{number}")
            server.call("sip:112@waypost.example.net", f"emergency-{number}")
        page.until("a rate", "parseFloat(document.querySelector('#figures dd').innerText) > 0")
        page.until("a line in the plot", "document.querySelectorAll('#plot-rates .line-0')[0].getAttribute('d')?.includes('L')")
        page.until("a time", "/\\d (ns|µs|ms)/.test(document.querySelector('#figures div:last-child dd').innerText)")
        page.until("a time in the plot", "document.querySelector('#plot-times .line-2').getAttribute('d')?.startsWith('M')")
        for section in ["gateways", "tables", "dns", "top"]:
            self.in_sight(page, f"#{section}")
            page.until(section, f"document.querySelector('#{section} table, #{section} .scroll p') !== null")
        names = page.js("[...document.querySelectorAll('#gateways-list tbody th')].map((cell) => cell.innerText)")
        self.assertEqual(names, [one["name"] for one in server.api("gateways")["gateways"]])
        tables = page.js("[...document.querySelectorAll('#tables-list tbody th')].map((cell) => cell.innerText)")
        self.assertEqual(tables, [one["name"] for one in server.api("tables")["tables"]])
        servers = page.js("[...document.querySelectorAll('#dns-list tbody th')].map((cell) => cell.innerText)")
        self.assertEqual(servers, [one["address"] for one in server.api("dns")["servers"]])
        self.quiet(page)
        # All of it came from where the page came from.
        self.assertEqual([url for url in page.requests() if not url.startswith((server.url, "data:"))], [])

    def test_routes_show_the_hits_of_real_calls_sorted_and_filtered(self):
        server = self.serve()
        page = self.open_ready(server)
        for number in range(3):
            server.call("sip:+441632960123@waypost.example.net", f"hit-{number}")
        self.in_sight(page, "#routes")
        page.until("the hits", "[...document.querySelectorAll('#routes-list tbody tr')].some((row) => row.cells[0].innerText === 'home numbers' && row.cells[1].innerText === '3' && row.cells[2].innerText !== 'never')")
        page.js("document.querySelector('[data-order=hits]').focus()")
        page.key("Enter")
        page.until("sorted by hits", "document.querySelector('#routes-list tbody th').innerText === 'home numbers' && document.querySelector('#routes-list [aria-sort=descending]').innerText.startsWith('Hits')")
        self.assertEqual(page.js("document.activeElement.dataset.order"), "hits", "the focus stays where it was")
        page.js("document.querySelector('#routes-name').focus()")
        page.type("emerg")
        page.until("filtered", "document.querySelector('#routes-which').innerText === '1–1 of 1'")
        self.assertEqual(page.text("#routes-list tbody th"), "emergency")
        self.quiet(page)

    def test_many_routes_come_page_by_page(self):
        routes = "routes:\n" + "".join(f"- {{ name: r{n:04}, when: {{ number: '+{n + 1000}*' }}, answer: 404 }}\n" for n in range(120))
        server = self.serve(routes)
        page = self.open_ready(server)
        self.in_sight(page, "#routes")
        page.until("the first page", "document.querySelector('#routes-which').innerText === '1–50 of 120'")
        for which, first in [("51–100 of 120", "r0050"), ("101–120 of 120", "r0100")]:
            page.js("document.querySelector('#routes-after').click()")
            page.until(which, f"document.querySelector('#routes-which').innerText === '{which}'")
            self.assertEqual(page.text("#routes-list tbody th"), first)
        self.assertTrue(page.js("document.querySelector('#routes-after').disabled"))
        self.quiet(page)

    def test_the_top_sources_and_numbers_are_those_of_the_calls(self):
        server = self.serve(config="top: {sample: 1}\n")
        for number in range(4):
            server.call("sip:+441632960123@waypost.example.net", f"top-{number}")
        eventually("they are counted", lambda: server.api("top")["messages"] == 4)
        page = self.open_ready(server)
        self.in_sight(page, "#top")
        page.until("the lists", "document.querySelectorAll('#top-lists tbody tr').length === 4")
        rows = page.js("[...document.querySelectorAll('#top-lists tbody tr')].map((row) => [...row.cells].map((cell) => cell.innerText))")
        self.assertEqual(rows, [["127.0.0.1", "4"], ["+441632960123", "4"], ["+44163", "4"], ["waypost.example.net", "4"]])
        self.quiet(page)

    def test_what_is_in_the_dns_cache_is_looked_up(self):
        server = self.serve()
        page = self.open_ready(server)
        page.js("document.querySelector('#look-name').focus()")
        page.type("nobody.example")
        page.key("Enter")
        page.until("the answer", "document.querySelector('#looked').innerText === 'A nobody.example. is not in the cache.'")
        self.quiet(page)

    # Explain.

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

    def told(self, page):
        """What the page has, whole."""
        page.js("for (const one of document.querySelectorAll('#explained > details')) one.open = true")
        page.until("the JSON", "document.querySelector('#explained-json') !== null")
        return json.loads(page.js("document.querySelector('#explained-json').textContent"))

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

    # Orders.

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

    # What is hostile.

    def test_hostile_names_and_users_are_text(self):
        name = HOSTILE.replace("'", "''")
        server = self.serve(f"routes: [ {{ name: '{name}', when: {{ user: '/script/' }}, answer: 404 }}, {{ name: \"{TURNED}\", answer: 404 }} ]\n", "top: {sample: 1}\n")
        server.call("sip:%3Cscript%3Edocument.title=1%3C/script%3E@<b>.example", "hostile")
        page = self.open_ready(server)
        self.in_sight(page, "#routes")
        page.until("the routes", "document.querySelectorAll('#routes-list tbody tr').length === 2")
        names = page.js("[...document.querySelectorAll('#routes-list tbody th')].map((cell) => cell.textContent)")
        self.assertEqual(names, [HOSTILE, "evil\\u202etxt"])
        page.js("document.querySelector('#call').focus()")
        page.type("sip:<script>document.title=1</script>@example.net")
        page.key("Enter")
        page.until("the answer", "document.querySelector('#answer') !== null || document.querySelector('#explain-said.bad') !== null")
        self.in_sight(page, "#top")
        page.until("the top", "document.querySelector('#top-lists table') !== null")
        self.told(page)
        found = page.js("[document.querySelectorAll('img, script:not([src]), main b > *').length, document.title]")
        self.assertEqual(found, [0, "Waypost"])
        self.quiet(page)

    def test_what_gateways_say_of_their_health_is_shown(self):
        server = self.serve()
        page = self.open_ready(server)
        told = server.api("gateways")
        if "up" not in told["gateways"][0]:
            # A server without probes: what one with them says is put in its place.
            told["gateways"] = [dict(one, up=index != 1, mark="down" if index == 1 else "auto", probed=index == 0) for index, one in enumerate(told["gateways"])]
            page.js(f"""(() => {{
                const [real, told] = [window.fetch, {json.dumps(json.dumps(told))}];
                window.fetch = async (path, how) => path.endsWith('/gateways') ? new Response(told) : real(path, how);
            }})()""")
        self.in_sight(page, "#gateways")
        page.until("their states", "document.querySelector('#gateways-list .state') !== null")
        states = page.js("[...document.querySelectorAll('#gateways-list tbody tr')].map((row) => row.cells[1].textContent)")
        expected = [("✓ up" if one["up"] else "✗ down") + (f" marked {one['mark']}" if one["mark"] != "auto" else " probed" if one["probed"] else " not probed") for one in told["gateways"]]
        self.assertEqual(states, expected)
        self.quiet(page)

    # Who may see it.

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

    # Polling.

    def test_no_more_is_asked_than_is_seen_and_one_at_a_time(self):
        server = self.serve()
        page = self.open_ready(server, calm=False)
        page.until("the seconds there are", "document.querySelector('#plot-rates .line-0').getAttribute('d')?.includes('M')")
        page.js("""(() => {
            const real = window.fetch;
            window.most = 0; window.now = 0; window.asked = [];
            window.fetch = async (...request) => {
                window.asked.push(request[0]); window.now += 1; window.most = Math.max(window.most, window.now);
                try { return await real(...request); } finally { window.now -= 1; }
            };
        })()""")
        page.until("some rounds", "window.asked.filter((path) => path.includes('rates')).length >= 3")
        self.assertEqual(page.js("window.most"), 1)
        self.assertTrue(page.js("window.asked.filter((path) => path.includes('rates')).every((path) => path.includes('since='))"))
        self.assertFalse(page.js("window.asked.some((path) => path.includes('tables'))"), "what is out of sight is not asked for")
        for stop, go in [
            ("document.querySelector('#pause').click()", "document.querySelector('#pause').click()"),
            ("hide('hidden')", "hide('visible')"),
        ]:
            page.js("window.hide = (how) => { Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => how }); document.dispatchEvent(new Event('visibilitychange')); }")
            page.js(stop)
            page.until("nothing is under way", "window.now === 0")
            before = page.js("window.asked.length")
            # Longer than two rounds; nothing can be waited for that must not come.
            page.js("new Promise((resolve) => setTimeout(resolve, 2500))")
            self.assertEqual(page.js("window.asked.length"), before)
            page.js(go)
            page.until("it goes on", f"window.asked.length > {before}")

    def test_a_server_that_is_away_is_said_to_be_and_comes_back(self):
        server = self.serve()
        page = self.open_ready(server, calm=False)
        place = f"127.0.0.1:{server.admin}"
        server.stop()
        page.until("it is away", "!document.querySelector('#away').hidden")
        self.assertIn("The server does not answer", page.text("#away"))
        self.assertEqual(page.text("#ready"), "✗ away")
        page.js("window.asked = 0; window.real = window.fetch; window.fetch = (...request) => { window.asked += 1; return window.real(...request); }")
        page.until("it is asked again", "window.asked >= 2")
        server.start(place)
        page.js("document.querySelector('#away button').click()")
        page.until("it is back", "document.querySelector('#away').hidden && document.querySelector('#ready').innerText === '✓ ready'")

    # How it looks.

    def test_a_phone_has_no_horizontal_scroll(self):
        server = self.serve()
        server.call("sip:+441632960123@waypost.example.net")
        page = self.open_ready(server, **PHONE)
        page.js("document.querySelector('#call').focus()")
        page.type("+441632960101")
        page.key("Enter")
        page.until("the answer", "document.querySelector('#answer') !== null")
        for section in ["routes", "gateways", "dns", "top", "tables", "reloads"]:
            self.in_sight(page, f"#{section}")
            page.until(section, f"document.querySelector('#{section} table, #{section} .quiet')?.innerText.length > 0")
        page.shot(f"{SHOTS}/phone.png")
        wide = page.js("[...document.querySelectorAll('body *')].filter((node) => !node.closest('.scroll, .skip, .unseen, svg') && node.getBoundingClientRect().right > 391).map((node) => node.outerHTML.slice(0, 80))")
        self.assertEqual(wide, [])
        self.assertEqual(page.js("[innerWidth, document.documentElement.scrollWidth]"), [390, 390])
        self.quiet(page)

    def test_dark_and_light_are_different_and_both_are_readable(self):
        server = self.serve(config="top: {sample: 1}\n")
        grounds = []
        for dark in [False, True]:
            page = self.open_ready(server, dark=dark, calm=False)
            for number in range(30):
                server.call(f"sip:+44163296010{number % 10}@waypost.example.net", f"look-{dark}-{number}")
            page.js("document.querySelector('#call').focus()")
            page.type("+441632960101")
            page.key("Enter")
            page.until("the answer", "document.querySelector('#answer') !== null")
            for section in ["routes", "gateways", "dns", "top", "tables", "reloads"]:
                self.in_sight(page, f"#{section}")
                page.until(section, f"document.querySelector('#{section} table, #{section} .quiet')?.innerText.length > 0")
            self.in_sight(page, "#now")
            page.until("a line in the plot", "document.querySelector('#plot-rates .line-0').getAttribute('d')?.includes('L')")
            page.js("document.activeElement.blur()")
            page.shot(f"{SHOTS}/{'dark' if dark else 'light'}.png")
            grounds.append(page.js("getComputedStyle(document.body).backgroundColor"))
            # WCAG 2.2 §1.4.3: 4.5 to 1, of every text that stands on a ground of its own or its section's.
            self.assertEqual(page.js(FAINT), [])
            self.quiet(page)
        self.assertNotEqual(*grounds)

    def test_everything_that_is_asked_for_has_a_name(self):
        page = self.open_ready(self.serve())
        nameless = page.js("""[...document.querySelectorAll('input, select, textarea')].filter((field) => field.labels.length === 0).map((field) => field.id)
            .concat([...document.querySelectorAll('button')].filter((button) => !button.textContent.trim() && !button.ariaLabel && !button.closest('dialog')).map((button) => button.id))
            .concat([...document.querySelectorAll('section, nav, [role=region]')].filter((part) => !part.hasAttribute('aria-label') && !document.getElementById(part.getAttribute('aria-labelledby'))).map((part) => part.id))""")
        self.assertEqual(nameless, [])
        self.assertEqual(page.js("[document.documentElement.lang, document.querySelectorAll('main, h1').length, document.querySelectorAll('th:not([scope])').length]"), ["en", 2, 0])
        page.key("Tab")
        page.key("Tab")
        outline = page.js("getComputedStyle(document.activeElement).outlineStyle + getComputedStyle(document.activeElement).outlineWidth")
        self.assertEqual(outline, "solid3px", "the focus is seen")


# Texts whose contrast with their ground is under 4.5.
FAINT = """(() => {
    const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map((part) => part / 255).map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
        .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
    const ground = (node) => { for (; node; node = node.parentElement) { const colour = rgb(getComputedStyle(node).backgroundColor); if (colour.length === 3) return colour; } return [255, 255, 255]; };
    const hasText = (node) => [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim() !== '');
    return [...document.querySelectorAll('body *')].filter((node) => hasText(node) && node.checkVisibility() && !node.disabled && !node.closest('noscript, svg')).flatMap((node) => {
        const [one, other] = [light(rgb(getComputedStyle(node).color)), light(ground(node))].sort((a, b) => b - a);
        const contrast = (one + 0.05) / (other + 0.05);
        return contrast < 4.5 ? [`${node.outerHTML.slice(0, 60)} ${contrast.toFixed(2)}`] : [];
    });
})()"""


if __name__ == "__main__":
    unittest.main(verbosity=2)
