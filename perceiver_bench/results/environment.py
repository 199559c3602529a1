# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What a run ran on and with: commit, versions, device."""

import importlib.metadata
import os
import pathlib
import platform
import subprocess
from typing import Any

import perceiver_bench
from perceiver_bench.benchmark.table import hardware
from perceiver_bench.results.visible import visible

_LIBRARIES = (
    *("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain", "numpy"),
    *("scipy", "scikit-learn", "pillow", "sentencepiece"),  # they measure and read data
)
# What decides a number; records and notes beside it do not make a checkout dirty.
_CODE = ("perceiver_bench", "tasks", "pyproject.toml")
_GIT_SECONDS = 10


def environment() -> dict[str, Any]:
    """Returns the fields `git`, `versions` and `device` of a record."""
    import jax  # here, so that records are read and tables made without starting it

    devices, machine = jax.devices(), hardware()
    return {
        "git": git_state(),
        "versions": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in _LIBRARIES},
        },
        "device": {
            "platform": devices[0].platform,
            "kind": devices[0].device_kind,
            "count": len(devices),
            "processor": " ".join(visible(machine["cpu"]).split()) or None,
            "cores": machine["cores"],
        },
    }


_CHECKOUT = pathlib.Path(perceiver_bench.__file__).parent.parent


def git_state(checkout: pathlib.Path = _CHECKOUT) -> dict[str, Any] | None:
    """Returns {commit, dirty} of the repository whose root is `checkout`, if it is one.

    An installed package lies in no repository of its own; the one that may be around it
    says nothing about this code.
    """
    if not (checkout / ".git").exists():
        return None
    # Variables such as GIT_DIR, set inside a hook, would point to another repository.
    variables = {name: v for name, v in os.environ.items() if not name.startswith("GIT_")}

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments],
            cwd=checkout,
            env={**variables, "GIT_OPTIONAL_LOCKS": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            text=True,
            timeout=_GIT_SECONDS,
        ).stdout.strip()

    try:
        commit = git("rev-parse", "--verify", "HEAD")
        changed = git("status", "--porcelain", "--", *_CODE)
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit, "dirty": bool(changed)}
