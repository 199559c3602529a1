# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The parent's side of a worker process: start it, ask it, end it, say why it has ended."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

# A process that waits must wait asleep: threads that spin take the time of the one that runs.
# All run on the processor, for it is what both libraries are compared on.
_ENVIRONMENT = {"JAX_PLATFORMS": "cpu", "OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}


class NotMeasured(Exception):
    """A worker ended before it was measured; the message says why, in one line."""


def worker_command(*arguments: str) -> list[str]:
    """Returns the command that starts `worker.py` with these arguments."""
    return [sys.executable, "-m", "perceiver_bench.benchmark.worker", *arguments]


class Worker:
    """A worker process, as a context that kills it at the end. `facts` are its first answer.

    Raises:
        NotMeasured: here and from `ask`, if the process has ended.
    """

    def __init__(self, command: Sequence[str]):
        self._stack = contextlib.ExitStack()
        # A file: a pipe that nobody reads would stop the process once it is full.
        self._errors = self._stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, **_ENVIRONMENT},
            text=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        self._process, self._commands, self._answers = process, process.stdin, process.stdout
        self._stack.callback(self._end)
        try:
            self.facts = self._answer()
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def ask(self, command: str) -> dict[str, Any]:
        """Sends one line and returns the answer to it."""
        with contextlib.suppress(BrokenPipeError):  # that no answer comes says more
            self._commands.write(f"{command}\n")
            self._commands.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        line = self._answers.readline()
        if line:
            return json.loads(line)
        code = self._process.wait()
        self._errors.seek(0)
        raise NotMeasured(_reason(code, self._errors.read().decode(errors="replace")))

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._answers.close()
        with contextlib.suppress(BrokenPipeError):
            self._commands.close()


def _reason(code: int, errors: str) -> str:
    """Says in one line why a process has ended with this code and these lines."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    last = lines[-1] if lines else "it said nothing"
    if code == -signal.SIGKILL:
        return "killed by the system, probably for want of memory"
    if code < 0:
        return f"ended by {signal.Signals(-code).name}: {last}"
    return last if lines else f"ended with exit code {code}: {last}"
