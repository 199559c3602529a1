# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Videos: frames come back from the file, and broken calls leave no file."""

import av
import numpy as np
import pytest
from perceiver_bench.tasks.rlbench.simulator import EmbeddedSimulator, video

from perceiver_bench.errors import UserError


def decoded(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_frames_come_back(tmp_path):
    ramp = np.linspace(0, 255, 64, dtype=np.uint8)
    frames = [
        np.stack([np.roll(np.tile(ramp, (48, 1)), shift, axis=1)] * 3, axis=-1)
        for shift in (0, 8, 16)
    ]
    path = tmp_path / "deep" / "film.mp4"
    video.write_video(path, iter(frames), 10)
    found = decoded(path)
    assert len(found) == 3
    for one, given in zip(found, frames, strict=True):
        assert one.shape == (48, 64, 3)
        assert np.abs(one.astype(int) - given).mean() < 8
    assert [one.name for one in path.parent.iterdir()] == ["film.mp4"]


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([], "needs at least one frame"),
        ([np.zeros((47, 64, 3), np.uint8)], "64 x 47 pixels: both have to be even"),
    ],
    ids=["none", "odd"],
)
def test_what_is_no_video_is_an_error(tmp_path, frames, message):
    with pytest.raises(UserError, match=message):
        video.write_video(tmp_path / "film.mp4", frames, 10)
    assert not list(tmp_path.iterdir())


def test_an_episode_is_filmed(tmp_path):
    simulator = EmbeddedSimulator(16, camera_names=(), backend="rays")
    _, instruction = simulator.reset("push_button", 0, 0)
    path = tmp_path / "episode.mp4"
    ticks = []
    simulator.on_tick = ticks.append
    with video.film(simulator, path, instruction, size=32):
        for action in simulator.expert():
            simulator.step(*action)
    frames = decoded(path)
    assert len(frames) == 1 + len(ticks) // 5 + 15
    assert frames[0].shape == (60, 32, 3)
    assert np.abs(frames[0].astype(int) - frames[-1])[:32].max() > 50
    assert path.stat().st_size < 300_000
    simulator.on_tick = ticks.append
    simulator.close()


def test_a_film_that_breaks_off_leaves_no_file(tmp_path):
    simulator = EmbeddedSimulator(16, camera_names=(), backend="rays")
    simulator.reset("push_button", 0, 0)
    before = simulator.on_tick
    with (
        pytest.raises(UserError, match="7 finite numbers"),
        video.film(simulator, tmp_path / "episode.mp4", "push", size=16),
    ):
        simulator.step(np.zeros(3), True, False)
    assert not list(tmp_path.iterdir())
    assert simulator.on_tick is before
