# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""A real browser without a window, driven by chromedriver's own protocol (W3C WebDriver)."""

import base64
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from typing import Any

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
DRIVER = "chromedriver"
_SECONDS = 60


def missing() -> str:
    """Returns what is not installed, with its package in Debian; empty if nothing is missing."""
    if not any(map(shutil.which, BROWSERS)):
        return f"needs a browser, one of {', '.join(BROWSERS)} (apt-get install chromium)"
    if not shutil.which(DRIVER):
        return f"needs {DRIVER} (apt-get install chromium-driver)"
    return ""


class Browser:
    """One browser with one page."""

    def __init__(self, address: str) -> None:
        self._driver = address
        self._session = ""
        binary = next(filter(None, map(shutil.which, BROWSERS)))
        # The sandbox needs what a container may not give; the pages are the tests' own.
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        wanted = {
            "browserName": "chrome",
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            "goog:chromeOptions": {"binary": binary, "args": flags},
        }
        value = self._send("POST", "", {"capabilities": {"alwaysMatch": wanted}})
        self._session = f"/{value['sessionId']}"

    def _send(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self._driver}/session{self._session}{path}",
            data,
            {"Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
            return json.load(answer)["value"]

    def open(self, page: pathlib.Path, fragment: str = "") -> None:
        self._send("POST", "/url", {"url": page.as_uri() + fragment})

    def run(self, script: str, *arguments: Any) -> Any:
        """Runs the body of a function in the page and returns what it returns."""
        return self._send("POST", "/execute/sync", {"script": script, "args": arguments})

    def command(self, name: str, **parameters: Any) -> Any:
        """Gives a command of the Chrome DevTools protocol."""
        return self._send("POST", "/goog/cdp/execute", {"cmd": name, "params": parameters})

    def size(self, width: int, height: int) -> None:
        """Makes the page as wide and high as a screen of so many CSS pixels."""
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    def scheme(self, name: str) -> None:
        """Prefers the `light` or the `dark` scheme of colours."""
        feature = {"name": "prefers-color-scheme", "value": name}
        self.command("Emulation.setEmulatedMedia", media="", features=[feature])

    def press(self, keys: Sequence[str]) -> None:
        """Presses keys one after the other, as the protocol writes them."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        source = {"type": "key", "id": "keyboard", "actions": actions}
        self._send("POST", "/actions", {"actions": [source]})

    def messages(self) -> list[str]:
        """Returns what the page said on its console since the last call."""
        return [one["message"] for one in self._send("POST", "/se/log", {"type": "browser"})]

    def requests(self) -> list[str]:
        """Returns the addresses that were asked for since the last call."""
        found = self._send("POST", "/se/log", {"type": "performance"})
        events = [json.loads(one["message"])["message"] for one in found]
        sent = (one for one in events if one["method"] == "Network.requestWillBeSent")
        return [one["params"]["request"]["url"] for one in sent]

    def pdf(self) -> bytes:
        """Prints the page."""
        return base64.b64decode(self._send("POST", "/print", {}))

    def picture(self) -> bytes:
        """Returns what is seen as a PNG file."""
        return base64.b64decode(self._send("GET", "/screenshot"))

    def close(self) -> None:
        self._send("DELETE", "")


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """Starts a browser and ends it; its profile is a folder that is removed."""
    with tempfile.TemporaryDirectory() as folder:
        driver = subprocess.Popen(
            [DRIVER, "--port=0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=_environment(folder),
        )
        try:
            assert driver.stdout is not None
            port = next(
                line.rsplit(" ", 1)[1].strip(" .\n")
                for line in driver.stdout
                if "started successfully on port" in line
            )
            found = Browser(f"http://127.0.0.1:{port}")
            try:
                yield found
            finally:
                found.close()
        finally:
            driver.terminate()
            driver.communicate()


def _environment(folder: str) -> dict[str, str]:
    """Returns this process's variables with home and temporary folder within `folder`."""
    # A proxy would be asked for the driver on this machine.
    kept = {name: text for name, text in os.environ.items() if "proxy" not in name.lower()}
    return kept | {"HOME": folder, "TMPDIR": folder}
