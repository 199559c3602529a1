# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Stand-ins of the released networks through the whole evaluation, on real images."""

import io
import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from perceiver_bench.tasks.imagenet import decoding, layouts, preprocessing

SHARED = pathlib.Path(__file__).resolve().parents[3] / "shared"
IMAGES = SHARED / "data/imagenet"
NUM_IMAGES = 8
PRESETS = {
    "imagenet_fourier": "paper",
    "imagenet_learned": "paper_learned",
    "imagenet_conv": "paper_convolution",
}


def run(*arguments):
    command = [sys.executable, "-m", "perceiver_bench", *arguments]
    subprocess.run(command, check=True, capture_output=True)


@pytest.mark.slow
@pytest.mark.skipif(not IMAGES.is_dir(), reason=f"{IMAGES} is not there")
@pytest.mark.parametrize("model", PRESETS)
def test_evaluation_gives_the_logits_of_forward_on_the_same_pixels(model, tmp_path):
    """Both read the same official file; only evaluation reads JPEGs and makes groups of eight."""
    checkpoint = tmp_path / f"{model}.pystate"
    script = str(SHARED / "reference/make_checkpoint.py")
    subprocess.run([sys.executable, script, model, "--out", str(checkpoint)], check=True)
    shared = (
        *("--task=imagenet/ilsvrc2012", f"--preset={PRESETS[model]}", f"--data_dir={IMAGES}"),
        *(f"--checkpoint={checkpoint}", f"--limit={NUM_IMAGES}"),
    )
    run("--mode=predict", *shared, f"--outputs={tmp_path / 'out'}")
    run("--mode=evaluate", *shared, f"--results_dir={tmp_path / 'results'}")

    files = layouts.open_images(IMAGES, "validation")
    pixels = [
        preprocessing.prepare_evaluation(
            decoding.decode(files.read(index), "original"), (224, 224), "original", 224 / 256
        )
        for index in range(NUM_IMAGES)
    ]
    buffer = io.BytesIO()
    np.savez(buffer, images=np.stack(pixels))
    (tmp_path / "pixels.npz").write_bytes(buffer.getvalue())
    run(
        *("--mode=forward", f"--model={model}", f"--checkpoint={checkpoint}"),
        *(f"--inputs={tmp_path / 'pixels.npz'}", f"--outputs={tmp_path / 'logits.npz'}"),
    )
    expected = np.load(tmp_path / "logits.npz")["logits"]
    found = np.load(tmp_path / "out/logits.npy")
    assert np.abs(found - expected).max() < 5e-5 * expected.std()

    (path,) = (tmp_path / "results").rglob("records/**/*.json")
    metrics = json.loads(path.read_text())["metrics"]
    labels = files.labels[:NUM_IMAGES]
    logits = expected.astype(np.float64)
    right = logits.argmax(-1) == labels
    assert metrics["top1_accuracy"]["value"] == pytest.approx(100 * right.mean())
    largest = logits.max(-1, keepdims=True)
    totals = np.log(np.exp(logits - largest).sum(-1)) + largest[:, 0]
    surprise = totals - logits[np.arange(NUM_IMAGES), labels]
    assert metrics["cross_entropy"]["value"] == pytest.approx(surprise.mean(), rel=1e-4)
