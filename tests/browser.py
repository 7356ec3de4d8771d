"""Headless Chromium for the tests of pages."""

import os
import shutil
import subprocess

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


@pytest.fixture
def chromium(tmp_path):
    if os.environ.get("RUNNER_NO_BROWSER") == "1":
        pytest.skip("RUNNER_NO_BROWSER=1")
    binary = shutil.which("chromium") or installed()
    if binary is None:
        pytest.fail("no chromium here: apt-get install chromium fonts-noto-cjk, or set RUNNER_NO_BROWSER=1")

    def call(path, *flags):
        profile = tmp_path / f"profile-{len(list(tmp_path.glob('profile-*')))}"
        command = [binary, *FLAGS, f"--user-data-dir={profile}", *flags, path.resolve().as_uri()]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)

    return call
