"""Help, the configuration and mistakes are told before anything heavy is imported."""

import logging
import subprocess
import sys

import pytest

from tests.conftest import ROOT

HEAVY = ("torch", "transformers", "datasets", "numpy", "pyarrow", "pandas", "rich", "huggingface_hub")
CPU_S = 0.5  # the goal; asserted with room for a busy machine
SCRIPT = """
import sys, resource
from runner.__main__ import main
code = main(sys.argv[1:])
heavy = [name for name in {heavy!r} if name in sys.modules]
used = resource.getrusage(resource.RUSAGE_SELF)
print(code, ",".join(heavy) or "-", used.ru_utime + used.ru_stime)
"""


@pytest.fixture(autouse=True)
def _same_handlers_after():
    """Hydra's --info lets the root logger write to this test's output."""
    before = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:], logging.root.level = before


@pytest.fixture
def measured(tmp_path):
    def run(*arguments):
        """The exit code, heavy modules, CPU seconds and output of a command in a process of its own."""
        command = [sys.executable, "-c", SCRIPT.format(heavy=HEAVY), *arguments]
        done = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
        code, heavy, seconds = done.stdout.strip().splitlines()[-1].split()
        return int(code), heavy, float(seconds), done.stdout + done.stderr

    return run


@pytest.mark.parametrize(("arguments", "code"), [
    (["--help"], 0), (["-h"], 0), (["--version"], 0), (["--cfg", "job"], 0), (["--cfg", "job", "decode=beam"], 0),
    (["decode.top_q=1"], 2), (["decode.top_p=3"], 2), (["--bogus"], 2), (["-m", "seed=x,y"], 2),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")  # fmt: skip
def test_nothing_heavy_is_imported(measured, arguments, code):
    ended, heavy, seconds, told = measured(*arguments)
    assert (ended, heavy) == (code, "-"), told
    assert seconds < 4 * CPU_S


def test_help_is_short_and_shows_groups_and_examples(cli):
    ended = cli("--help")
    lines = ended.out.splitlines()
    assert ended.code == 0 and len(lines) <= 45 and max(map(len, lines)) <= 120
    assert "  decode     assisted beam beam_sample default greedy prompt_lookup sample step" in lines
    assert "  train      full head lora none" in lines
    assert "Examples" in lines and "Hydra's own flags" in ended.out and "RUNNER_TRUST" in ended.out


def test_every_example_of_the_help_composes():
    import shlex

    from runner.compose import compose, composer
    from runner.config import freeze
    from runner.sweep.grid import grid
    from runner.sweep.options import split
    from runner.usage import TEXT

    examples = [
        line.strip() for line in TEXT.partition("Examples")[2].partition("Options")[0].splitlines() if line.strip()
    ]
    for line in examples:
        words = shlex.split(line.partition("   ")[0])[3:]
        if words[:1] == ["-m"]:
            options, rest = split(words[1:])
            with composer(None) as composing:
                for overrides in grid([text for text in rest if not text.startswith("hydra")], options):
                    composing.config(overrides)
        else:
            freeze(compose(words))
    assert len(examples) >= 5


def test_version_is_the_packages(cli):
    from runner import __version__

    assert cli("--version").out == f"runner {__version__}\n"


def test_cfg_job_shows_the_configuration_with_its_overrides(cli):
    from omegaconf import OmegaConf

    ended = cli("--cfg", "job", "decode=beam", "seed=3")
    shown = OmegaConf.create(ended.out)
    assert (ended.code, shown.decode.num_beams, shown.seed) == (0, 4, 3)
    assert not list(cli.home.iterdir())


@pytest.mark.parametrize("arguments", [["--cfg", "hydra"], ["--cfg", "job", "--package", "decode"],
                                       ["--info", "config"],
                                       ["--hydra-help"]], ids=" ".join)  # fmt: skip
def test_what_hydra_tells_is_still_told(cli, arguments):
    ended = cli(*arguments)
    assert ended.code == 0 and ended.out
    assert not list(cli.home.iterdir())


@pytest.mark.parametrize("arguments", [["--bogus"], ["-x"], ["--cfg"], ["--cfg", "nonsense"], ["--mult"], ["--foo=1"]],
                         ids=" ".join)  # fmt: skip
def test_a_wrong_flag_ends_with_2(cli, arguments):
    ended = cli(*arguments)
    assert ended.code == 2 and "see --help" in ended.err and "Traceback" not in ended.err


def test_each_job_of_a_sweep_has_its_own_directory_and_nothing_else_is_left(cli, tiny):
    ended = cli(
        "-m",
        f"checkpoint.name_or_path={tiny}",
        "data.prompts=[春]",
        "decode.max_new_tokens=3",
        "seed=0,1",
    )
    assert ended.code == 0, ended.err
    assert len({path.name[-8:] for path in cli.runs}) == 2
    assert [path.name for path in cli.home.iterdir()] == ["outputs"]
    told = [line for line in ended.out.splitlines() if line.startswith("done ")]
    assert [line.split()[1] for line in told] == ["seed=0", "seed=1"]
    assert sorted(line.split()[-1] for line in told) == sorted(str(run.relative_to(cli.home)) for run in cli.runs)
    assert "2 of 2 done" in ended.out


def test_a_job_that_fails_in_a_sweep_costs_only_itself(cli, tiny):
    (cli.home / "rows.txt").write_text("春\n")
    ended = cli(
        "-m", f"checkpoint.name_or_path={tiny}", "data=files", "data.path=none.txt,rows.txt", "decode.max_new_tokens=3"
    )
    assert ended.code == 1 and "Traceback" not in ended.out + ended.err
    assert len(cli.runs) == 1
    failed = [
        line for line in ended.out.splitlines() if line.startswith("FAILED  data.path=none.txt: DataError: none.t")
    ]
    assert failed and "1 of 2 done · 1 failed" in ended.out


def test_mistakes_in_any_job_of_a_sweep_are_told_before_the_first_runs(cli, tiny):
    ended = cli("-m", f"checkpoint.name_or_path={tiny}", "decode.top_p=0.5,2", "data.prompts=[春]")
    assert ended.code == 2 and "0 < top_p <= 1 must hold, but got 2" in ended.err and not cli.runs


def test_a_flag_may_stand_between_overrides(cli, tiny):
    common = (f"checkpoint.name_or_path={tiny}", "data.prompts=[春]", "decode.max_new_tokens=3")
    ended = cli("engine.threads=1", "-m", "seed=1,2", *common)
    assert ended.code == 0 and len(cli.runs) == 2, ended.err
    shown = cli("seed=3", "--cfg", "job", "decode=beam")
    assert shown.code == 0 and "seed: 3" in shown.out and "num_beams: 4" in shown.out


def test_completion_asked_for_by_no_shell_is_a_mistake(cli, monkeypatch):
    monkeypatch.delenv("COMP_LINE", raising=False)
    ended = cli("-sc", "query=bash")
    assert ended.code == 2 and "-sc query  is asked by the shell" in ended.err and "Traceback" not in ended.err


def test_completion_is_still_told_to_a_shell(cli, monkeypatch):
    monkeypatch.setenv("COMP_LINE", "runner decode=gr")
    ended = cli("-sc", "query=bash")
    assert ended.code == 0 and "decode=greedy" in ended.out, ended.err


@pytest.mark.parametrize(("asked", "problems"), [
    (["decode.temprature=0.5", "decode.top_p=2"],
     ["2 problems in the configuration:", "  decode.temprature  no such key; nearest: decode.temperature",
      "  decode.top_p       0 < top_p <= 1 must hold, but got 2.0"]),
    (["decode.top_p=2"],
     ["1 problem in the configuration:", "  decode.top_p  0 < top_p <= 1 must hold, but got 2.0"]),
])  # fmt: skip
def test_problems_are_told_in_one_form(cli, asked, problems):
    ended = cli(*asked)
    assert ended.code == 2 and ended.err.splitlines() == problems


def test_only_what_is_truly_near_is_named():
    from runner.errors import nearest

    keys = ["decode.temperature", "decode.trace", "decode.rule", "decode.top_p", "decode.top_k", "decode.top_h"]
    assert nearest("decode.temprature", keys) == "nearest: decode.temperature"
    assert nearest("decode.top_q", keys).count("decode.") == 3
    assert nearest("xyz", ["beam", "step"]) == "known: beam, step"


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("++sead=3", "sead  no such key; nearest: seed"),
        ("+decode.temprature=0.5", "decode.temprature  no such key; nearest: decode.temperature"),
        ("+data.colums.text=x", "data.colums.text  no such key; nearest: data.columns"),
    ],
)
def test_a_plus_sign_adds_no_keys_that_the_schema_does_not_have(cli, override, told):
    ended = cli(override)
    assert ended.code == 2 and told in ended.err and not cli.runs


def test_a_plus_sign_before_a_known_key_changes_nothing(cli):
    assert cli("--cfg", "job", "+decode.top_k=5").out == cli("--cfg", "job", "decode.top_k=5").out


def test_an_output_that_knows_ascii_only_gets_every_answer(spawn):
    job = spawn("--cfg", "job", "name=山水", env={"PYTHONIOENCODING": "ascii"})
    out, _ = job.communicate(timeout=60)
    assert job.returncode == 0 and "name: \\u5c71\\u6c34" in out
