"""The page shows what the server says, and what is hostile as text."""

import json

from case import PageCase
from server import eventually

# A name that would be markup, and one that would turn the line around.
HOSTILE = '<img src=x onerror="document.title=1">'
TURNED = "evil\u202etxt"


class ShownTest(PageCase):
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
        page.until("a line in the plot", "document.querySelector('#plot-rates > svg .line-0')?.getAttribute('d')?.includes('L')")
        page.until("a time", "/\\d (ns|µs|ms)/.test(document.querySelector('#figures div:last-child dd').innerText)")
        page.until("a time in the plot", "document.querySelector('#plot-times > svg .line-2')?.getAttribute('d')?.startsWith('M')")
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

    def test_hostile_names_and_users_are_text(self):
        name = HOSTILE.replace("'", "''")
        # The host is none; who is malformed is answered so that the test knows that it was taken.
        unknown = "defaults: { unknown: { policy: answer, malformed: answer } }\n"
        server = self.serve(unknown + f"routes: [ {{ name: '{name}', when: {{ user: '/script/' }}, answer: 404 }}, {{ name: \"{TURNED}\", answer: 404 }} ]\n", "top: {sample: 1}\n")
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
            told["gateways"] = [dict(one, up=index != 1, mark="down" if index == 1 else "auto", probed=index == 0, **({"last_probe": "200 in 3 ms"} if index == 0 else {})) for index, one in enumerate(told["gateways"])]
            page.js(f"""(() => {{
                const [real, told] = [window.fetch, {json.dumps(json.dumps(told))}];
                window.fetch = async (path, how) => path.endsWith('/gateways') ? new Response(told) : real(path, how);
            }})()""")
        self.in_sight(page, "#gateways")
        page.until("their states", "document.querySelector('#gateways-list .state') !== null")
        states = page.js("[...document.querySelectorAll('#gateways-list tbody tr')].map((row) => row.cells[1].textContent)")
        expected = [("✓ up" if one["up"] else "✗ down") + (f" marked {one['mark']}" if one["mark"] != "auto" else (" probed" + (f": {one['last_probe']}" if one.get("last_probe") else "")) if one["probed"] else " not probed") for one in told["gateways"]]
        self.assertEqual(states, expected)
        self.quiet(page)
