# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import importlib
import pkgutil
import sys
import types

import perceiver_bench.tasks
import pytest

from perceiver_bench import registry
from perceiver_bench.errors import UserError


@pytest.fixture
def fresh(monkeypatch):
    """A registry that knows nothing yet, and a function that adds families to be found."""
    monkeypatch.setattr(registry, "_TASKS", {})
    monkeypatch.setattr(registry, "_UNAVAILABLE", {})
    found = []
    monkeypatch.setattr(pkgutil, "iter_modules", lambda path: found)  # noqa: ARG005
    real = importlib.import_module

    def add(name, code):
        found.append(types.SimpleNamespace(name=name))
        full = f"{perceiver_bench.tasks.__name__}.{name}"
        families[full] = code

    families = {}

    def load(name):
        return families[name]() if name in families else real(name)

    monkeypatch.setattr(importlib, "import_module", load)
    registry._discover.cache_clear()
    yield add
    registry._discover.cache_clear()


def test_the_families_of_this_package_are_found():
    assert "glue/sst2" in registry.names()
    assert list(registry.names()) == sorted(registry.names())
    assert registry.get("glue/sst2") is registry.get("glue/sst2")
    assert registry.unavailable() == {}


def test_an_unknown_name_is_told_with_the_nearest():
    with pytest.raises(UserError, match=r"--task=glue/sst3: no such task\. Did you mean 'glue/sst"):
        registry.get("glue/sst3")


def test_a_family_that_lacks_a_package_is_listed_with_the_mend(fresh):
    def lacking():
        raise registry.MissingDependency("pip install 'perceiver-bench[video]'")

    fresh("video", lacking)
    fresh("toy", lambda: registry.register("toy/toy")(lambda: "the task"))
    assert registry.names() == ("toy/toy",)
    assert registry.get("toy/toy") == "the task"
    assert registry.unavailable() == {"video": "pip install 'perceiver-bench[video]'"}
    with pytest.raises(UserError, match=r"--task=video/kinetics: pip install"):
        registry.get("video/kinetics")


def test_any_other_import_error_is_an_error(fresh):
    def broken():
        raise ImportError("no module named numpyy")

    fresh("broken", broken)
    with pytest.raises(ImportError, match="numpyy"):
        registry.names()


def test_a_name_is_given_once(fresh):
    fresh("toy", lambda: None)
    registry.register("toy/toy")(lambda: 1)
    with pytest.raises(ValueError, match="two tasks are named 'toy/toy'"):
        registry.register("toy/toy")(lambda: 2)


def test_tasks_of_other_packages_are_found(fresh, monkeypatch):
    fresh("toy", lambda: None)
    module = types.ModuleType("other_package_tasks")
    monkeypatch.setitem(sys.modules, "other_package_tasks", module)
    entry = types.SimpleNamespace(value="other_package_tasks")
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [entry] * bool(group))
    loaded = []
    real = importlib.import_module
    monkeypatch.setattr(importlib, "import_module", lambda name: loaded.append(name) or real(name))
    registry.names()
    assert "other_package_tasks" in loaded


def test_the_folder_of_tasks_has_no_other_name():
    with pytest.raises(ImportError):
        importlib.import_module("tasks")
