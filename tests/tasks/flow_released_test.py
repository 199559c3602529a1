# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""A stand-in of the released network through the whole evaluation, on a real frame of Sintel."""

import importlib.util
import pathlib
import subprocess
import sys
import time

import cv2
import jax
import numpy as np
import pytest

from perceiver_bench.model.inference import Forward
from perceiver_bench.model.presets import preset
from perceiver_bench.results import record
from perceiver_bench.train import weights

SHARED = pathlib.Path(__file__).resolve().parents[3] / "shared"
SINTEL = SHARED / "data/sintel/MPI-Sintel"
MAX_BYTES = 2 * 10**9


def _peak_bytes(process):
    """Returns the largest resident size of a process, as it was seen until its end."""
    status = pathlib.Path(f"/proc/{process.pid}/status")
    peak = 0
    while process.poll() is None:
        try:
            line = next(one for one in status.read_text().splitlines() if "VmHWM" in one)
            peak = max(peak, int(line.split()[1]) * 1024)
        except (OSError, StopIteration):
            break
        time.sleep(0.2)
    process.wait()
    return peak


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.skipif(not SINTEL.is_dir(), reason=f"{SINTEL} is not there")
def test_a_frame_of_sintel_equals_tiles_stitched_by_hand(tmp_path):
    """Evaluation takes at most 2 GB; its error is that of six tiles run and averaged here."""
    path = SHARED / "reference/make_checkpoint.py"
    spec = importlib.util.spec_from_file_location("make_checkpoint", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    checkpoint = tmp_path / "flow.pystate"
    subprocess.run(
        [sys.executable, str(path), "flow", "--seed", "0", "--out", str(checkpoint)], check=True
    )
    command = [sys.executable, "-m", "perceiver_bench", "--mode=evaluate"]
    command += ["--task=flow/sintel_clean", f"--checkpoint={checkpoint}", f"--data_dir={SINTEL}"]
    process = subprocess.Popen([*command, f"--results_dir={tmp_path / 'results'}"], cwd=tmp_path)
    peak = _peak_bytes(process)
    assert process.returncode == 0
    assert 0 < peak <= MAX_BYTES
    (one,) = record.read_all(tmp_path / "results")

    frames = [
        cv2.imread(str(SINTEL / f"training/clean/alley_1/frame_000{i}.png"))[..., ::-1]
        for i in (1, 2)
    ]
    images = np.stack(frames).astype(np.float32) / 255 * 2 - 1
    config = preset("flow")
    loaded, _ = weights.load(checkpoint, config)
    forward = Forward(config, {"images": np.zeros((1, 2, 368, 496, 3), np.float32)})
    forward.load(loaded)
    distance = np.array(
        [[min(y, 367 - y, x, 495 - x) + 1 for x in range(496)] for y in range(368)], np.float64
    )
    sums, total = np.zeros((436, 1024, 2)), np.zeros((436, 1024, 1))
    for y in (0, 68):
        for x in (0, 476, 528):
            tile = np.ascontiguousarray(images[None, :, y : y + 368, x : x + 496])
            flow = jax.device_get(forward({"images": tile}))["flow"][0]
            sums[y : y + 368, x : x + 496] += distance[..., None] * flow
            total[y : y + 368, x : x + 496] += distance[..., None]
    truth = cv2.readOpticalFlow(str(SINTEL / "training/flow/alley_1/frame_0001.flo"))
    error = np.linalg.norm(sums / total - truth, axis=-1).mean()
    assert one.metrics["end_point_error_over_pixels"].value == pytest.approx(error, rel=1e-5)
