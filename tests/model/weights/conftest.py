# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import sys
import types

import pytest


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("pickles")


@pytest.fixture
def fake_class(monkeypatch):
    """Makes a mapping class importable under the name that old files hold."""

    def make(module_name, name):
        module = types.ModuleType(module_name)
        cls = type(name, (dict,), {"__reduce__": lambda self: (cls, (dict(self),))})
        cls.__module__ = module_name
        setattr(module, name, cls)
        for parent in ("haiku", "haiku._src"):
            monkeypatch.setitem(sys.modules, parent, types.ModuleType(parent))
        monkeypatch.setitem(sys.modules, module_name, module)
        return cls

    return make
