"""The command line in the tests' own process: one of its own takes seconds to import all."""

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from vivant.cli.app import main


def run(*words: str | Path) -> "CompletedProcess[str]":
    """As from a shell; an error that is not ours is raised."""
    command = ["vivant", *map(str, words)]
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", command)
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
    assert isinstance(code, int), code
    return CompletedProcess(command, code, out.getvalue(), err.getvalue())
