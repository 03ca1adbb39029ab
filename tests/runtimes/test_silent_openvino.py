import subprocess
import sys

import pytest


def test_nobody_is_told_that_it_runs() -> None:
    """OpenVINO's telemetry tells a server of every import."""
    code = (
        "import sys; import vivant.runtimes.openvino; "
        "loaded = [n for n, m in sys.modules.items() if 'telemetry' in n and m is not None]; "
        "print([n for n in loaded if not n.startswith('openvino.tools')])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


LEAVE_A_RUNNER_TO_A_THREAD = """
import gc, signal, threading
import numpy as np
from vivant.runtimes.openvino import OpenVinoRunner
from vivant.session.session import STARTER

kept = [OpenVinoRunner(STARTER)]
thread = threading.Thread(target=kept.clear)
thread.start()
thread.join()
gc.collect()
signal.signal(signal.SIGTERM, lambda *_: print("handled"))
signal.raise_signal(signal.SIGTERM)
"""


@pytest.mark.regression
def test_signal_is_handled_after_a_runner_was_let_go_in_a_thread() -> None:
    """OpenVINO's CPU plugin leaves the main thread without a stack for signal handlers.

    It once killed the tests' workers without a word, and would have killed a service at SIGTERM.
    """
    command = [sys.executable, "-c", LEAVE_A_RUNNER_TO_A_THREAD]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "handled\n"), ended.stderr
