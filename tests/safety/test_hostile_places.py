"""What lies in the working directory is not imported."""

import subprocess
import sys

import pytest

EVIL = "import os, pathlib; pathlib.Path(os.environ['PWNED']).touch()\n"
LYING_THERE = ("hydra_plugins/evil/__init__.py", "hydra_plugins/evil.py", "sitecustomize.py", "usercustomize.py",
               "torch.py", "yaml.py", "hydra/__init__.py", "omegaconf.py", "antlr4.py",
               "datasets/__init__.py")  # fmt: skip


@pytest.mark.parametrize("name", LYING_THERE)
def test_modules_in_the_working_directory_are_not_imported(spawn, canary, tmp_path, name):
    there = tmp_path / "there" / name
    there.parent.mkdir(parents=True)
    there.write_text(EVIL)
    process = spawn("--cfg", "hydra", cwd=tmp_path / "there")
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0, out
    assert not canary.exists()


def test_a_folder_called_runner_is_not_imported_by_the_command(canary, tmp_path):
    there = tmp_path / "there"
    (there / "runner").mkdir(parents=True)
    (there / "runner" / "__init__.py").write_text(EVIL)
    (there / "runner" / "__main__.py").write_text(EVIL)
    command = [
        sys.executable,
        "-P",
        "-m",
        "runner",
        "--version",
    ]  # as the installed script starts: no working directory
    from tests.conftest import ROOT

    done = subprocess.run(
        command, cwd=there, env={"PYTHONPATH": str(ROOT), "PWNED": str(canary)}, capture_output=True, text=True
    )
    assert done.returncode == 0 and done.stdout.startswith("runner ")
    assert not canary.exists()


@pytest.mark.parametrize("override", ("+hydra.callbacks.x={_target_: os.system, command: pwn}",
                                      "task.predict.encode._target_=distutils.spawn.spawn",
                                      "hydra.searchpath=[pkg://antigravity]"))  # fmt: skip
@pytest.mark.parametrize("flags", ([], ["-m"]), ids=lambda flags: " ".join(flags))
def test_a_hostile_command_ends_with_2_and_one_problem(spawn, canary, tmp_path, override, flags):
    (tmp_path / "there").mkdir()
    process = spawn(*flags, override, cwd=tmp_path / "there")
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 2 and len(out.strip().splitlines()) == 2, out
    assert out.startswith("1 problem in the configuration:\n  ")
    assert not canary.exists() and not list((tmp_path / "there").iterdir())
