# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What RLBench needs, each named with its step where it is missing."""

import importlib.util
import socket
import sys

import pytest
import rlbench_fake
import rlbench_fake_parts as parts
from perceiver_bench.tasks.rlbench.simulator import coppeliasim_install as install
from perceiver_bench.tasks.rlbench.simulator.coppeliasim import CoppeliaSimulator

from perceiver_bench.errors import UserError


@pytest.fixture
def fake(monkeypatch, tmp_path):
    return rlbench_fake.Fake("peract").install(monkeypatch, tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "problem", "step"),
    [
        ("COPPELIASIM_ROOT", None, "COPPELIASIM_ROOT is not set", "Edu_V4_1_0_Ubuntu20_04"),
        ("COPPELIASIM_ROOT", "/nowhere", "has no libcoppeliaSim.so", "coppeliarobotics.com"),
        ("QT_QPA_PLATFORM_PLUGIN_PATH", None, "has to be /", "export COPPELIASIM_ROOT="),
        ("QT_QPA_PLATFORM", "eglfs", "QT_QPA_PLATFORM=eglfs, which has to be xcb", "export"),
        ("DISPLAY", None, "no DISPLAY, and CoppeliaSim 4.1 cannot render by EGL", "xvfb-run -a"),
        ("DISPLAY", ":98", "no X server answers at DISPLAY=:98", "apt install xvfb"),
    ],
)
def test_what_is_missing_around_it_is_named(fake, monkeypatch, name, value, problem, step):
    del fake
    if value is None:
        monkeypatch.delenv(name)
    else:
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError) as caught:
        CoppeliaSimulator(8)
    message = str(caught.value)
    assert message.startswith("RLBench cannot run here: ")
    problems, steps = message.split(". To mend it: ")
    assert problem in problems
    assert steps.startswith("(1) ")
    assert step in steps
    assert "(2)" not in steps
    assert "pip install" not in steps
    assert "\n" not in message


@pytest.mark.parametrize(
    ("package", "step"),
    [("pyrep", "github.com/stepjam/PyRep"), ("rlbench", "github.com/MohitShridhar/RLBench")],
)
def test_a_missing_package_is_named(fake, monkeypatch, package, step):
    del fake
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == package else find(name)
    )
    with pytest.raises(UserError, match=rf"here: no Python package {package}\. .*{step}"):
        CoppeliaSimulator(8)


def test_all_that_is_missing_is_in_one_message(monkeypatch):
    for name in ("COPPELIASIM_ROOT", "QT_QPA_PLATFORM", "DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(UserError) as caught:
        install.load()
    order = ["Linux, and this is darwin", "COPPELIASIM_ROOT is not set", "package pyrep"]
    order += ["package rlbench", "no DISPLAY", "(1) use a machine with Linux"]
    order += ["(2) unpack", "(3) after that", "(4) `pip install", "(5) `apt install xvfb`"]
    places = [str(caught.value).index(one) for one in order]
    assert places == sorted(places)


@pytest.mark.parametrize(
    "error",
    [
        ImportError("libcoppeliaSim.so.1: cannot open shared object file"),
        ModuleNotFoundError("No module named 'rlbench.action_modes.action_mode'"),
        parts.PyRepError("COPPELIASIM_ROOT was not a correct path."),
    ],
)
def test_what_cannot_be_imported_is_told(fake, monkeypatch, error):
    del fake

    def refuse(_):
        raise error

    monkeypatch.setattr(install.importlib, "import_module", refuse)
    with pytest.raises(UserError) as caught:
        CoppeliaSimulator(8)
    message = str(caught.value)
    assert f"RLBench cannot be imported: {type(error).__name__}: {error}" in message
    assert "LD_LIBRARY_PATH" in message
    monkeypatch.undo()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="sockets of Linux")
def test_an_x_server_is_asked():
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        number = next(number for number in range(40000, 50000) if bound(server, number))
        assert not install._answers(f":{number}")
        server.listen()
        assert install._answers(f":{number}")
        assert install._answers(f":{number}.0")
        assert install._answers(f"unix:{number}")
    assert not install._answers(f":{number}")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert install._answers(f"127.0.0.1:{port - 6000}.0")
    assert not install._answers(f"127.0.0.1:{port - 6000}")
    assert not install._answers("127.0.0.1:99999")
    assert install._answers("a name of another form")


def bound(server, number):
    try:
        server.bind(f"\0{install.SOCKETS}{number}")
    except OSError:
        return False
    return True
