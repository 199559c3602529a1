# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""docs/cluster/loopback.sh: N processes of one command on this machine."""

import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator

import pytest
from free_ports import free_port

SCRIPT = pathlib.Path(__file__).resolve().parents[1] / "docs" / "cluster" / "loopback.sh"

# What every process does here: the last of its arguments is --process_id=I.
COMMAND = 'id=${!#}; id=${id#*=}; echo "$id: $*"; '


@contextlib.contextmanager
def started(script: str, *, number: int = 2, **settings: str) -> Iterator[subprocess.Popen[str]]:
    """Gives the running launcher; whatever it started is gone at the end."""
    process = subprocess.Popen(
        [SCRIPT, str(number), "bash", "-c", COMMAND + script, "command"],
        env=os.environ | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def run(script: str, *, number: int = 2, **settings: str) -> tuple[int, str, list[int]]:
    """Returns the exit code, what the processes printed, and their process ids."""
    with started(script, number=number, **settings) as process:
        printed, errors = process.communicate(timeout=30)
        # Asked before the rest is cleared away.
        left = [one for one in process_ids(errors) if lives(one)]
    assert not left
    return process.returncode, printed, process_ids(errors)


def process_ids(errors: str) -> list[int]:
    return [int(one) for one in re.findall(r"has the process id (\d+)", errors)]


def lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_every_process_gets_the_flags_of_one_run():
    code, printed, processes = run("true", number=3)
    assert code == 0
    assert len(set(processes)) == 3
    lines = sorted(printed.splitlines())
    [port] = set(re.findall(r"--coordinator=127\.0\.0\.1:(\d+) ", printed))
    assert lines == [
        f"{i}: --coordinator=127.0.0.1:{port} --num_processes=3 --process_id={i}" for i in range(3)
    ]
    assert 0 < int(port) < 65536


def test_a_named_port_is_taken():
    port = free_port()
    code, printed, _ = run("true", PORT=str(port))
    assert code == 0
    assert printed.count(f"--coordinator=127.0.0.1:{port} ") == 2


def test_all_are_waited_for():
    code, printed, _ = run('sleep "0.$id"; echo "end of $id"', number=3)
    assert code == 0
    assert all(f"end of {i}" in printed for i in range(3))


def test_the_first_failure_counts_and_the_others_are_ended():
    began = time.monotonic()
    code, *_ = run("if ((id == 1)); then exit 7; fi; exec sleep 25", number=3, GRACE="0")
    assert code == 7
    assert time.monotonic() - began < 20


def test_the_others_have_time_to_end_by_themselves():
    code, printed, _ = run(
        'if ((id == 0)); then kill -KILL $$; fi; sleep 1.5; echo "lost process 0"; exit 1',
        GRACE="20",
    )
    assert code == 128 + signal.SIGKILL
    assert "lost process 0" in printed


def test_who_does_not_end_on_sigterm_is_killed():
    code, *_ = run(
        "if ((id == 1)); then exit 3; fi; trap '' TERM; while true; do sleep 0.2; done", GRACE="0"
    )
    assert code == 3


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_signals_go_on_to_all(sent):
    script = "trap 'echo \"saved $id\"; exit 143' TERM; echo ready; while true; do sleep 0.1; done"
    with started(script) as process:
        assert process.stdout is not None
        ready = 0
        while ready < 2:
            ready += process.stdout.readline() == "ready\n"
        process.send_signal(sent)
        printed, errors = process.communicate(timeout=30)
        assert not any(lives(one) for one in process_ids(errors))
    assert process.returncode == 143
    assert sorted(printed.splitlines()) == ["saved 0", "saved 1"]


@pytest.mark.parametrize(
    ("arguments", "settings", "message"),
    [
        pytest.param([], {}, "usage", id="nothing"),
        pytest.param(["2"], {}, "usage", id="no_command"),
        pytest.param(["0", "true"], {}, "usage", id="no_process"),
        pytest.param(["two", "true"], {}, "usage", id="no_number"),
        pytest.param(["2", "true"], {"PORT": "http"}, "PORT=http", id="no_port"),
        pytest.param(["2", "true"], {"GRACE": "a while"}, "GRACE=a while", id="no_seconds"),
    ],
)
def test_wrong_arguments_are_one_line(arguments, settings, message):
    done = subprocess.run(
        [SCRIPT, *arguments], env=os.environ | settings, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert message in done.stderr


def test_a_port_in_use_is_refused():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = subprocess.run(
            [SCRIPT, "2", "true"],
            env=os.environ | {"PORT": str(port)},
            capture_output=True,
            text=True,
            timeout=30,
        )
    assert done.returncode == 2
    assert f"PORT={port}: something listens there already" in done.stderr
