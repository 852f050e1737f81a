"""A page in a real browser, without its window: what a script finds in it."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from queue import Queue
from tempfile import TemporaryDirectory
from threading import Thread
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


def print_page(page: Path, out: Path) -> None:
    """Print a page into a PDF, as it comes out on paper."""
    browser = next(filter(None, map(shutil.which, NAMES)), None)
    if browser is None:
        pytest.skip(f"no browser: {', '.join(NAMES)}")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--print-to-pdf={out}"]
    subprocess.run(
        [*command, page.resolve().as_uri()], capture_output=True, timeout=120, check=True
    )


def run_while_open(page: Path, script: str, *options: str) -> Any:
    """As `run_in_page`, of a page that goes on after it is loaded, and by the clock on the wall.

    Args:
        page: an HTML file, which stays as it is.
        script: the body of an async function.
        options: of the browser.
    """
    browser = next(filter(None, map(shutil.which, NAMES)), None)
    if browser is None:
        pytest.skip(f"no browser: {', '.join(NAMES)}")
    told = (
        "(async () => {" + script + "})().catch(error => ({ error: String(error.stack) }))"
        ".then(told => fetch('/told', { method: 'POST', body: JSON.stringify(told) }))"
    )
    text = page.read_text(encoding="utf-8")
    driven = text.replace("</body>", f"<script>{told}</script></body>").encode()
    heard: Queue[Any] = Queue()

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/" else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(driven if self.path == "/" else b"")

        def do_POST(self) -> None:
            heard.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    Thread(target=server.serve_forever, daemon=True).start()
    with TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        command += ["--remote-debugging-port=0", f"--user-data-dir={profile}", *options]
        address = f"http://127.0.0.1:{server.server_port}/"
        started = subprocess.Popen(
            [*command, address], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            found = heard.get(timeout=120)
        finally:
            started.terminate()
            started.wait()
            server.shutdown()
            server.server_close()
    assert not (isinstance(found, dict) and "error" in found), found["error"]
    return found
