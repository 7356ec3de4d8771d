"""What is shipped: a light install, and a wheel that carries configuration and assets."""

import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
AT_MOST = 60  # packages of the default install


def closure(name, found):
    from packaging.requirements import Requirement

    for text in distribution(name).requires or []:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            key = re.sub(r"[-_.]+", "-", requirement.name).lower()
            if key not in found:
                found.add(key)
                closure(requirement.name, found)
    return found


def test_the_default_install_has_at_most_60_packages():
    packages = closure("runner", {"runner"})
    assert len(packages) <= AT_MOST, sorted(packages)


def test_every_package_of_the_default_install_is_pinned():
    pinned = {re.sub(r"[-_.]+", "-", line.partition("==")[0]).lower() for line in (ROOT / "constraints.txt").open()}
    assert closure("runner", set()) <= pinned


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, ROOT], check=True)
    (path,) = folder.glob("runner-*.whl")
    return path


def test_the_wheel_carries_configuration_and_assets(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    conf = {f"runner/{path.relative_to(ROOT)}" for path in (ROOT / "conf").rglob("*.yaml")}
    assert conf and conf <= names
    assert {"runner/assets/poem_gpt2/model.safetensors", "runner/assets/data/poems_small/train.jsonl"} <= names


def test_an_installed_wheel_runs_from_an_unrelated_directory(wheel, tmp_path):
    """In an environment of its own that only borrows the dependencies, not the checkout."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "clean"], check=True)
    python = tmp_path / "clean" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", wheel], check=True)
    site = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    (Path(site) / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [tmp_path / "clean" / "bin" / "runner", "task=causal_lm", "decode.do_sample=true", "data.limit=2"],
        cwd=elsewhere, env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert str(ROOT) not in done.stdout + done.stderr
    (run,) = (elsewhere / "outputs" / "causal_lm").iterdir()
    assert len((run / "predictions.jsonl").read_text().splitlines()) == 2
