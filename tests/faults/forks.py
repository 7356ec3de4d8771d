"""A server that runs commands in forks of itself: torch and transformers are imported once, kills are real."""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback


def serve() -> None:
    """A job per line, answered by the fork's pid; {"poll": pid} by its exit status, null while it runs."""
    import runner.answering
    import runner.backends.torch
    import runner.engine.decoding
    import runner.predict
    import runner.train.lesson
    import runner.train.tune  # noqa: F401

    for line in sys.stdin:
        job = json.loads(line)
        if "poll" in job:
            pid, status = os.waitpid(job["poll"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        else:
            answer = os.fork() or work(job)
        print(json.dumps(answer), flush=True)


def work(job: dict) -> None:
    """`python -m runner` in this fork, with its output in a file."""
    import runner.answering

    os.setsid()
    runner.answering.SYNC_S = job.get("sync_s", runner.answering.SYNC_S)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whatever the tests were started with (nohup)
    for number in job.get("ignored", ()):
        signal.signal(number, signal.SIG_IGN)
    os.chdir(job["cwd"])
    os.environ.update(job.get("env", {}))
    output = os.open(job["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    code = 1
    try:
        from runner.__main__ import main

        code = main(job["arguments"])
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 1
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    serve()
