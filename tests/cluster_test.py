# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The launchers of docs/cluster, as far as they can be run without a cluster."""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import textwrap

import pytest
from free_ports import free_port

DOCS = pathlib.Path(__file__).resolve().parents[1] / "docs"
CLUSTER = DOCS / "cluster"
SCRIPTS = sorted(CLUSTER.glob("*.sh"), key=lambda path: path.name)

# The long options of sbatch that a directive may have, and what their values look like.
COUNT = r"[1-9][0-9]*"
SBATCH = {
    "job-name": r"[\w-]+",
    "nodes": COUNT,
    "gpus-per-node": COUNT,
    "ntasks-per-node": COUNT,
    "cpus-per-task": COUNT,
    "exclusive": "",
    "mem": r"[0-9]+[KMGT]?",
    "time": r"([0-9]+-)?[0-9]{2}:[0-9]{2}:[0-9]{2}",
    "output": r"\S+",
    "open-mode": "append|truncate",
    "requeue": "",
    "signal": r"((B|R|BR):)?(TERM|USR1|USR2|INT)(@[0-9]{1,5})?",
}


def directives(script: str) -> dict[str, str]:
    """Returns the options that sbatch reads: those of #SBATCH lines before the first command."""
    found = {}
    for line in script.splitlines():
        if line and not line.startswith("#"):
            break
        if directive := re.fullmatch(r"#SBATCH --([a-z-]+)(?:=(.*))?", line):
            found[directive[1]] = directive[2] or ""
    return found


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """Gives a function that puts a Python program in the place of a command."""
    folder = tmp_path / "commands"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def add(name: str, program: str) -> pathlib.Path:
        """Returns the file to which the command's arguments are added, one call a line."""
        calls = tmp_path / f"{name}.calls"
        calls.touch()
        (folder / name).write_text(
            f"#!{sys.executable}\nimport shlex, sys\n"
            f"with open({str(calls)!r}, 'a') as calls:\n"
            "    print(shlex.join(sys.argv[1:]), file=calls)\n" + textwrap.dedent(program)
        )
        (folder / name).chmod(0o755)
        return calls

    return add


def run(script: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [CLUSTER / script, *arguments],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_well_formed(script):
    assert os.access(script, os.X_OK)
    assert script.read_text().startswith("#!/usr/bin/env bash\n")
    checked = subprocess.run(["bash", "-n", script], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr


def test_shellcheck_has_no_complaint():
    if shutil.which("shellcheck") is None:
        pytest.skip("needs shellcheck, which is not installed")
    checked = subprocess.run(["shellcheck", *SCRIPTS], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout


def test_the_page_links_every_file_and_no_other():
    links = set(re.findall(r"\]\((?!https?:)([^)#]+)", (DOCS / "cluster.md").read_text()))
    assert all((DOCS / link).is_file() for link in links), links
    assert {link for link in links if link.startswith("cluster/")} == {
        f"cluster/{path.name}" for path in CLUSTER.iterdir()
    }


def test_sbatch_reads_every_directive():
    script = (CLUSTER / "slurm.sh").read_text()
    found = directives(script)
    assert len(found) == script.count("\n#SBATCH")
    for name, value in found.items():
        assert re.fullmatch(SBATCH[name], value), (name, value)
    # JAX gives each task the GPU of its number on the node.
    assert found["ntasks-per-node"] == found["gpus-per-node"]


@pytest.mark.parametrize(
    ("code", "requeued"), [(0, False), (143, True), (1, False), (2, False), (137, False)]
)
def test_slurm_requeues_what_was_saved_on_sigterm(commands, code, requeued):
    srun = commands("srun", f"sys.exit({code})")
    scontrol = commands("scontrol", "")
    done = run(
        "slurm.sh",
        *("--mode=train", "--workdir=a folder"),
        SLURM_JOB_ID="4711",
        SLURM_CPUS_PER_TASK="8",
    )
    assert done.returncode == code
    assert scontrol.read_text() == ("requeue 4711\n" if requeued else "")
    arguments = shlex.split(srun.read_text())
    command = arguments[arguments.index("perceiver-bench") :]
    assert command == ["perceiver-bench", "--mode=train", "--workdir=a folder", "--distributed"]
    assert "--cpus-per-task=8" in arguments


# Starts the tasks of a step as srun does, all of them on this machine.
SRUN = """
import os, subprocess
command = sys.argv[sys.argv.index("perceiver-bench"):]
number = int(os.environ["SLURM_NTASKS"])
tasks = [
    subprocess.Popen(command, env=os.environ | {
        "SLURM_STEP_NODELIST": "localhost",
        "SLURM_PROCID": str(task),
        "SLURM_LOCALID": str(task),
    })
    for task in range(number)
]
sys.exit(max(task.wait() for task in tasks))
"""

# In the place of perceiver-bench: what --distributed asks of JAX, and a sum over all processes.
JOINS = """
import jax
from jax.experimental import multihost_utils
jax.distributed.initialize(initialization_timeout=30)
total = multihost_utils.process_allgather(jax.process_index() + 1).sum()
sys.stdout.write(f"{jax.process_index()} of {jax.process_count()}: {total}\\n")
"""


def test_slurm_tasks_find_each_other_through_jax(commands):
    commands("srun", SRUN)
    commands("scontrol", "")
    commands("perceiver-bench", JOINS)
    done = run(
        "slurm.sh",
        SLURM_JOB_ID="4711",
        SLURM_CPUS_PER_TASK="1",
        SLURM_NTASKS="2",
        JAX_COORDINATOR_PORT=str(free_port()),
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if not line.startswith("[Gloo]")]
    assert sorted(lines) == ["0 of 2: 3", "1 of 2: 3"]


def test_the_tpu_hosts_get_the_flags_as_they_were_given(commands, tmp_path):
    # What gcloud hands to a host's shell is run here by one.
    gcloud = commands(
        "gcloud",
        """
        import subprocess
        command = sys.argv[-1].removeprefix("--command=")
        sys.exit(subprocess.run(["bash", "-c", command]).returncode)
        """,
    )
    program = tmp_path / "perceiver" / "bin" / "perceiver-bench"
    program.parent.mkdir(parents=True)
    program.write_text('#!/usr/bin/env bash\nprintf "%s\\n" "$@"\n')
    program.chmod(0o755)
    flags = ["--mode=train", "--workdir=a folder", "--set=data.pattern='$HOME;*'"]
    done = subprocess.run(
        [CLUSTER / "tpu_pod.sh", *flags],
        env=os.environ | {"TPU_NAME": "slice", "ZONE": "us-central2-b"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [*flags, "--distributed"]
    arguments = shlex.split(gcloud.read_text())
    assert arguments[:-1] == [
        *("compute", "tpus", "tpu-vm", "ssh", "slice"),
        *("--zone=us-central2-b", "--worker=all"),
    ]


@pytest.mark.parametrize("missing", ["TPU_NAME", "ZONE"])
def test_the_tpu_slice_has_to_be_named(commands, missing, monkeypatch):
    gcloud = commands("gcloud", "")
    for name in ("TPU_NAME", "ZONE"):
        monkeypatch.setenv(name, "" if name == missing else "here")
    done = run("tpu_pod.sh", "--mode=list")
    assert done.returncode != 0
    assert missing in done.stderr
    assert gcloud.read_text() == ""
