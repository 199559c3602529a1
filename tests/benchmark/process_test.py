# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Worker processes: what is told of one that ends, and that none stays behind."""

import os
import sys

import pytest

from perceiver_bench.benchmark.process import NotMeasured, Worker


def python(code):
    return [sys.executable, "-c", code]


# Answers the facts, then "run" with its own process id.
HEALTHY = """
import json, os, sys
print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    print(json.dumps({"seconds": 0.5, "pid": os.getpid()}), flush=True)
"""


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (
            "import sys; print('noise', file=sys.stderr); print('no room\\n', file=sys.stderr);"
            "sys.exit(3)",
            "no room",
        ),
        ("import sys; sys.exit(3)", "ended with exit code 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "want of memory"),
        (
            "import os, signal, sys; print('deep', file=sys.stderr, flush=True);"
            "os.kill(os.getpid(), signal.SIGSEGV)",
            "ended by SIGSEGV: deep",
        ),
    ],
)
def test_a_worker_that_ends_says_why_in_one_line(code, reason):
    with pytest.raises(NotMeasured, match=reason) as raised:
        Worker(python(code))
    assert "\n" not in str(raised.value)


def test_a_worker_that_ends_when_asked_says_why():
    code = "import sys; print('{}', flush=True); sys.stdin.readline(); sys.exit('out of luck')"
    with Worker(python(code)) as worker, pytest.raises(NotMeasured, match="out of luck"):
        worker.ask("run")


def test_a_worker_that_ended_long_ago_says_why():
    with Worker(python("print('{}', flush=True); raise SystemExit('gone')")) as worker:
        worker._process.wait()
        with pytest.raises(NotMeasured, match="gone"):
            worker.ask("run")


def test_a_worker_is_gone_after_its_context_even_if_the_parent_fails():
    pids = []

    def fail():
        with Worker(python(HEALTHY)) as worker:
            assert worker.facts == {"ready": True}
            pids.append(worker.ask("run")["pid"])
            os.kill(*pids, 0)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with pytest.raises(ProcessLookupError):
        os.kill(*pids, 0)


def test_waiting_threads_sleep_and_the_processor_computes():
    code = "import json, os; print(json.dumps(dict(os.environ)), flush=True); input()"
    with Worker(python(code)) as worker:
        assert worker.facts["OMP_WAIT_POLICY"] == "PASSIVE"
        assert worker.facts["JAX_PLATFORMS"] == "cpu"


def test_what_libraries_print_is_no_answer():
    code = """
import os, sys, types
from perceiver_bench.benchmark import worker

def run():
    print("from Python")
    os.write(1, b"from C")
    return {}

def matmul():
    print("while building")
    return worker.Job(run, {"seven": 7})

sys.modules["perceiver_bench.benchmark.ours"] = types.SimpleNamespace(matmul=matmul)
sys.exit(worker.main(["--implementation=matmul"]))
"""
    with Worker(python(code)) as worker:
        assert worker.facts == {"seven": 7}
        assert worker.ask("run")["seconds"] >= 0
        assert worker.ask("quit")["peak_bytes"] > 2**20


def test_a_missing_library_is_told_with_its_mend():
    code = """
import sys
sys.modules["torch"] = None
from perceiver_bench.benchmark import worker
from perceiver_bench.config import to_dict
from perceiver_bench.model.presets import preset
import json
config = json.dumps(to_dict(preset("flow_tiny")))
sys.exit(worker.main(["--implementation=transformers", f"--config={config}", "--settings={}"]))
"""
    with pytest.raises(NotMeasured, match="pip install torch transformers"):
        Worker(python(code))


def test_any_fault_of_a_worker_is_one_line():
    code = """
import sys, types
from perceiver_bench.benchmark import worker

def matmul():
    raise MemoryError("two\\nlines")

sys.modules["perceiver_bench.benchmark.ours"] = types.SimpleNamespace(matmul=matmul)
sys.exit(worker.main(["--implementation=matmul"]))
"""
    with pytest.raises(NotMeasured, match=r"^MemoryError: two lines$"):
        Worker(python(code))
