"""What the manifest knows of the code that made a number."""

from __future__ import annotations

import subprocess

import pytest

from runner import manifest


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A repository with one committed file, which the code seems to lie in."""
    (tmp_path / "runner").mkdir()
    (tmp_path / "conf").mkdir()
    (tmp_path / "runner" / "a.py").write_text("a = 1\n")
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-q", "-m", "one"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    monkeypatch.setattr(manifest, "__file__", str(tmp_path / "runner" / "manifest.py"))
    return tmp_path


def test_new_changed_and_removed_files_of_the_code_have_other_hashes(checkout):
    def change(content):
        path = checkout / "runner" / "b.py"
        path.write_text(content) if content is not None else path.unlink()
        return manifest.git()

    clean = manifest.git()
    assert set(clean) == {"commit"}
    states = [change("b = 1\n"), change("b = 2\n")]
    (checkout / "runner" / "a.py").write_text("a = 2\n")
    states.append(manifest.git())
    assert {state["commit"] for state in states} == {clean["commit"]}
    assert len({state["dirty_sha256"] for state in states}) == 3


def test_what_lies_beside_the_code_changes_no_hash(checkout):
    (checkout / "notes.txt").write_text("x")
    assert set(manifest.git()) == {"commit"}


def test_outside_of_a_checkout_there_is_no_commit(tmp_path, monkeypatch):
    monkeypatch.setattr(manifest, "__file__", str(tmp_path / "runner" / "manifest.py"))
    assert manifest.git() is None
