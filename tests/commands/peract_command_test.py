# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""`--mode=forward` of a network over voxels, from a state dict, and arrays that do not fit."""

import sys

import numpy as np
import pytest
import tiny_runs
from random_networks import fast_jit, random_batch, random_weights

from perceiver_bench.commands import network
from perceiver_bench.errors import UserError
from perceiver_bench.model import presets
from perceiver_bench.model.weights import mapping, peract

if sys.version_info >= (3, 12):
    pytest.importorskip("torch", reason="the pinned torch has no build for this Python")
import torch

TINY = presets.preset("peract_tiny")


def test_forward_takes_points_and_gives_voxels_and_actions(base, tmp_path, capfd):
    del base  # turns on its cache of compiled code
    weights = random_weights(TINY)
    arrays = peract.to_state_dict(weights)
    names = {name.replace("_qnet.module.", "_qnet."): array for name, array in arrays.items()}
    torch.save({name: torch.from_numpy(array) for name, array in names.items()}, tmp_path / "w.pt")
    batch = random_batch(TINY)
    np.savez(tmp_path / "inputs.npz", **{**batch, "bounds": batch["bounds"][0].astype(np.float64)})
    code, _, errors = tiny_runs.command(
        capfd,
        "--mode=forward",
        "--model=peract_tiny",
        *tiny_runs.as_flags(
            checkpoint=tmp_path / "w.pt", inputs=tmp_path / "inputs.npz", outputs=tmp_path / "o.npz"
        ),
    )
    assert code == 0, errors
    with np.load(tmp_path / "o.npz") as archive:
        outputs = dict(archive)
    assert {name: array.shape for name, array in outputs.items()} == {
        "voxels": (2, 10, 10, 10, 10),
        "translation": (2, 10, 10, 10),
        "rotation_grip": (2, 26),
        "collision": (2, 2),
    }
    model = mapping.to_model(weights)
    due = fast_jit(lambda model, batch: model(batch))(model, batch)
    for name, array in outputs.items():
        assert np.abs(array - due[name]).max() < 1e-4 * np.std(due[name]), name


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bounds": np.array([5, 5, 5, 6, 6, 6.0])}, "the bounds hold none of the points of scene"),
        ({"bounds": np.array([1, 1, 1, 0, 0, 0.0])}, "bounds must be x, y, z of the lowest"),
        ({"bounds": np.zeros((3, 6))}, "2 scenes in points, 3 in bounds"),
        ({"bounds": np.zeros(5)}, r"bounds is \[1, 5\], not \['any', 6\]"),
        ({"colours": np.zeros((2, 3, 3))}, "colours must have the shape of points"),
        ({"proprio": np.zeros((1, 4))}, "2 scenes in points, 1 in proprio"),
        ({"language": np.zeros((2, 4, 12))}, r"language is \[2, 4, 12\], not \['any', 3, 12\]"),
        ({"points": np.full((2, 655, 3), np.nan)}, "points holds values that are not finite"),
        ({"extra": np.zeros(2)}, r"unknown \['extra'\]"),
    ],
)
def test_scenes_that_do_not_fit_are_refused(changes, message, tmp_path):
    np.savez(tmp_path / "inputs.npz", **{**random_batch(TINY), **changes})
    with pytest.raises(UserError, match=f"--inputs=.*{message}"):
        network.read_inputs(tmp_path / "inputs.npz", TINY)
