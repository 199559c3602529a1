# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Imports point down only; docs/design.md draws the layers."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
# From the top. An import within a layer is allowed.
LAYERS = (
    ("__main__", "run", "modes", "options", "report", "commands"),
    ("benchmark", "train", "evaluation", "results"),
    ("model", "data", "metrics", "api"),
    (
        "task",
        "config",
        "registry",
        "overrides",
        "errors",
        "files",
        "npz",
        "memory",
        "distributed",
        "pickles",
        "pickled_arrays",
        "",
    ),
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def modules():
    """Yields the dotted name and the file of every module of the package and of the tasks."""
    for folder, package in (("perceiver_bench", "perceiver_bench"), ("tasks", None)):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            prefix = (package,) if package else ("perceiver_bench", "tasks")
            yield ".".join(prefix + tuple(p for p in parts if p != "__init__")), path


MODULES = dict(modules())


def imports(name, source, is_package):
    """Returns the dotted names that a module imports, those inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = name.split(".") + ([""] if is_package else [])
                base = ".".join(filter(None, [*parts[: -node.level], base]))
            # `from package import module` imports the module.
            found |= {f"{base}.{alias.name}" for alias in node.names}
    return {target for target in found if target.split(".")[0] == "perceiver_bench"}


def layer(name):
    """Returns the part of a dotted name that a layer is made of: `model` of a.model.x."""
    return [*name.split("."), ""][1]


def faults(name, targets):
    """Returns why each forbidden import of module `name` is forbidden."""
    found = []
    parts = name.split(".")
    if parts[1:2] == ["tasks"]:
        family = ".".join(parts[:3])
        found += [
            f"{name} imports {target}: a task may import perceiver_bench.api and its own family"
            for target in targets
            if not f"{target}.".startswith("perceiver_bench.api.")
            and not (len(parts) > 2 and f"{target}.".startswith(f"{family}."))
        ]
        return found
    for target in targets:
        if layer(target) == "tasks":
            found.append(f"{name} imports {target}: the core never names a task")
        elif layer(target) == "api":
            found.append(f"{name} imports {target}: the api is for tasks")
        elif target != "perceiver_bench" and LEVEL.get(layer(target), -1) < LEVEL[layer(name)]:
            found.append(f"{name} imports {target}, which lies above it")
    return found


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_down(name):
    path = MODULES[name]
    targets = imports(name, path.read_text(), path.name == "__init__.py")
    assert not faults(name, targets)


def test_every_part_of_the_package_has_a_layer():
    parts = {layer(name) for name in MODULES} - {"tasks"}
    assert parts <= LEVEL.keys()


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("perceiver_bench.model.heads", "from perceiver_bench.train import loop"),
        ("perceiver_bench.model.heads", "from perceiver_bench import run"),
        ("perceiver_bench.model.heads", "def f():\n    import perceiver_bench.results.record"),
        ("perceiver_bench.config", "from .model import heads"),
        ("perceiver_bench.registry", "import perceiver_bench.tasks.glue"),
        ("perceiver_bench.train.loop", "from perceiver_bench.api import Task"),
        ("perceiver_bench.api", "from perceiver_bench.train.loop import train"),
        ("perceiver_bench", "from perceiver_bench.model import presets"),
        ("perceiver_bench.tasks.glue.sst2", "from perceiver_bench.config import ModelConfig"),
        ("perceiver_bench.tasks.glue.sst2", "from perceiver_bench.tasks.flow import common"),
        ("perceiver_bench.tasks.glue.sst2", "from ..flow import common"),
    ],
)
def test_a_forbidden_import_is_found(name, source):
    assert faults(name, imports(name, source, False))


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("perceiver_bench.run", "from perceiver_bench.train import loop"),
        ("perceiver_bench.model.heads", "from perceiver_bench.config import ModelConfig"),
        ("perceiver_bench.tasks.glue.sst2", "from perceiver_bench.api import register"),
        ("perceiver_bench.tasks.glue.sst2", "from . import common"),
        ("perceiver_bench.tasks.glue.sst2", "import numpy"),
    ],
)
def test_an_allowed_import_is_allowed(name, source):
    assert not faults(name, imports(name, source, False))
