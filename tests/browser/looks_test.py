"""The page asks for no more than is seen, and is usable on a phone, in the dark, by keyboard."""

from case import SHOTS, PageCase

PHONE = {"width": 390, "height": 844}
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


class LooksTest(PageCase):
    def test_no_more_is_asked_than_is_seen_and_one_at_a_time(self):
        server = self.serve()
        page = self.open_ready(server, calm=False)
        page.until("the seconds there are", "document.querySelector('#plot-rates > svg .line-0')?.getAttribute('d')?.includes('M')")
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
            page.until("a line in the plot", "document.querySelector('#plot-rates > svg .line-0')?.getAttribute('d')?.includes('L')")
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
