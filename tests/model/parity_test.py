# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Our networks against those of the transformers library: outputs and gradients.

All six architectures at reduced sizes, with random weights that go through the file format
in one direction or the other. Fourier features are compared on their own: the linspace of
the two libraries differs in the last bit, and the frequencies magnify that. The networks
are compared on the port's features. The port computes in float64, so that all of the
difference is our own rounding.
"""

import functools
import math
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from random_networks import RELEASED_SMALL, fast_jit, random_weights

from perceiver_bench.model import adapters, position, queries
from perceiver_bench.model.adapters import neighbourhoods
from perceiver_bench.model.heads import FLOW_SCALE_FACTOR
from perceiver_bench.model.segments import Segment
from perceiver_bench.model.weights import huggingface, mapping
from perceiver_bench.model.weights.huggingface_config import CLASSES
from perceiver_bench.model.weights.mapping import Weights

if sys.version_info >= (3, 12):
    for _name in ("torch", "transformers"):
        pytest.importorskip(_name, reason="the pinned torch has no build for this Python")
import torch
import transformers
from transformers.models.perceiver import modeling_perceiver as port


def _tensor(array) -> torch.Tensor:
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    return tensor.double() if tensor.is_floating_point() else tensor


def _language_batch(rng):
    mask = np.ones((2, 20), np.int32)
    mask[1, 13:] = 0
    return {"inputs": rng.integers(0, 40, (2, 20)).astype(np.int32), "input_mask": mask}


def _run_language(network, batch):
    mask = batch["input_mask"]
    logits = network(_tensor(batch["inputs"]).long(), attention_mask=_tensor(mask).long()).logits
    # The port also answers at padding, where our query mask leaves the attention out.
    return {"logits": logits * _tensor(mask.astype(np.float32))[..., None]}


def _run_images(network, batch):
    return {"logits": network(_tensor(batch["images"].transpose(0, 3, 1, 2))).logits}


def _run_flow(network, batch):
    patches = np.moveaxis(np.asarray(neighbourhoods(jnp.asarray(batch["images"]))), -1, 2)
    return {"flow": network(_tensor(patches)).logits * FLOW_SCALE_FACTOR}


def _run_multimodal(network, batch):
    inputs = {
        "image": _tensor(np.moveaxis(batch["images"], -1, 2)),
        "audio": _tensor(batch["audio"]),
        "label": torch.zeros(2, 5, dtype=torch.float64),
    }
    points = {"audio": _tensor(batch["audio_points"]), "image": _tensor(batch["image_points"])}
    return dict(network(inputs, subsampled_output_points=points | {"label": None}).logits)


def _normal(rng, *shape):
    return rng.standard_normal(shape, dtype=np.float32)


class Case(NamedTuple):
    """One architecture: a batch for its reduced size, and how the port is called on it."""

    batch: Callable[[np.random.Generator], dict[str, np.ndarray]]
    run: Callable[[Any, dict[str, np.ndarray]], dict[str, torch.Tensor]]


CASES = {
    "language": Case(_language_batch, _run_language),
    "imagenet_fourier": Case(lambda rng: {"images": _normal(rng, 2, 6, 9, 3)}, _run_images),
    "imagenet_learned": Case(lambda rng: {"images": _normal(rng, 2, 6, 6, 3)}, _run_images),
    "imagenet_conv": Case(lambda rng: {"images": _normal(rng, 2, 24, 16, 3)}, _run_images),
    "flow": Case(lambda rng: {"images": np.tanh(_normal(rng, 2, 2, 6, 8, 3))}, _run_flow),
    "multimodal": Case(
        lambda rng: {
            "images": rng.random((2, 2, 8, 8, 3), dtype=np.float32),
            "audio": np.tanh(_normal(rng, 2, 128, 1)),
            "audio_points": np.array([0, 3, 7]),
            "image_points": np.array([0, 5, 64, 127]),
        },
        _run_multimodal,
    ),
}


def _pad_as_the_original(network) -> None:
    """Gives the port's convolution the original's padding; its weights stay as they are.

    The port pads 3 + 3 pixels in place of 2 + 3 and drops the last row and column of the
    pooling, so untouched it is another function: see `huggingface.py`.
    """
    stem = network.perceiver.input_preprocessor.convnet
    stem.conv.zero_pad_2d = torch.nn.ZeroPad2d((2, 3, 2, 3))
    stem.max_pool = torch.nn.Sequential(torch.nn.ZeroPad2d((0, 1, 0, 1)), stem.max_pool)


def _randomize(network) -> None:
    """Draws every weight anew: what starts at zero or one would hide an exchange.

    Queries and keys of the cross-attentions are large, so that the softmax picks single
    inputs and an error at one position shows.
    """
    generator = torch.Generator().manual_seed(0)
    for name, array in sorted(network.state_dict().items()):
        if not array.is_floating_point():
            array.fill_(3)
            continue
        value = torch.randn(array.shape, generator=generator)
        if name.endswith("running_var"):
            value = 1 + value.abs()
        elif "layernorm" in name or "batchnorm" in name:
            value = 0.1 * value + (1.0 if name.endswith("weight") else 0.0)
        elif array.ndim > 1 and name.endswith(".weight") and "embeddings" not in name:
            sharp = 3.0 if "cross_attention.attention.self.query.weight" in name else 1.0
            value = value * sharp / array[0].numel() ** 0.5
        elif array.ndim == 1:
            value = 0.05 * value
        array.copy_(value)


def _loss_weights(outputs: dict[str, Any]) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {
        name: rng.standard_normal(outputs[name].shape).astype(np.float32)
        for name in sorted(outputs)
    }


def _assert_close(ours, theirs, tolerance: float, name: str) -> None:
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    assert ours.shape == theirs.shape, name
    error = np.abs(ours - theirs).max() / theirs.std()
    assert error < tolerance, f"{name}: {error:.1e} of the standard deviation"


def _masked(prediction, batch):
    if "input_mask" not in batch:
        return prediction
    return {"logits": prediction["logits"] * batch["input_mask"][..., None]}


@pytest.fixture
def port_features(monkeypatch):
    """Lets our network use the features that the port computes, as constants."""

    def point_positions(points, grid):
        index = np.stack(np.unravel_index(points, grid), axis=1).astype(np.float32)
        return -1 + 2 * index / np.array(grid, np.float32)

    def fourier_features(positions, num_bands, max_resolution):
        positions = torch.from_numpy(positions)[None]
        return port.generate_fourier_features(positions, num_bands, max_resolution)[0].numpy()

    def fourier_segment(positions, features, axes, num_bands, max_resolution, kernel=None):
        grid = tuple(axis.size for axis in axes)
        table = fourier_features(positions(grid), num_bands, max_resolution)
        if len(grid) == 1:
            return Segment(features, table, kernel=kernel)
        table = table.reshape(-1, grid[-1], table.shape[-1])
        is_inner = (table != table[:, :1]).any(axis=(0, 1))
        outer, inner = np.where(is_inner, 0, table[:, 0]), np.where(is_inner, table[0], 0)
        return Segment(features, outer, inner, kernel)

    def grid_positions(grid):
        return port.build_linear_positions(grid).numpy().reshape(-1, len(grid))

    def all_points(grid):
        return point_positions(np.arange(math.prod(grid)), grid)

    monkeypatch.setattr(queries, "point_positions", point_positions)
    monkeypatch.setattr(queries, "fourier_features", fourier_features)
    for module, positions in ((adapters, grid_positions), (queries, all_points)):
        monkeypatch.setattr(
            module, "fourier_segment", functools.partial(fourier_segment, positions)
        )


@pytest.mark.parametrize(
    ("grid", "num_bands", "max_resolution"),
    [((6, 9), 64, (224, 224)), ((40,), 192, (640,)), ((2, 3, 4), 32, (2, 12, 16))],
)
def test_fourier_features_equal_those_of_transformers(grid, num_bands, max_resolution):
    theirs = port.generate_fourier_features(
        port.build_linear_positions(grid).reshape(1, -1, len(grid)), num_bands, max_resolution
    )[0]
    ours = position.fourier_features(position.grid_positions(grid), num_bands, max_resolution)
    # A phase is a product of three numbers, each with an error in the last bit.
    bound = 3 * np.finfo(np.float32).eps * np.pi * max(max_resolution) / 2
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=0, atol=bound)


@pytest.mark.usefixtures("port_features")
@pytest.mark.parametrize("family", CASES)
def test_outputs_and_gradients_equal_those_of_transformers(family, tmp_path):
    case = CASES[family]
    config = RELEASED_SMALL[family]
    settings = huggingface.config_json(config) | {"hidden_act": "gelu"}
    cls = getattr(transformers, CLASSES[family])
    network = cls(transformers.PerceiverConfig(**settings)).eval()
    _randomize(network)
    network.save_pretrained(tmp_path)
    network = network.double()
    if family == "imagenet_conv":
        _pad_as_the_original(network)
    batch = case.batch(np.random.default_rng(0))
    theirs = case.run(network, batch)
    loss_weights = _loss_weights(theirs)
    loss = sum((theirs[name] * _tensor(loss_weights[name])).sum() for name in theirs)
    loss.backward()

    weights = huggingface.load(tmp_path, config)
    assert weights.config.activation == "gelu"
    structure, params, state = nnx.split(mapping.to_model(weights), nnx.Param, ...)

    def loss(params):
        prediction = _masked(nnx.merge(structure, params, state)(batch), batch)
        total = sum((prediction[name] * loss_weights[name]).sum() for name in prediction)
        return total, prediction

    # Code that is not optimised rounds the long sums behind the label's logits more often.
    jit = jax.jit if family == "multimodal" else fast_jit
    gradients, ours = jit(jax.grad(loss, has_aux=True))(params)
    assert ours.keys() == theirs.keys()
    for name in theirs:
        _assert_close(ours[name], theirs[name].detach(), 1e-5, name)

    table = [entry for entry in huggingface.entries(config) if not mapping.is_state(entry.path)]
    gradients = Weights(config=config, params=nnx.to_pure_dict(gradients), state={})
    ours = mapping.write(gradients, table)
    theirs = {name: parameter.grad for name, parameter in network.named_parameters()}
    assert ours.keys() == theirs.keys()
    for name, gradient in theirs.items():
        if gradient is None:  # mask tokens of modalities that are not masked
            assert not ours[name].any(), name
            continue
        # The softmax ignores what all keys have in common, so the gradient of a key's bias
        # is zero but for rounding, and is held against that of the key's weight.
        measure = theirs[name.replace("key.bias", "key.weight")]
        scale = float(measure.square().mean().sqrt())
        error = np.abs(ours[name] - gradient.numpy()).max()
        assert error <= 1e-4 * scale, f"gradient of {name}: {error / scale:.1e}"


@pytest.mark.usefixtures("port_features")
@pytest.mark.parametrize("family", CASES)
def test_transformers_loads_what_we_write_and_gives_our_outputs(family, tmp_path):
    case = CASES[family]
    config = RELEASED_SMALL[family]
    weights = random_weights(config)
    model = mapping.to_model(weights)
    huggingface.save(tmp_path / "folder", weights)
    cls = getattr(transformers, CLASSES[family])
    network, found = cls.from_pretrained(tmp_path / "folder", output_loading_info=True)
    assert not any(found.values()), found
    if family == "imagenet_conv":
        _pad_as_the_original(network)
    batch = case.batch(np.random.default_rng(0))
    with torch.no_grad():
        theirs = case.run(network.double().eval(), batch)
    ours = _masked(fast_jit(lambda model: model(batch))(model), batch)
    assert ours.keys() == theirs.keys()
    for name in theirs:
        _assert_close(ours[name], theirs[name], 1e-5, name)


def test_padding_of_the_port_differs_from_the_original():
    """Holds the reason for `_pad_as_the_original`: it fails once the port is mended."""
    stem = port.Conv2DDownsample()
    with torch.no_grad():
        assert stem.eval()(torch.zeros(1, 3, 224, 224)).shape[-2:] == (55, 55)
