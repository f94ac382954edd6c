"""Records what a browser does at a server, as an HTTP archive.

python record.py BASE PAGE.js OUT.har [FIRST [LIBRARY.js]]: opens BASE + FIRST in headless Chromium, logs in where there is a form
for it, and does what the page says. The account is the seventh, its password is in PASSWORD.
"""

import os
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

base, script, out = sys.argv[1:4]
first = sys.argv[4] if len(sys.argv) > 4 else "/"
account, password = "user-000007", os.environ["PASSWORD"]

with sync_playwright() as playwright:
    # A page that is no server's own may not speak with loopback, as browsers have it.
    flags = ["--no-sandbox", "--disable-features=LocalNetworkAccessChecks"]
    browser = playwright.chromium.launch(executable_path=os.environ["CHROMIUM"], args=flags)
    context = browser.new_context(record_har_path=out, record_har_content="embed")
    context.set_default_timeout(20_000)
    page = context.new_page()
    # Of a server without pages, one that says nothing.
    page.route(base + "/", lambda route: route.fulfill(content_type="text/html", body="<title>Chat</title>"))
    page.on("pageerror", lambda error: print(error, file=sys.stderr))
    page.goto(base + first)
    if page.locator("input[type=password]").count():
        page.fill("input[name=username]", account)
        page.fill("input[type=password]", password)
        with page.expect_navigation():
            page.click("button")
    for library in sys.argv[5:]:
        page.add_script_tag(path=library)
    page.evaluate(Path(script).read_text(), [account, password])
    context.close()
    browser.close()
