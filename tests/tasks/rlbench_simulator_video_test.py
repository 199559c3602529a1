# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Films: frames come back from the file, and show what happens with instruction and outcome."""

import dataclasses
import io

import av
import numpy as np
import pytest
from perceiver_bench.tasks.rlbench.simulator import EmbeddedSimulator, replays, video
from perceiver_bench.tasks.rlbench.simulator.captions import caption

INSTRUCTION = "push the red button"


def decoded(content):
    with av.open(io.BytesIO(content)) as container:
        assert container.streams.video[0].average_rate == 25
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def ramps():
    ramp = np.linspace(0, 255, 64, dtype=np.uint8)
    return [
        np.stack([np.roll(np.tile(ramp, (48, 1)), shift, axis=1)] * 3, axis=-1)
        for shift in (0, 8, 16)
    ]


@pytest.fixture(scope="module")
def simulator():
    simulator = EmbeddedSimulator(16, camera_names=(), backend="rays")
    yield simulator
    simulator.close()


def expert_replay(simulator, task, seed):
    simulator.reset(task, 0, seed)
    actions = []
    for action in simulator.expert():
        actions.append([*action.pose, action.is_open, action.ignore_collisions])
        simulator.step(*action)
    return replays.replay(simulator, task, 0, seed, np.array(actions))


@pytest.fixture(scope="module")
def replay(simulator):
    return expert_replay(simulator, "push_button", 0)


@pytest.mark.parametrize("codec", ["h264", "mpeg4"])
def test_frames_come_back(monkeypatch, codec):
    if codec == "mpeg4":
        monkeypatch.setattr(av, "codecs_available", {"mpeg4"})
    content = video.encode(iter(ramps()), 25)
    with av.open(io.BytesIO(content)) as container:
        assert container.streams.video[0].codec_context.name == codec
    found = decoded(content)
    assert len(found) == 3
    for one, given in zip(found, ramps(), strict=True):
        assert one.shape == (48, 64, 3)
        assert np.abs(one.astype(int) - given).mean() < 8


def test_equal_frames_give_equal_bytes():
    assert video.encode(ramps(), 25) == video.encode(ramps(), 25)
    assert video.encode(ramps(), 25) != video.encode(ramps()[::-1], 25)


def test_an_episode_is_filmed(simulator, replay):
    content = video.film(simulator, replay, INSTRUCTION, 96)
    assert content == video.film(simulator, replay, INSTRUCTION, 96)
    frames = decoded(content)
    text = caption(96, INSTRUCTION, "success", success=True)
    assert len(frames) == len(replay.moments) + 25
    assert frames[0].shape == (96 + text.height, 96, 3)
    first = next(replays.pictures(simulator, replay.moments, 96))
    last = next(replays.pictures(simulator, replay.keyframes[-1:], 96))
    assert np.abs(first.astype(int) - last).max() > 50
    for frame, picture in ((frames[0], first), (frames[-25], last), (frames[-1], last)):
        assert np.abs(frame[:96].astype(int) - picture).mean() < 4
    assert np.abs(frames[-1][96:].astype(int) - np.asarray(text)).mean() < 4


def test_instruction_and_outcome_stand_below(simulator, replay):
    """Green is more than red in the outcome of a success only; before it all is grey."""

    def colours(some, instruction=INSTRUCTION):
        found = decoded(video.film(simulator, some, instruction, 64))
        return [frame[64:].astype(int) for frame in (found[0], found[-1])]

    still = dataclasses.replace(replay, moments=replay.moments[:1])
    start, success = colours(still)
    _, failure = colours(dataclasses.replace(still, success=False, cause="time"))
    assert np.abs(start[..., 0] - start[..., 1]).max() < 25
    assert (success[..., 1] - success[..., 0]).max() > 50
    assert (failure[..., 0] - failure[..., 1]).max() > 50
    assert (colours(still, "")[0].shape, start.shape) == ((28, 64, 3), (64, 64, 3))


def test_nothing_that_happens_is_a_film_of_a_second(simulator):
    replay = replays.replay(simulator, "push_button", 0, 0, np.zeros((0, 9)))
    assert len(decoded(video.film(simulator, replay, INSTRUCTION, 32))) == 26


@pytest.mark.slow
def test_five_keyframes_are_small():
    simulator = EmbeddedSimulator(16, camera_names=())
    replay = expert_replay(simulator, "close_jar", 1)
    assert replay.num_keyframes == 5
    assert len(video.film(simulator, replay, INSTRUCTION, 320)) < 300_000
    simulator.close()
