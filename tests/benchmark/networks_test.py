# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What the workers run is what they say: our networks, and those of transformers."""

import math
import sys

import jax
import numpy as np
import pytest
from flax import nnx
from random_networks import quick_jax

from perceiver_bench.benchmark import baseline, ours
from perceiver_bench.model import inference, plan
from perceiver_bench.model.examples import random_batch
from perceiver_bench.model.perceiver import PerceiverIO
from perceiver_bench.model.presets import preset
from perceiver_bench.model.weights.huggingface_config import config_json
from perceiver_bench.train import step

FLOW, MULTIMODAL = preset("flow_tiny"), preset("multimodal_tiny")
IMAGES = preset("imagenet_learned_tiny")


@pytest.fixture
def quick_jit(monkeypatch):
    """Lets the jobs compile without optimising, which takes longer than they run."""
    for module in (inference, ours, step):
        monkeypatch.setattr(module, "jax", quick_jax)


def of_transformers(build, config):
    if sys.version_info >= (3, 12):
        for name in ("torch", "transformers"):
            pytest.importorskip(name, reason="the pinned torch has no build for this Python")
    return build(config, config_json(config), random_batch(config))


@pytest.mark.usefixtures("quick_jit")
def test_our_plain_forward_pass_gives_what_the_rewritten_one_gives():
    batch = random_batch(FLOW)
    found = {}
    for plain in (True, False):
        with plan.recorded() as choices:
            job = ours.forward(FLOW, batch, plain=plain)
        # Counting the operations afterwards traces both.
        paths = [choice.path for choice in choices[:2]]
        assert paths == (["plain", "plain"] if plain else ["pool", "read"])
        found[plain] = job.run()["flow"]
        assert job.facts["operations"]["plain"] >= job.facts["operations"]["executed"] > 0
        assert job.facts["compile_seconds"] > 0
    assert found[True].std() > 0
    np.testing.assert_allclose(found[False], found[True], atol=1e-4 * float(found[True].std()))


@pytest.mark.usefixtures("quick_jit")
def test_our_training_step_learns():
    config = preset("language_tiny")
    job = ours.train(config, random_batch(config))
    losses = [float(job.run()["loss"]) for _ in range(5)]
    assert losses[-1] < 0.8 * losses[0]


def test_a_multiplication_and_an_addition_are_two_operations():
    job = ours.matmul()
    assert job.run()["product"].shape == (2048, 2048)
    assert job.facts["operations"]["executed"] == 17_179_869_184


def test_transformers_answers_with_the_outputs_of_ours():
    for config in (FLOW, MULTIMODAL):
        found = of_transformers(baseline.forward, config).run()
        batch = random_batch(config)
        due = jax.eval_shape(lambda: PerceiverIO(config, rngs=nnx.Rngs(0))(batch))  # noqa: B023
        sizes = {name: array.shape for name, array in due.items()}
        if "flow" in sizes:
            sizes = {"logits": sizes["flow"]}
        assert {name: tuple(array.shape) for name, array in found.items()} == sizes


def test_the_calls_of_transformers_decode_every_point_once():
    of_transformers(lambda *_: None, MULTIMODAL)
    calls = list(baseline._calls(MULTIMODAL, random_batch(MULTIMODAL)))
    inputs = MULTIMODAL.input
    due = {
        "audio": inputs.audio_samples // inputs.audio_patch,
        "image": math.prod(inputs.video_size),
    }
    for name, size in due.items():
        points = np.concatenate([call["subsampled_output_points"][name] for call in calls])
        np.testing.assert_array_equal(points, np.arange(size))
    official = list(baseline._calls(preset("multimodal"), random_batch(preset("multimodal"))))
    assert len(official) == 128


def test_the_training_step_of_transformers_learns():
    job = of_transformers(baseline.train, IMAGES)
    losses = [float(job.run()["loss"]) for _ in range(5)]
    assert losses[-1] < losses[0] / 2
