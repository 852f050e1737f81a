"""A page in a real browser, without its window: what a script finds in it."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def run_in_page(page: Path, script: str, *options: str) -> Any:
    """What a script returns, as JSON holds it, that runs as the last of a page.

    Args:
        page: an HTML file, which stays as it is.
        script: the body of a function.
        options: of the browser, such as `--window-size=390,800`.
    """
    browser = next(filter(None, map(shutil.which, NAMES)), None)
    if browser is None:
        pytest.skip(f"no browser: {', '.join(NAMES)}")
    told = "document.body.dataset.told = JSON.stringify((() => {" + script + "})())"
    copy = page.with_name("driven.html")
    text = page.read_text(encoding="utf-8")
    copy.write_text(text.replace("</body>", f"<script>{told}</script></body>"), encoding="utf-8")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", *options]
    try:
        done = subprocess.run(
            [*command, copy.resolve().as_uri()], capture_output=True, text=True, timeout=120
        )
    finally:
        copy.unlink()
    found = re.search(r'<body[^>]* data-told="([^"]*)"', done.stdout)
    assert found, f"the script ended early\n{done.stderr[-2000:]}"
    return json.loads(html.unescape(found[1]))
