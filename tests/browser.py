"""Headless Chromium for the tests of pages."""

import base64
import json
import os
import select
import shutil
import subprocess
import time

import pytest

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
    "--v=0",
)


def installed():
    """Debian's Chromium, installed now if that is possible here."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        for command in ("update", "install -y --no-install-recommends chromium fonts-noto-cjk"):
            subprocess.run(["apt-get", "-q", *command.split()], stdout=subprocess.DEVNULL, timeout=900, check=True)
    return shutil.which("chromium")


def found():
    """The program; the test is skipped where that was asked for."""
    if os.environ.get("RUNNER_NO_BROWSER") == "1":
        pytest.skip("RUNNER_NO_BROWSER=1")
    binary = shutil.which("chromium") or installed()
    if binary is None:
        pytest.fail("no chromium here: apt-get install chromium fonts-noto-cjk, or set RUNNER_NO_BROWSER=1")
    return binary


@pytest.fixture
def chromium(tmp_path):
    binary = found()

    def call(path, *flags):
        profile = tmp_path / f"profile-{len(list(tmp_path.glob('profile-*')))}"
        command = [binary, *FLAGS, f"--user-data-dir={profile}", *flags, path.resolve().as_uri()]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)

    return call


class Tab:
    """A page in Chromium that is driven: what a person could do, and what they would see."""

    def __init__(self, binary, profile):
        to_read, self.out = os.pipe()
        self.into, to_write = os.pipe()
        command = f'exec "$@" 3<&{to_read} 4>&{to_write}'
        flags = (
            *FLAGS,
            "--remote-debugging-pipe",
            f"--user-data-dir={profile}",
            "--window-size=1100,900",
            "about:blank",
        )
        self.process = subprocess.Popen(
            ["bash", "-c", command, "bash", binary, *flags], pass_fds=(to_read, to_write), stderr=subprocess.DEVNULL
        )
        os.close(to_read)
        os.close(to_write)
        self.count, self.rest, self.session, self.complaints = 0, b"", None, []
        target = next(one for one in self("Target.getTargets")["targetInfos"] if one["type"] == "page")
        self.session = self("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self(f"{domain}.enable")

    def __call__(self, method, **parameters):
        """What Chromium answers to one command of its protocol."""
        self.count += 1
        message = {"id": self.count, "method": method, "params": parameters}
        message |= {"sessionId": self.session} if self.session else {}
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self.count:
                assert "error" not in answer, answer
                return answer["result"]
            if answer.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled"):
                self.complaints.append(answer["params"])

    def _read(self):
        while b"\0" not in self.rest:
            ready, _, _ = select.select([self.into], [], [], 60)
            assert ready, "Chromium does not answer"
            self.rest += os.read(self.into, 1 << 20)
        message, _, self.rest = self.rest.partition(b"\0")
        return json.loads(message)

    def open(self, path, place="", width=1100, height=900, dark=False):
        """A page until its script has run."""
        self("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self("Emulation.setEmulatedMedia", features=scheme)
        self("Page.navigate", url="about:blank")
        self("Page.navigate", url=path.resolve().as_uri() + place)
        for _ in range(200):
            if self.value("document.documentElement?.dataset.ready || ''") == "yes":
                break
            time.sleep(0.05)
        else:
            raise AssertionError(f"the script did not come to its end: {self.complaints}")
        self.settle()

    def value(self, expression):
        """What an expression comes to in the page."""
        answer = self("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def at(self, selector):
        """The middle of an element, brought into view."""
        element = f"document.querySelector({selector!r})"
        self.value(f"{element}.scrollIntoView({{block: 'center', behavior: 'instant'}})")
        self.settle()
        return self.value(
            f"(() => {{ const r = {element}.getBoundingClientRect(); "
            "return [r.x + r.width / 2, r.y + r.height / 2, r.width, r.height]; })()"
        )

    def settle(self):
        """Wait until what was asked for has been drawn."""
        self.value("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")

    def mouse(self, kind, x, y, button="none"):
        """One event of the mouse."""
        pressed = {"left": 1, "none": 0}[button]
        self("Input.dispatchMouseEvent", type=kind, x=x, y=y, button=button, buttons=pressed, clickCount=1)

    def hover(self, selector):
        """Point at an element."""
        self.mouse("mouseMoved", *self.at(selector)[:2])

    def click(self, selector):
        """Click on an element."""
        x, y = self.at(selector)[:2]
        self.mouse("mouseMoved", x, y)
        self.mouse("mousePressed", x, y, "left")
        self.mouse("mouseReleased", x, y, "left")

    def picture(self, path):
        """The whole page as PNG."""
        answer = self("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(answer["data"]))

    def close(self):
        """End this browser, and no other."""
        self.process.kill()
        self.process.wait()
        os.close(self.out)
        os.close(self.into)


@pytest.fixture
def tab(tmp_path):
    opened = Tab(found(), tmp_path / "profile")
    yield opened
    opened.close()
