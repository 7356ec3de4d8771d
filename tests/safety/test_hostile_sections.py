"""Hydra's own section would run code by itself: callbacks, logging, plugins, search paths, environment."""

import pytest

HYDRA = (
    "+hydra.callbacks.x={_target_: os.system, command: pwn}",
    "+hydra.callbacks.x={_target_: distutils.spawn.spawn, cmd: [pwn]}",
    "hydra.callbacks={x: {_target_: subprocess.run, args: [pwn]}}",
    "++hydra.job_logging.handlers.x={factory: os.system, command: pwn}",
    "++hydra.hydra_logging.handlers.x={class: logging.FileHandler, filename: ../outside}",
    "hydra/job_logging=default",
    "hydra.searchpath=[file:///tmp]",
    "hydra.searchpath=[pkg://antigravity]",
    "+hydra.job.env_set.LD_PRELOAD=evil.so",
    "hydra.run.dir=../outside",
    "hydra.sweep.dir=../outside",
    "hydra.sweep.subdir=../../outside",
    "hydra.output_subdir=../outside",
    "hydra.job.chdir=true",
    "hydra.mode=MULTIRUN",
    "hydra.verbose=true",
    "~hydra.launcher",
    "+decode@hydra.callbacks=beam",
    "hydra={callbacks: {x: {_target_: os.system}}}",
)
PLUGINS = (  # a sweep may choose plugins, by name
    "hydra.launcher._target_=os.system",
    "hydra.sweeper._target_=subprocess.run",
    "hydra.launcher._target_=hydra.utils.instantiate",
    "+hydra.launcher.inner={_target_: os.system}",
    "hydra/launcher=evil",
)
FILES = {  # name: a file of a group that somebody else has written
    "callbacks": "hydra: {callbacks: {x: {_target_: os.system, command: pwn}}}",
    "logging": "hydra: {job_logging: {handlers: {x: {'()': os.system, command: pwn}}}}",
    "launcher": "hydra: {launcher: {_target_: os.system}}",
    "sweeper": "hydra: {sweeper: {_target_: subprocess.Popen}}",
    "environment": "hydra: {job: {env_set: {LD_PRELOAD: evil.so}}}",
    "folder": "hydra: {sweep: {dir: ../outside}}",
    "subdir": "hydra: {output_subdir: ../outside}",
    "run": "hydra: {run: {dir: ../outside}}",
}


@pytest.mark.parametrize("override", HYDRA)
@pytest.mark.parametrize("flags", ([], ["-m"], ["--cfg", "hydra"]),
                         ids=lambda flags: " ".join(flags))  # fmt: skip
def test_hydras_own_section_is_refused(cli, untouched, override, flags):
    ended = cli(*flags, override)
    assert ended.code == 2 and ended.err.startswith("1 problem in "), ended.err
    assert "is not an option: Hydra's own section is fixed" in ended.err
    untouched()


@pytest.mark.parametrize("override", PLUGINS)
def test_a_hostile_launcher_is_refused(cli, untouched, override):
    ended = cli("-m", override, "seed=0,1")
    assert ended.code == 2 and "Traceback" not in ended.err, ended.err
    untouched()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("flags", ([], ["-m"], ["-m", "seed=0,1"], ["--cfg", "all"]), ids=lambda flags: " ".join(flags))
def test_a_file_that_changes_hydras_section_is_refused(cli, untouched, tmp_path, name, flags):
    folder = tmp_path / "groups"
    (folder / "experiment").mkdir(parents=True)
    evil = folder / "experiment" / "evil.yaml"
    evil.write_text(f"# @package _global_\n{FILES[name]}\n")
    ended = cli("--config-dir", str(folder), *flags, "experiment=evil")
    assert ended.code == 2 and "hydra." in ended.err and "Traceback" not in ended.err, ended.err
    untouched(added=[folder, evil.parent, evil])


def test_a_hostile_choice_inside_a_sweep_is_refused_before_any_job(cli, untouched, tmp_path):
    folder = tmp_path / "groups"
    (folder / "experiment").mkdir(parents=True)
    good, evil = folder / "experiment" / "good.yaml", folder / "experiment" / "evil.yaml"
    good.write_text("# @package _global_\nseed: 1\n")
    evil.write_text(f"# @package _global_\n{FILES['logging']}\n")
    ended = cli("--config-dir", str(folder), "-m", "experiment=good,evil")
    assert ended.code == 2 and "hydra.job_logging  is fixed" in ended.err
    assert not cli.runs
    untouched(added=[folder, evil.parent, evil, good])


@pytest.mark.parametrize("flag", ("--config-name=evil", "--config-path=/tmp", "--experimental-rerun=evil.pickle",
                                  "--exp=evil.pickle", "--no-such", "-x", "--foo=1"))  # fmt: skip
def test_flags_that_would_load_something_else_are_refused(cli, untouched, flag):
    ended = cli(flag)
    assert ended.code == 2 and "is no option; see --help" in ended.err
    untouched()
