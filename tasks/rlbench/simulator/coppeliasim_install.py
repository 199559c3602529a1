# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Finds RLBench, PyRep and CoppeliaSim, and says what is missing and how to install it.

All is looked for before anything is started: without a display, or with the wrong plugins of
Qt, CoppeliaSim aborts the whole process.
"""

import importlib
import importlib.util
import os
import pathlib
import re
import socket
import sys
import types
from collections.abc import Mapping

from perceiver_bench import api

_PYREP, _RLBENCH = "pyrep", "rlbench"
_MODULES = {
    "action_mode": "rlbench.action_modes.action_mode",
    "arm_action_modes": "rlbench.action_modes.arm_action_modes",
    "const": "pyrep.const",
    "demo": "rlbench.demo",
    "environment": "rlbench.environment",
    "errors": "pyrep.errors",
    "exceptions": "rlbench.backend.exceptions",
    "gripper_action_modes": "rlbench.action_modes.gripper_action_modes",
    "observation_config": "rlbench.observation_config",
    "tasks": "rlbench.tasks",
}
_LIBRARY = "libcoppeliaSim.so"
_PATIENCE = 5.0
SOCKETS = os.path.join(os.sep, "tmp", ".X11-unix", "X")
"""Where X servers listen, before the number of the display; also in the abstract namespace."""

_GET_SIMULATOR = (
    "unpack CoppeliaSim_Edu_V4_1_0_Ubuntu20_04.tar.xz of coppeliarobotics.com (other versions do"
    " not work with PyRep) and, before Python starts, `export COPPELIASIM_ROOT=ITS_FOLDER"
    " LD_LIBRARY_PATH=$LD_LIBRARY_PATH:ITS_FOLDER QT_QPA_PLATFORM_PLUGIN_PATH=ITS_FOLDER`"
)
_GET_PYREP = "after that `pip install git+https://github.com/stepjam/PyRep.git`"
_GET_RLBENCH = (
    "`pip install git+https://github.com/MohitShridhar/RLBench.git@peract`, which has PerAct's 18"
    " tasks (github.com/stepjam/RLBench has not all of them)"
)
_GET_DISPLAY = "`apt install xvfb` and put `xvfb-run -a` before the command"


def load() -> types.SimpleNamespace:
    """Returns the modules of RLBench and PyRep that are used, by their last name.

    Raises:
        UserError: naming all that is missing, and the steps that install it.
    """
    missing = _missing(os.environ)
    if missing:
        steps = list(dict.fromkeys(missing.values()))
        raise api.UserError(
            f"RLBench cannot run here: {'; '.join(missing)}. To mend it: "
            + "; ".join(f"({number}) {step}" for number, step in enumerate(steps, 1))
        )
    try:
        return types.SimpleNamespace(
            **{name: importlib.import_module(module) for name, module in _MODULES.items()}
        )
    # PyRep loads CoppeliaSim's library and raises errors of its own where it cannot.
    except Exception as error:
        raise api.UserError(
            f"RLBench cannot be imported: {type(error).__name__}: {error}; RLBench has to be 1.2"
            f" or its branch `peract`. To mend it: (1) {_GET_SIMULATOR}; (2) {_GET_PYREP}; (3)"
            f" {_GET_RLBENCH}"
        ) from error


def _missing(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns the step that mends it, by what is missing."""
    missing = {}
    if not sys.platform.startswith("linux"):
        missing[f"PyRep is for Linux, and this is {sys.platform}"] = "use a machine with Linux"
    missing |= dict.fromkeys(_faults_of_simulator(environment), _GET_SIMULATOR)
    for package, step in ((_PYREP, _GET_PYREP), (_RLBENCH, _GET_RLBENCH)):
        if importlib.util.find_spec(package) is None:
            missing[f"no Python package {package}"] = step
    display = environment.get("DISPLAY", "")
    if not display:
        missing["no DISPLAY, and CoppeliaSim 4.1 cannot render by EGL"] = _GET_DISPLAY
    elif not _answers(display):
        missing[f"no X server answers at DISPLAY={display}"] = _GET_DISPLAY
    return missing


def _faults_of_simulator(environment: Mapping[str, str]) -> list[str]:
    platform = environment.get("QT_QPA_PLATFORM", "xcb")
    faults = [] if platform == "xcb" else [f"QT_QPA_PLATFORM={platform}, which has to be xcb"]
    root = environment.get("COPPELIASIM_ROOT", "")
    if not root:
        return [*faults, "COPPELIASIM_ROOT is not set"]
    if not (pathlib.Path(root) / _LIBRARY).is_file():
        return [*faults, f"COPPELIASIM_ROOT={root} has no {_LIBRARY}"]
    plugins = environment.get("QT_QPA_PLATFORM_PLUGIN_PATH", "")
    if not plugins or pathlib.Path(plugins) != pathlib.Path(root):
        faults.append(f"QT_QPA_PLATFORM_PLUGIN_PATH={plugins}, which has to be {root}")
    return faults


def _answers(display: str) -> bool:
    """Says whether an X server can be reached; of names that are no HOST:NUMBER, that it can."""
    match = re.fullmatch(r"([^:]*):(\d{1,5})(?:\.\d+)?", display)
    if not match:
        return True
    host, number = match[1], int(match[2])
    if host not in ("", "unix"):
        try:
            socket.create_connection((host, 6000 + number), _PATIENCE).close()
        except (OSError, OverflowError):
            return False
        return True
    return any(_is_open(f"{start}{SOCKETS}{number}") for start in ("", "\0"))


def _is_open(address: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(_PATIENCE)
        try:
            client.connect(address)
        except OSError:
            return False
    return True
