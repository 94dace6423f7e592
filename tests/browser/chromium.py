"""Chromium on this machine, and how a test opens a page in it."""

from __future__ import annotations

import shutil

import pytest
from playwright.sync_api import Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
DESK, PHONE = 1280, 390
# One worker takes them all, so that the pages are served once.
MARKS = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
    pytest.mark.xdist_group("browser"),
]
_IDLE = "[data-testid=stApp][data-test-script-state=notRunning]"


def settle(page: Page) -> None:
    """Wait until the page stands as its script left it."""
    page.wait_for_selector(_IDLE, timeout=30_000)
    # Streamlit draws the last elements in the frame after it says that the script has ended.
    page.wait_for_timeout(150)


def go(page: Page, url: str, width: int) -> None:
    """Open an address on a screen of that width and wait until its page is drawn."""
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(url)
    page.wait_for_selector(".page-head h1", timeout=30_000)
    settle(page)


def hidden_width(page: Page, selector: str) -> int:
    """How many pixels of a frame that scrolls sideways are out of sight."""
    width: int = page.eval_on_selector(selector, "one => one.scrollWidth - one.clientWidth")
    return width


def too_wide(page: Page) -> list[str]:
    """What does not fit: the page itself, and whatever reaches beyond the screen outside a frame that scrolls."""
    found: list[str] = page.evaluate(
        """() => {
            const width = document.documentElement.clientWidth;
            const main = document.querySelector('[data-testid=stMain]');
            const wide = main.scrollWidth > width ? [`page ${main.scrollWidth}`] : [];
            const parts = '.panel, .table-wrap, .event, .fact, h1, h2, button, canvas, svg';
            for (const one of main.querySelectorAll(parts)) {
                const box = one.getBoundingClientRect();
                if (box.width && box.right > width + 1 && !one.closest('.table-wrap table'))
                    wide.push(`${one.tagName}.${one.className} ${Math.round(box.right)}`);
            }
            return wide;
        }"""
    )
    return found
