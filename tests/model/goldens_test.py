# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The released networks against the original code, and small ones against their past."""

import importlib.util
import pathlib

import jax
import numpy as np
import pytest

TESTS = pathlib.Path(__file__).resolve().parents[1]


def load_module(path: pathlib.Path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make_goldens = load_module(TESTS / "goldens/make_goldens.py")
comparison = load_module(TESTS.parent / "benchmarks/golden_comparison.py")


@pytest.mark.parametrize("name", make_goldens.NAMES)
def test_small_networks_and_their_parts_give_what_they_gave(name):
    found = make_goldens.parts(name)
    with np.load(TESTS / f"goldens/{name}.npz") as golden:
        assert set(golden) == found.keys()
        for part, due in golden.items():
            values, (_, deviation) = due[:-2], due[-2:]
            error = np.abs(found[part] - due).max() / deviation
            assert error < 1e-5, f"{part}: {error:.1e} of the deviation"
            assert values.std() > 0, part


@pytest.mark.parametrize("name", comparison.MODELS)
def test_released_networks_equal_the_original_code(name, shared):
    """Full size: the weights are read from a file in the container of the release."""
    for row in comparison.compare(shared / "reference", name):
        assert row.passed, row
    jax.clear_caches()


@pytest.mark.parametrize(
    ("largest", "rms", "passed"),
    [(4e-4, 4e-5, True), (6e-4, 4e-5, False), (4e-4, 6e-5, False), (np.nan, np.nan, False)],
)
def test_comparison_exits_with_failure_for_a_large_error(
    largest, rms, passed, monkeypatch, tmp_path, capsys
):
    (tmp_path / "make_checkpoint.py").touch()
    row = comparison.Row("language", "logits", largest, rms, *comparison.DEFAULT_TOLERANCE)
    monkeypatch.setattr(comparison, "compare", lambda *_: [row])
    arguments = [f"--reference={tmp_path}", "--model=language"]
    assert comparison.main(arguments) == (0 if passed else 1)
    assert ("| ok |" if passed else "| FAIL |") in capsys.readouterr().out
