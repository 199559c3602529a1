# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Compares the released networks with the outputs of the original code, at full size.

    python benchmarks/golden_comparison.py --reference=../shared/reference [--model=flow]

For each model the reference's `make_checkpoint.py` writes a checkpoint in the container of
the official releases, our loader reads it, and the outputs on the reference's inputs are
held against its golden file. Prints a Markdown table; exits with 1 if an error is larger
than its tolerance. Errors are relative to the standard deviation of the golden output.
"""

import argparse
import importlib.util
import pathlib
import pickle
import sys
import tempfile
from collections.abc import Iterator
from typing import NamedTuple

import jax
import numpy as np

from perceiver_bench.model.inference import Forward
from perceiver_bench.model.presets import preset
from perceiver_bench.model.weights import official

MODELS = ("language", "imagenet_fourier", "imagenet_learned", "imagenet_conv", "flow", "multimodal")

# The largest error and the root mean square: what the reference asks for. The original code
# in float64 differs from its own float32 by up to half of them.
TOLERANCES = {"flow": (5e-3, 3e-4), "multimodal": (2e-2, 4e-3)}
DEFAULT_TOLERANCE = (5e-4, 5e-5)


class Row(NamedTuple):
    """One output of one model: its errors and what they may be."""

    model: str
    output: str
    largest: float
    rms: float
    largest_allowed: float
    rms_allowed: float

    @property
    def passed(self) -> bool:
        """Whether both errors are allowed; NaN is not."""
        return self.largest <= self.largest_allowed and self.rms <= self.rms_allowed


def _import(path: pathlib.Path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _outputs(reference: pathlib.Path, model: str) -> dict[str, np.ndarray]:
    """Computes our prediction for the weights and inputs of the reference, seed 0."""
    script = _import(reference / "make_checkpoint.py")
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / f"{model}.pystate"
        params, state = script.params(model, 0)
        whole = {"params": params, "state": state} if model in script.WITH_STATE else params
        with path.open("wb") as file:
            pickle.dump(whole, file)
        del params, state, whole
        weights = official.load(path, preset(model))
    batch = script.inputs(model, 0)
    run = Forward(weights.config, batch)
    run.load(weights)
    return jax.device_get(run(batch))


def compare(reference: pathlib.Path, model: str) -> Iterator[Row]:
    """Yields one row for each output in the golden file of `model`."""
    outputs = _outputs(reference, model)
    with np.load(reference / f"golden/{model}.npz") as golden:
        for name, due in golden.items():
            # `flow_every_4` holds every fourth row and column, `logits_every_16` positions.
            output, _, step = name.partition("_every_")
            found = outputs[output]
            if step:
                axes = 2 if output == "flow" else 1
                found = found[(slice(None), *[slice(None, None, int(step))] * axes)]
            if found.shape != due.shape:
                raise ValueError(f"{model} {name}: {found.shape} instead of {due.shape}")
            error = np.abs(found.astype(np.float64) - due) / due.astype(np.float64).std()
            rms = float(np.sqrt(np.square(error).mean()))
            allowed = TOLERANCES.get(model, DEFAULT_TOLERANCE)
            yield Row(model, output, float(error.max()), rms, *allowed)


def main(argv: list[str]) -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--reference",
        type=pathlib.Path,
        default=pathlib.Path("../shared/reference"),
        help="folder with make_checkpoint.py and golden/",
    )
    parser.add_argument(
        "--model", action="append", choices=MODELS, help="a model to compare; all by default"
    )
    arguments = parser.parse_args(argv)
    reference = arguments.reference
    if not (reference / "make_checkpoint.py").exists():
        print(f"--reference={reference}: has no make_checkpoint.py", file=sys.stderr)
        return 2
    print(f"jax {jax.__version__}, {jax.devices()[0].device_kind}, float32, highest precision\n")
    print("| model | output | largest error | allowed | rms error | allowed | |")
    print("|---|---|---:|---:|---:|---:|---|")
    passed = True
    for model in arguments.model or MODELS:
        for row in compare(reference, model):
            passed &= row.passed
            print(
                f"| {row.model} | {row.output} | {row.largest:.1e} | {row.largest_allowed:.0e}"
                f" | {row.rms:.1e} | {row.rms_allowed:.0e} | {'ok' if row.passed else 'FAIL'} |",
                flush=True,
            )
    return 0 if passed else 1


if __name__ == "__main__":
    jax.config.update("jax_default_matmul_precision", "highest")
    sys.exit(main(sys.argv[1:]))
