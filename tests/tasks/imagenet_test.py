# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Recipes, loss and training batches of image classification."""

import dataclasses
import json

import numpy as np
import pytest
from perceiver_bench.tasks.imagenet import common, presets, resolution

from perceiver_bench import registry
from perceiver_bench.config import EncoderConfig, ImageAugmentation, ImageData
from perceiver_bench.data import pipeline
from perceiver_bench.data.sources import MemorySource
from perceiver_bench.model.perceiver import num_params
from perceiver_bench.train.optim import is_decayed, schedule

RUNS = presets.imagenet_presets()
SMALL = ImageData(size=(8, 10))


@pytest.mark.parametrize("preset", ["paper", "paper_learned", "paper_convolution", "perceiver"])
def test_the_published_recipe(preset):
    """Section A.1 of the paper, and perceiver/train/experiment.py of the original code."""
    run = RUNS[preset]
    train, rate = run.train, schedule(run.train.optimizer, run.train.steps)
    assert (train.steps, train.batch_size, train.label_smoothing) == (137_625, 1024, 0.1)
    assert train.optimizer.name == "lamb"
    assert (train.optimizer.b1, train.optimizer.b2, train.optimizer.eps) == (0.9, 0.999, 1e-6)
    assert (train.optimizer.weight_decay, train.optimizer.clip_norm) == (0.1, 10.0)
    rates = [float(rate(step)) for step in (0, 68_811, 68_812 + 68_813 // 2, 137_625)]
    assert rates == pytest.approx([2e-3, 2e-3, 1e-3, 0.0], abs=1e-7)
    positions = train.optimizer.decay_positions
    assert is_decayed("encoder/latents", positions)
    assert is_decayed("adapter/positions", positions)
    assert not is_decayed("head/linear/bias", positions)
    assert not is_decayed("encoder/self_attention/mlp_norm/scale", positions)
    change = run.data.augmentation
    assert (change.crop_area, change.crop_aspect) == ((0.08, 1.0), (3 / 4, 4 / 3))
    assert (change.randaugment_layers, change.randaugment_magnitude) == (4, 5)
    assert (change.mixup_alpha, change.cutmix, change.flip) == (0.2, True, True)
    assert (run.data.size, run.data.central_share) == ((224, 224), 224 / 256)
    assert (run.model.dropout, run.model.dtype) == (0.0, "float32")


@pytest.mark.parametrize(
    ("preset", "rate", "params"),
    [("fine_tuning", 2e-3, 212e6), ("fine_tuning_convolution", 2e-4, 212e6)],
)
def test_config_b_is_fine_tuned_as_published(preset, rate, params):
    """Section A.2: 131,000 steps, the first 70,000 at one rate."""
    run = RUNS[preset]
    assert isinstance(run.model.encoder, EncoderConfig)
    assert (run.model.encoder.num_layers, run.model.encoder.num_blocks) == (16, 1)
    assert num_params(run.model) == pytest.approx(params, rel=0.01)
    assert (run.train.steps, run.train.batch_size) == (131_000, 1024)
    rates = schedule(run.train.optimizer, run.train.steps)
    assert float(rates(70_000)) == pytest.approx(rate)
    assert float(rates(70_500)) < rate
    assert float(rates(131_000)) == pytest.approx(0, abs=1e-9)
    # Of a checkpoint with JFT's classes all but the last linear map is taken over.
    assert registry.get("imagenet/ilsvrc2012").fresh_parts == ("head",)


@pytest.mark.parametrize("kind", ["", "_learned", "_convolution"])
def test_one_gpu_trains_the_papers_network_in_parts(kind):
    paper, gpu = RUNS[f"paper{kind}"], RUNS[f"one_gpu{kind}"]
    assert gpu.train == dataclasses.replace(paper.train, accumulation=16)
    assert gpu.model == dataclasses.replace(paper.model, dtype="bfloat16", remat=True)
    assert gpu.data == paper.data


def images(count, seed=0):
    rng = np.random.default_rng(seed)
    return [
        {
            "name": f"{index}",
            "pixels": rng.integers(0, 256, (20 + index, 24, 3), np.uint8),
            "label": index % 10,
            "is_bad": index == 3,
        }
        for index in range(count)
    ]


def batches(config, size, num=1, state=None):
    source = MemorySource(images(40), {})
    prepare = common.preprocess(10, config, {})
    iterator = pipeline.training_batches(source, prepare, size, 0, 10, common.mix(config))
    if state is not None:
        iterator.move_to(json.loads(json.dumps(state)))
    return [next(iterator) for _ in range(num)], iterator.position


def test_a_training_batch_is_mixed_of_twice_as_many_images():
    (batch, again), state = batches(SMALL, 6, num=2)
    shapes = {name: array.shape for name, array in batch.items()}
    assert shapes == {
        "images": (6, 8, 10, 3),
        "label": (6,),
        "mixed_label": (6,),
        "label_share": (6,),
        "weight": (6,),
    }
    assert batch["images"].dtype == np.float32
    assert ((batch["label_share"] >= 0) & (batch["label_share"] <= 1)).all()
    assert not np.array_equal(batch["images"], again["images"])
    (first, _, third), _ = batches(SMALL, 6, num=3)
    np.testing.assert_array_equal(first["images"], batch["images"])
    (resumed,), _ = batches(SMALL, 6, state=state)
    np.testing.assert_array_equal(resumed["images"], third["images"])


def test_without_mixing_a_batch_has_one_label():
    light = ImageAugmentation(mixup_alpha=0.0, cutmix=False)
    (batch,), _ = batches(dataclasses.replace(SMALL, augmentation=light), 6)
    assert set(batch) == {"images", "label", "weight"}


def test_evaluation_is_the_protocol_alone():
    example = images(2)[1]
    prepare = common.preprocess(10, SMALL, {})
    one, again = prepare(example, None), prepare(example, None)
    np.testing.assert_array_equal(one["images"], again["images"])
    assert (one["label"], one["weight"]) == (1, 1)
    labelled = prepare({**example, "real_labels": (2, 7)}, None)
    assert np.flatnonzero(labelled["real_labels"]).tolist() == [2, 7]


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_of_a_mixture_is_that_of_its_mixed_target(smoothing):
    """Against the original's form: one target, mixed of both and then smoothed."""
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((5, 7))
    first, second = rng.integers(0, 7, (2, 5))
    share = rng.random(5)
    weight = np.array([1, 1, 0, 1, 1])
    batch = {"label": first, "mixed_label": second, "label_share": share, "weight": weight}
    target = share[:, None] * np.eye(7)[first] + (1 - share[:, None]) * np.eye(7)[second]
    target = (1 - smoothing) * target + smoothing / 7
    log_probabilities = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    expected = -(target * log_probabilities).sum(-1) * weight
    found = common.loss({"logits": logits}, batch, smoothing)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


def test_sides_of_the_resolution_sweep():
    assert [resolution.side(224, p) for p in (50, 75, 100, 125, 150)] == [112, 168, 224, 280, 336]
    assert resolution.side(4, 50) == 4
