"""Opens the page of a run in headless Chromium, as its readers do, and holds it to the result.

python check.py REPORT.html RESULT.json SHOTS: prints every difference and exits 1 where there is one. Pictures go to the folder SHOTS.
"""

import json
import os
import re
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

report, result_file, shots = Path(sys.argv[1]).resolve(), Path(sys.argv[2]), Path(sys.argv[3])
result = json.loads(result_file.read_text())
shots.mkdir(parents=True, exist_ok=True)
wrong = []
# Of a picture; the browser takes none that is much taller.
TALL_PX = 12_000


def hold(is_so, what):
    if not is_so:
        wrong.append(what)


def count(value):
    return f"{value:,}"


def plain(text):
    return text.replace("\u00a0", " ")


# Every text beside its background, as WCAG 2 measures contrast. What is disabled, folded away or drawn is left out.
CONTRAST = """() => {
  const rgb = text => { const all = text.match(/[\\d.]+/g).map(Number); return { rgb: all.slice(0, 3), alpha: all[3] ?? 1 }; };
  const light = rgb => rgb.map(part => part / 255).map(part => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const color = rgb(getComputedStyle(at).backgroundColor);
      if (color.alpha === 1) return color.rgb;
    }
    return [255, 255, 255];
  };
  const bad = [];
  for (const element of document.querySelectorAll("main *")) {
    const own = [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
    if (!own || element.closest("svg,[disabled]") || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const [one, other] = [light(rgb(style.color).rgb), light(behind(element))].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (other + 0.05);
    if (ratio < 4.5) bad.push(`${ratio.toFixed(2)}: ${element.textContent.trim().slice(0, 40)}`);
  }
  return bad;
}"""


def open_page(browser, width, scheme, script=True, address=""):
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=script
    )
    page = context.new_page()
    name = f"{width} px, {scheme}"
    page.on("console", lambda message: hold(message.type not in ("error", "warning"), f"{name}: console: {message.text}"))
    page.on("pageerror", lambda error: wrong.append(f"{name}: {error}"))
    page.on(
        "request",
        lambda request: hold(request.url.startswith((report.as_uri(), "data:")), f"{name}: asks for {request.url}"),
    )
    page.goto(report.as_uri() + address)
    return page


def numbers(page):
    """The page says what the result says."""
    banner = plain(page.locator(".verdict").inner_text())
    hold(plain(result["verdict"]["sentence"]).split("\n")[0] in banner.replace("\n", " "), "the sentence of the verdict is not in the banner")
    hold(f"exit {result['exit_code']}" in banner, "the exit code is not in the banner")
    rows = page.locator("#messages table.ledger").first.locator("tbody tr")
    last = rows.nth(rows.count() - 1)
    for column, key in {"Sent": "sent", "Completed": "completed", "Refused": "refused", "Lost": "lost", "Pending": "pending"}.items():
        said = last.locator(f'td[data-h="{column}"]').inner_text()
        hold(said == count(result["delivery"][key]), f"messages {key}: {said} on the page, {result['delivery'][key]} in the result")
    held = page.locator("#expectations tbody tr").count()
    hold(held == len(result["expectations"]), f"{held} expectations on the page, {len(result['expectations'])} in the result")
    faults = page.locator("#faults tbody tr").count() if page.locator("#faults").count() else 0
    planned = len(result["faults"]) + len(result.get("conditions", []))
    hold(faults == planned, f"{faults} faults on the page, {planned} in the result")
    of = page.locator("#sessions").inner_text()
    hold(count(result["clients"]["opened"]) + " opened" in of, "the number of sessions is not there")


def middle(page, figure, share):
    """A point inside of a chart's plot: so far from its left end."""
    svg = page.locator(f"#{figure} .wide svg.chart")
    svg.scroll_into_view_if_needed()
    box, view = svg.bounding_box(), [float(part) for part in svg.get_attribute("viewBox").split()]
    left, top, width, height = (float(part) for part in svg.get_attribute("data-p").split())
    scale = box["width"] / view[2]
    return box["x"] + (left + width * share) * scale, box["y"] + (top + height / 2) * scale


def cursor(page):
    """What stands under the cursor is what the result has for that moment, and a hidden series is not read."""
    series = result["series"]
    page.mouse.move(*middle(page, "throughput", 0.5))
    said = plain(page.locator("#throughput .read").inner_text())
    at = float(said.split(" s")[0])
    row = series["per_second"][int(at * 1e6 // series["second_us"])]
    sent = round(row["delivery"]["sent"] * 1e6 / series["second_us"])
    hold(f"sent {count(sent)}" in said, f"under the cursor at {at} s: {said!r}, and {sent} were sent")
    hold(page.locator("#response .read").inner_text().startswith(said.split(" s")[0]), "the cursors are not at one moment")
    page.locator("#throughput button.key", has_text="sent").first.click()
    page.mouse.move(*middle(page, "throughput", 0.5))
    said = plain(page.locator("#throughput .read").inner_text())
    hold(" sent " not in said, f"a hidden series is read: {said!r}")
    page.locator("#throughput button.key", has_text="sent").first.click()


def ticks(page):
    return page.locator("#response .wide .ticks").text_content()


def closer(page):
    """A drag looks closer in every chart over time, and the whole run comes back."""
    before = ticks(page)
    start, end = middle(page, "response", 0.3), middle(page, "response", 0.4)
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(end[0], end[1], steps=4)
    page.mouse.up()
    hold(ticks(page) != before, "a drag does not look closer")
    hold(page.locator("#open .wide .ticks").text_content() == page.locator("#response .wide .ticks").text_content(), "not every chart looks closer")
    page.screenshot(path=shots / "closer.png")
    page.locator('.tools [data-do="all"]').click()
    hold(ticks(page) == before, "the whole run does not come back")
    page.locator("#response .wide").focus()
    page.keyboard.press("+")
    hold(ticks(page) != before, "the key for closer does nothing")
    page.keyboard.press("0")
    hold(ticks(page) == before, "the key for the whole run does nothing")


def pinned(browser, page):
    """A click pins a moment, and its address leads there."""
    page.mouse.click(*middle(page, "response", 0.5))
    address = page.evaluate("location.hash")
    hold(re.fullmatch(r"#t=\d+\.\d\d", address), f"a click does not pin: {address!r}")
    page.mouse.move(5, 5)
    hold(page.locator("#response .read").inner_text() != "", "what is pinned is not kept")
    other = open_page(browser, 1280, "light", address=address)
    said = other.locator("#response .read").inner_text()
    hold(said.startswith(f"{float(address[3:]):.2f}"), f"{address} leads to {said!r}")
    page.locator("#response .wide").focus()
    page.keyboard.press("Escape")
    hold(page.evaluate("location.hash") == "", "what is pinned is not let go")


def marks(page):
    """A red mark leads to the message that it is about, wherever that is folded away."""
    led = page.locator("#response .wide a[href^='#message-']")
    for place in {0, led.count() - 1} if led.count() else ():
        address = led.nth(place).get_attribute("href")
        led.nth(place).dispatch_event("click")
        page.evaluate("address => { location.hash = address }", address)
        page.wait_for_timeout(50)
        target = page.locator(address)
        hold(target.count() == 1 and target.is_visible(), f"{address} does not lead to a message")


def theme(page):
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator("button.theme").click()
    hold(page.evaluate("getComputedStyle(document.body).backgroundColor") != before, "the switch of light and dark does nothing")
    page.locator("button.theme").click()


with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=os.environ["CHROMIUM"], args=["--no-sandbox"])
    for scheme in ("light", "dark"):
        for width in (1280, 768, 390):
            page = open_page(browser, width, scheme)
            over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            hold(over <= 0, f"{width} px, {scheme}: {over} px wider than the window")
            for text in page.evaluate(CONTRAST):
                wrong.append(f"{width} px, {scheme}: contrast {text}")
            tall = min(page.evaluate("document.documentElement.scrollHeight"), TALL_PX)
            page.screenshot(
                path=shots / f"{scheme}-{width}.png", full_page=True, clip={"x": 0, "y": 0, "width": width, "height": tall}
            )
            page.context.close()
    page = open_page(browser, 1280, "light")
    numbers(page)
    if result["delivery"]["sent"]:
        cursor(page)
        closer(page)
        pinned(browser, page)
        marks(page)
    theme(page)
    page.emulate_media(media="print")
    hold(not page.locator(".tools").is_visible(), "the tools are printed")
    page.pdf(path=shots / "print.pdf")
    silent = open_page(browser, 1280, "light", script=False)
    hold(silent.locator("#throughput .wide svg.chart").is_visible(), "without scripts there is no chart")
    hold(not silent.locator(".tools").is_visible(), "without scripts there are tools that do nothing")
    browser.close()

hold(report.stat().st_size < 1_500_000, f"{report.stat().st_size} bytes")
for problem in wrong:
    print(f"{report.name}: {problem}")
print(f"{report}: {'ok' if not wrong else f'{len(wrong)} wrong'}, {report.stat().st_size // 1024} KiB")
sys.exit(bool(wrong))
