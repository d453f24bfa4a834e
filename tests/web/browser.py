# SPDX-License-Identifier: AGPL-3.0-or-later
"""A real Chromium for the pages' tests, without a call to anywhere but the pages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.booking_server.hub import PASSWORD
from tests.system import parts
from tests.web.conftest import ADMINISTRATOR, Served

WIDTHS = {"phone": (360, 740), "laptop": (1280, 800)}
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser. Skips the test where there is none."""
    if parts.chromium() is None:
        pytest.skip(parts.missing("Chromium"))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=parts.chromium(), args=list(QUIET))
        yield browser
        browser.close()


def signed_in(browser: Browser, served: Served, size: str = "laptop", *, dark: bool = False) -> tuple[Page, list[str]]:
    """Return a page of somebody signed in, and the list in which every trouble of the pages is noted."""
    width, height = WIDTHS[size]
    context = browser.new_context(
        viewport={"width": width, "height": height}, locale="en-GB", color_scheme="dark" if dark else "light"
    )
    page, troubles = context.new_page(), list[str]()
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda said: troubles.append(said.text) if said.type in ("error", "warning") else None)
    page.on("request", lambda asked: troubles.append(asked.url) if not asked.url.startswith(served.address) else None)
    page.goto(f"{served.address}/sign-in")
    page.fill("#sign_in_name", ADMINISTRATOR)
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{served.address}/")
    return page, troubles
