# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The flow networks of Table 16: their sizes, and frames apart worked out in plain NumPy."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from random_networks import fast_jit, random_batch, random_weights

from perceiver_bench import config as configs
from perceiver_bench import overrides
from perceiver_bench.config import ModelConfig, UpsampledFlowField
from perceiver_bench.errors import UserError
from perceiver_bench.model import plan, presets
from perceiver_bench.model.adapters import Adapted
from perceiver_bench.model.heads import UpsampledFlowHead
from perceiver_bench.model.perceiver import PerceiverIO, num_params
from perceiver_bench.model.segments import join
from perceiver_bench.model.weights import mapping, official

KINDS = {
    "flow_apart": {"frames": "apart"},
    "flow_pixels": {"preparation": "pixels"},
    "flow_pixels_apart": {"preparation": "pixels", "frames": "apart"},
    "flow_conv_apart": {"preparation": "convolution", "frames": "apart"},
}
APART = [name for name in KINDS if name.endswith("apart")]


def small(name: str) -> ModelConfig:
    """Returns a network of this kind that is compiled in little time."""
    size = (16, 24) if name == "flow_conv_apart" else (8, 12)
    sizes = {"num_latents": 6, "latent_channels": 32, "num_layers": 1, "num_heads": 4}
    return presets.flow(size=size, **sizes, **KINDS[name])


@functools.cache
def network(name: str) -> PerceiverIO:
    return mapping.to_model(random_weights(small(name)))


def frames(name: str) -> np.ndarray:
    return random_batch(small(name))["images"]


@fast_jit
def adapt(model, images):
    """Returns the segments of inputs and those of output queries."""
    batch = {"images": images}
    adapted = model.adapter(batch)
    return adapted.segments, model.query(batch, adapted).segments


@fast_jit
def encode(model, segments):
    return model.encoder(segments)


@fast_jit
def flow_of(model, images, queried):
    """Returns the flow that the queries of `queried` read from the latents of `images`."""
    batch = {"images": queried}
    adapted = model.adapter(batch)
    _, latents = model.encode({"images": images})
    values = model.decode(latents, model.query(batch, adapted), model.head.readouts(adapted))
    return model.head(values, adapted)["flow"]


# Inputs, outputs and channels of Tables 5 and 6 for 368x496; layers and latents of Table 16;
# the parameters of the adapter by hand: 54, 27, 6 or 3 values to 64 channels with a bias, or a
# 7x7 convolution of 6 or 3 values without one, with the scale and bias of its norm.
ROWS = {
    "flow": (182_528, 182_528, 322, 24, 2048, 54 * 64 + 64),
    "flow_apart": (365_056, 182_528, 451, 24, 2048, 27 * 64 + 64),
    "flow_pixels": (182_528, 182_528, 322, 24, 2048, 6 * 64 + 64),
    "flow_pixels_apart": (365_056, 182_528, 451, 24, 2048, 3 * 64 + 64),
    "flow_conv": (11_408, 11_408, 322, 24, 2048, 49 * 6 * 64 + 2 * 64),
    "flow_conv_apart": (22_816, 11_408, 451, 24, 2048, 49 * 3 * 64 + 2 * 64),
    "flow_light": (11_408, 11_408, 322, 16, 1024, 49 * 6 * 64 + 2 * 64),
}


@pytest.mark.parametrize("name", ROWS)
def test_inputs_and_queries_have_the_sizes_of_tables_5_and_6(name):
    num_inputs, num_queries, channels, *_ = ROWS[name]
    config = presets.preset(name)
    images = jax.ShapeDtypeStruct((1, 2, 368, 496, 3), np.float32)

    def run(model, batch):
        adapted = model.adapter(batch)
        queries = model.query(batch, adapted).segments
        features = [one.mapped() for one in (*adapted.segments, *queries)]
        return adapted.inputs, join(queries), features

    model = nnx.eval_shape(lambda: PerceiverIO(config, rngs=nnx.Rngs(0)))
    inputs, queries, features = nnx.eval_shape(run, model, {"images": images})
    assert inputs.shape == (1, num_inputs, channels)
    assert queries.shape == (1, num_queries, channels)
    assert {one.shape[-1] for one in features} == {64}


@pytest.mark.parametrize("name", ROWS)
def test_parameters_are_those_counted_by_hand(name):
    *_, channels, num_layers, num_latents, adapter = ROWS[name]

    def maps(*sizes):
        return sum(inputs * outputs + outputs for inputs, outputs in sizes)

    d, c = 512, channels
    encoder = num_latents * d + 2 * c + 2 * 2 * d  # latents; norms of keys, of queries and MLP
    encoder += maps((d, c), (c, c), (c, c), (c, d), (d, d), (d, d))
    layer = 2 * 2 * d + 6 * maps((d, d))
    decoder = 2 * d + 2 * 2 * c
    decoder += maps((c, d), (d, d), (d, d), (d, c), (c, c), (c, c))
    head = maps((c, 2))
    if name in ("flow_conv", "flow_conv_apart", "flow_light"):
        head += maps((c, 4 * 4 * 9))
    due = adapter + encoder + num_layers * layer + decoder + head
    assert num_params(presets.preset(name)) == due


@pytest.mark.parametrize("name", ROWS)
def test_no_network_forms_keys_or_queries_of_its_inputs(name):
    config = presets.preset(name)
    images = jax.ShapeDtypeStruct((1, 2, 368, 496, 3), np.float32)
    model = nnx.eval_shape(lambda: PerceiverIO(config, rngs=nnx.Rngs(0)))
    with plan.recorded() as choices:
        nnx.eval_shape(lambda model, batch: model(batch), model, {"images": images})
    encoder, decoder = choices
    assert (encoder.path, decoder.path) == ("pool", "read")
    assert (encoder.cross.num_keys, decoder.cross.num_queries) == ROWS[name][:2]


@pytest.mark.parametrize("name", KINDS)
def test_folded_networks_equal_the_plain_ones(name, monkeypatch):
    monkeypatch.setattr(plan, "CPU_SCORES", 200)  # more than one block of everything
    batch = {"images": frames(name)}
    with plan.recorded() as choices:
        found = fast_jit(lambda model: model(batch)["flow"])(network(name))
    assert [choice.path for choice in choices] == ["pool", "read"]
    with plan.forced("plain"), plan.recorded() as choices:
        due = fast_jit(lambda model: model(batch)["flow"])(network(name))
    assert [choice.path for choice in choices] == ["plain", "plain"]
    assert found.shape == (2, *small(name).input.size, 2)
    np.testing.assert_allclose(found, due, rtol=0, atol=5e-5 * due.std())


def test_gradients_of_folded_frames_are_the_plain_ones(monkeypatch):
    """3x3 patches, for they have all that the others have: two segments and a kernel."""
    monkeypatch.setattr(plan, "CPU_SCORES", 200)
    structure, params = nnx.split(network("flow_apart"))
    batch = {"images": frames("flow_apart")}

    def loss(params):
        flow = nnx.merge(structure, params)(batch)["flow"]
        return (flow * np.sin(np.arange(flow.size)).reshape(flow.shape)).sum()

    gradients = fast_jit(jax.grad(loss))(params)
    with plan.forced("plain"):
        plain = fast_jit(lambda params: jax.grad(loss)(params))(params)
    found, due = (mapping.flatten(nnx.to_pure_dict(one)) for one in (gradients, plain))
    for path in due:
        # The gradient of a key's bias is zero but for rounding.
        scale = np.sqrt(np.square(due[path.replace("key.bias", "key.kernel")]).mean())
        np.testing.assert_allclose(found[path], due[path], rtol=0, atol=2e-4 * scale, err_msg=path)


def positions_by_hand(time: int, height: int, width: int) -> np.ndarray:
    """Returns the 387 position channels of one frame's places, in float64."""
    found = np.zeros((height, width, 3 + 2 * 3 * 64))
    for y, x in np.ndindex(height, width):
        place = [2 * time - 1, 2 * y / (height - 1) - 1, 2 * x / (width - 1) - 1]
        phases = [
            np.pi * at * np.linspace(1, size / 2, 64)
            for at, size in zip(place, (2, height, width), strict=True)
        ]
        found[y, x] = np.concatenate([place, *map(np.sin, phases), *map(np.cos, phases)])
    return found.reshape(height * width, -1)


def features_by_hand(name: str, frame: np.ndarray) -> np.ndarray:
    """Returns the 64 features of each place of one frame [H, W, 3]."""
    adapter = network(name).adapter
    if name == "flow_conv_apart":
        return np.asarray(fast_jit(lambda stem: stem(frame[None], train=False))(adapter.stem))[0]
    values = frame
    if name == "flow_apart":
        padded = np.pad(frame, ((1, 1), (1, 1), (0, 0)))
        values = np.zeros((*frame.shape[:2], 27))
        for y, x in np.ndindex(frame.shape[:2]):
            values[y, x] = padded[y : y + 3, x : x + 3].reshape(-1)
    return values @ np.asarray(adapter.linear.kernel[...]) + np.asarray(adapter.linear.bias[...])


@pytest.mark.parametrize("name", APART)
def test_frames_apart_are_inputs_one_after_the_other_and_the_first_is_asked(name):
    images = frames(name)
    inputs, queries = (join(segments) for segments in adapt(network(name), images))
    due = []
    for time in range(2):
        features = features_by_hand(name, images[1, time])
        height, width, channels = features.shape
        positions = positions_by_hand(time, height, width)
        due.append(np.concatenate([features.reshape(-1, channels), positions], axis=-1))
    np.testing.assert_allclose(inputs[1], np.concatenate(due), rtol=0, atol=2e-5)
    np.testing.assert_allclose(queries[1], due[0], rtol=0, atol=2e-5)


@pytest.mark.parametrize("name", APART)
def test_only_their_time_tells_the_frames_apart(name):
    model, images = network(name), frames(name)
    first, second = adapt(model, images)[0]
    swapped = adapt(model, images[:, ::-1])[0]
    due = encode(model, (first, second))
    # Inputs are a set: their order does not matter, what they hold does.
    np.testing.assert_allclose(encode(model, (second, first)), due, rtol=0, atol=1e-5)
    assert np.abs(encode(model, swapped) - due).max() > 1e-2
    timeless, other = (
        encode(model, (pair[0], pair[1]._replace(outer=first.outer)))
        for pair in ((first, second), swapped)
    )
    np.testing.assert_allclose(timeless, other, rtol=0, atol=1e-5)
    # Of all position channels one differs, but for the rounding of pi.
    differences = np.abs(first.outer - second.outer).max(axis=0)
    np.testing.assert_array_equal(np.flatnonzero(differences > 1e-6), [0])
    assert differences[0] == 2


@pytest.mark.parametrize("name", KINDS)
def test_swapped_frames_have_another_flow(name):
    images = frames(name)
    flow, swapped = (flow_of(network(name), one, one) for one in (images, images[:, ::-1]))
    assert np.abs(swapped - flow).max() > 0.1 * np.std(flow)


def test_a_pixel_of_the_first_frame_asks_for_its_own_flow():
    name = "flow_pixels_apart"
    images = frames(name)
    changed = images.copy()
    changed[1, :, 5, 3] += 1
    flow, other = (np.asarray(flow_of(network(name), images, one)) for one in (images, changed))
    np.testing.assert_array_equal(np.argwhere((flow != other).any(axis=-1)), [[1, 5, 3]])


def test_batch_norm_of_frames_apart_sees_both_of_them():
    images = frames("flow_conv_apart")
    before = network("flow_conv_apart").adapter.stem.norm.mean_hidden[...]

    @fast_jit
    def run(adapter):
        features = [adapter.stem.convolution(images[:, time]) for time in range(2)]
        adapter({"images": images}, key=jax.random.key(0))
        return jnp.stack(features), adapter.stem.norm.mean_hidden[...]

    features, found = run(network("flow_conv_apart").adapter)
    due = 0.9 * before + 0.1 * features.mean((0, 1, 2, 3))
    np.testing.assert_allclose(found, due, rtol=0, atol=1e-5)


def test_upsampled_flow_is_a_convex_sum_of_nine_neighbours():
    config = small("flow_conv_apart")
    head = UpsampledFlowHead(5, config, rngs=nnx.Rngs(0))
    values = np.random.default_rng(0).standard_normal((1, 6, 2 + 16 * 9), dtype=np.float32)
    found = np.asarray(
        fast_jit(lambda head: head((values,), Adapted((), grid=(2, 3))))(head)["flow"]
    )
    assert found.shape == (1, 8, 12, 2)
    cells = values.astype(np.float64).reshape(2, 3, -1)
    # In units of 20 pixels after a division by 100; beyond the edge the nearest cell counts.
    coarse = np.pad(cells[..., :2] / 5, ((1, 1), (1, 1), (0, 0)), mode="edge")
    for y, x in np.ndindex(8, 12):
        row, column = y // 4, x // 4
        weights = cells[row, column, 2:].reshape(4, 4, 9)[y % 4, x % 4]
        weights = np.exp(weights) / np.exp(weights).sum()
        neighbours = coarse[row : row + 3, column : column + 3].reshape(9, 2)
        np.testing.assert_allclose(found[0, y, x], weights @ neighbours, rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [(6, 8), (8, 6)])
def test_a_convolution_takes_frames_of_whole_cells_only(size):
    with pytest.raises(ValueError, match=f"frames of {size[0]}x{size[1]}; multiples of 4"):
        network("flow_conv_apart").adapter({"images": np.zeros((1, 2, *size, 3), np.float32)})


def test_configurations_from_before_frames_could_be_apart_are_read():
    old = configs.to_dict(presets.preset("flow"))
    assert old["input"].pop("frames") == "concatenated"
    assert configs.from_dict(old) == presets.preset("flow")


@pytest.mark.parametrize("name", ["flow_apart", "flow_pixels", "flow_pixels_apart"])
def test_a_network_of_the_table_is_a_change_of_its_input(name):
    changes = [f"input.{field}={value}" for field, value in KINDS[name].items()]
    assert overrides.apply(presets.preset("flow"), changes) == presets.preset(name)


def test_a_head_for_the_other_resolution_is_refused():
    with pytest.raises(UserError, match="flow from convolution needs the head UpsampledFlowField"):
        overrides.apply(presets.preset("flow"), ["input.preparation=convolution"])
    with pytest.raises(ValueError, match="flow from pixels needs the head FlowField, not Up"):
        dataclasses.replace(presets.preset("flow_pixels"), head=UpsampledFlowField())


@pytest.mark.parametrize("name", KINDS)
def test_networks_without_released_weights_have_no_official_format(name):
    with pytest.raises(UserError, match="choose --format=orbax"):
        official.family(presets.preset(name))
