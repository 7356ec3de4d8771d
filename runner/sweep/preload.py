"""Imported once by the server that workers are forked from: what nearly every run needs. It leaves no thread behind."""

import atexit
import os
import signal
import threading


def _end_with(parent: int, imported: threading.Event) -> None:
    """The imports take seconds, in which the server would not notice that whoever started it is gone."""
    while not imported.wait(0.2):
        if os.getppid() != parent:
            os._exit(1)


for _number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # they are for the sweep, which ends this process
    signal.signal(_number, signal.SIG_IGN)
_imported = threading.Event()
_watch = threading.Thread(target=_end_with, args=(os.getppid(), _imported), daemon=True)
_watch.start()
try:
    import runner.backends.torch
    import runner.engine.decoding
    import runner.engine.forward
    import runner.experiment
    import runner.report  # noqa: F401
finally:
    _imported.set()
    _watch.join()
atexit.register(os._exit, 0)  # the server has nothing to tidy up, and taking all that apart takes seconds
