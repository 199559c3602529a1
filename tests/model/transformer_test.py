# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The full-attention network: the same blocks as Perceiver IO, without latents."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from random_networks import RELEASED_SMALL, fast_jit, random_batch, random_weights

from perceiver_bench.config import (
    AveragedLogits,
    EncoderConfig,
    Logits,
    ModelConfig,
    TanhLogits,
)
from perceiver_bench.errors import UserError
from perceiver_bench.model import presets
from perceiver_bench.model.inference import Forward
from perceiver_bench.model.weights import mapping
from perceiver_bench.train import weights

CONFIG = presets.preset("language_bert_tiny")
CLASSIFIER = dataclasses.replace(CONFIG, head=TanhLogits(num_outputs=3))
LENGTH = CONFIG.input.max_length


@functools.cache
def network(config: ModelConfig):
    return nnx.split(mapping.to_model(random_weights(config)))


@functools.cache
def compiled(config: ModelConfig):
    """The forward pass, and the gradients of the sum of a weight times the logits."""
    structure, _ = network(config)

    def forward(state, batch, key):
        return nnx.merge(structure, state)(batch, key=key)["logits"]

    def loss(state, batch, weight):
        return (forward(state, batch, None) * weight).sum()

    return fast_jit(forward), fast_jit(jax.grad(loss))


def forward(config: ModelConfig, batch, key=None):
    return np.asarray(compiled(config)[0](network(config)[1], batch, key))


def gradients(config: ModelConfig, batch, weight):
    """Gradients of the sum of `weight` times the logits, by path."""
    found = compiled(config)[1](network(config)[1], batch, weight)
    leaves = mapping.flatten(nnx.to_pure_dict(found))
    return {path: np.asarray(leaf) for path, leaf in leaves.items()}


def assert_same_gradients(found, due):
    assert found.keys() == due.keys()
    for path in due:
        # The gradient of a key's bias is zero but for rounding.
        scale = np.sqrt(np.square(due[path.replace("key.bias", "key.kernel")]).mean())
        np.testing.assert_allclose(found[path], due[path], rtol=0, atol=2e-4 * scale, err_msg=path)


def normal(*shape):
    return np.random.default_rng(7).standard_normal(shape, dtype=np.float32)


def as_torch(torch, config: ModelConfig):
    """The library's own pre-norm encoder in float64, and the names of its parameters."""
    channels, attention = config.input.channels, config.encoder.self_attention
    layer = torch.nn.TransformerEncoderLayer(
        channels,
        attention.num_heads,
        dim_feedforward=attention.widening_factor * channels,
        dropout=0.0,
        activation=functools.partial(torch.nn.functional.gelu, approximate="tanh"),
        batch_first=True,
        norm_first=True,
    )
    encoder = torch.nn.TransformerEncoder(
        layer, config.encoder.num_layers, torch.nn.LayerNorm(channels), enable_nested_tensor=False
    ).double()
    leaves = mapping.flatten(random_weights(config).params)

    def assign(parameter, array):
        parameter.data = torch.from_numpy(np.array(array, np.float64))

    for index, one in enumerate(encoder.layers):
        own = {
            path.removeprefix("encoder.self_attention."): leaf[index]
            for path, leaf in leaves.items()
            if path.startswith("encoder.self_attention.")
        }
        names = [f"attention.{name}" for name in ("query", "key", "value")]
        assign(one.self_attn.in_proj_weight, np.concatenate([own[f"{n}.kernel"].T for n in names]))
        assign(one.self_attn.in_proj_bias, np.concatenate([own[f"{n}.bias"] for n in names]))
        for ours, theirs in (
            ("attention.output", one.self_attn.out_proj),
            ("mlp.hidden", one.linear1),
            ("mlp.output", one.linear2),
        ):
            assign(theirs.weight, own[f"{ours}.kernel"].T)
            assign(theirs.bias, own[f"{ours}.bias"])
        for ours, theirs in (("norm", one.norm1), ("mlp_norm", one.norm2)):
            assign(theirs.weight, own[f"{ours}.scale"])
            assign(theirs.bias, own[f"{ours}.bias"])
    assign(encoder.norm.weight, leaves["encoder.norm.scale"])
    assign(encoder.norm.bias, leaves["encoder.norm.bias"])
    return encoder, leaves


def test_equals_the_encoder_of_another_library_in_numbers_and_gradients():
    torch = pytest.importorskip("torch", reason="the pinned torch has no build for this Python")
    batch = random_batch(CONFIG)
    mask = batch["input_mask"].astype(bool)
    encoder, leaves = as_torch(torch, CONFIG)
    table, positions, bias = (
        torch.tensor(np.array(leaves[path], np.float64), requires_grad=True)
        for path in ("adapter.embeddings", "adapter.positions", "head.bias")
    )
    inputs = table[torch.from_numpy(batch["inputs"]).long()] + positions
    outputs = encoder(inputs, src_key_padding_mask=torch.from_numpy(~mask))
    due = outputs @ table.T + bias
    found = forward(CONFIG, batch)
    np.testing.assert_allclose(found[mask], due.detach().numpy()[mask], rtol=0, atol=1e-4)

    weight = normal(*found.shape) * mask[..., None]
    (due * torch.from_numpy(weight)).sum().backward()
    ours = gradients(CONFIG, batch, weight)
    first = encoder.layers[0]
    for path, theirs in (
        ("adapter.embeddings", table),
        ("adapter.positions", positions),
        ("head.bias", bias),
        ("encoder.norm.scale", encoder.norm.weight),
        ("encoder.self_attention.mlp.hidden.bias", first.linear1.bias),
        ("encoder.self_attention.norm.scale", first.norm1.weight),
    ):
        mine = ours[path][0] if "self_attention" in path else ours[path]
        theirs = theirs.grad.numpy()
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=2e-4 * theirs.std(), err_msg=path)


@pytest.mark.parametrize("config", [CONFIG, CLASSIFIER], ids=["vocabulary", "classifier"])
def test_more_padding_changes_nothing(config):
    batch = random_batch(config)
    # An empty text, a short one, one of half the length and a full one.
    lengths = np.array([0, 3, LENGTH // 2, LENGTH])
    inputs = np.tile(batch["inputs"][:1], (4, 1))
    mask = (np.arange(LENGTH) < lengths[:, None]).astype(np.int32)
    due = forward(config, {"inputs": inputs, "input_mask": mask})
    assert np.isfinite(due).all()
    noise = np.random.default_rng(1).integers(0, config.input.vocab_size, inputs.shape)
    noisy = np.where(mask == 1, inputs, noise).astype(np.int32)
    np.testing.assert_array_equal(forward(config, {"inputs": noisy, "input_mask": mask}), due)
    for size in (LENGTH // 2, LENGTH // 2 + 9):
        short = {"inputs": inputs[:3, :size], "input_mask": mask[:3, :size]}
        found = forward(config, short)
        if config is CLASSIFIER:
            np.testing.assert_allclose(found, due[:3], rtol=0, atol=2e-5)
            continue
        counts = mask[:3, :size] == 1
        np.testing.assert_allclose(found[counts], due[:3, :size][counts], rtol=0, atol=1e-4)


def test_padding_gets_no_gradient():
    batch = random_batch(CLASSIFIER)
    batch["input_mask"] = np.zeros_like(batch["input_mask"])
    batch["input_mask"][1, :5] = 1
    found = gradients(CLASSIFIER, batch, normal(2, 3))
    assert all(np.isfinite(leaf).all() for leaf in found.values())
    reached = found["adapter.positions"].any(axis=-1)
    np.testing.assert_array_equal(reached, np.arange(LENGTH) < 5)


def test_no_mask_is_a_mask_of_ones():
    batch = {"inputs": random_batch(CONFIG)["inputs"]}
    whole = forward(CONFIG, {**batch, "input_mask": np.ones_like(batch["inputs"])})
    np.testing.assert_allclose(forward(CONFIG, batch), whole, rtol=0, atol=1e-5)


def test_named_positions_are_those_of_all_in_numbers_and_gradients():
    batch = random_batch(CONFIG)
    positions = np.array([[5, 0, 5, 63], [1, 30, 2, 0]], np.int32)
    rows = np.arange(2)[:, None]
    some = {**batch, "output_positions": positions}
    found, due = forward(CONFIG, some), forward(CONFIG, batch)
    assert found.shape == (2, 4, 262)
    np.testing.assert_allclose(found[0], due[0, positions[0]], rtol=0, atol=1e-5)
    np.testing.assert_allclose(found[1], due[1, positions[1]], rtol=0, atol=1e-5)
    weight = normal(*found.shape)
    spread = np.zeros_like(due)
    np.add.at(spread, (rows, positions), weight)
    assert_same_gradients(gradients(CONFIG, some, weight), gradients(CONFIG, batch, spread))


def test_a_classifier_reads_the_first_output():
    batch = random_batch(CLASSIFIER)
    due = forward(CLASSIFIER, batch)
    assert due.shape == (2, 3)
    named = {**batch, "output_positions": np.zeros((2, 1), np.int32)}
    np.testing.assert_allclose(forward(CLASSIFIER, named), due, rtol=0, atol=1e-5)
    named["output_positions"] += 1
    assert np.abs(forward(CLASSIFIER, named) - due).max() > 1e-2


def test_remat_and_a_list_of_layers_change_nothing():
    batch = random_batch(CONFIG)
    weight = normal(2, LENGTH, 262)
    remat = dataclasses.replace(CONFIG, remat=True)
    assert_same_gradients(gradients(remat, batch, weight), gradients(CONFIG, batch, weight))
    run = Forward(CONFIG, batch)
    run.load(random_weights(CONFIG))
    np.testing.assert_allclose(run(batch)["logits"], forward(CONFIG, batch), rtol=0, atol=1e-4)


@pytest.mark.parametrize("rates", [{"dropout": 0.2}, {"attention_dropout": 0.2}])
def test_dropout_acts_only_with_a_key(rates):
    batch = random_batch(CLASSIFIER)
    plain = forward(CLASSIFIER, batch)
    config = dataclasses.replace(CLASSIFIER, **rates)
    np.testing.assert_array_equal(forward(config, batch), plain)
    first, second, again = (forward(config, batch, jax.random.key(seed)) for seed in (0, 1, 0))
    assert np.abs(first - plain).max() > 1e-2
    assert np.abs(first - second).max() > 1e-2
    np.testing.assert_array_equal(first, again)


def test_bfloat16_is_close():
    batch = random_batch(CONFIG)
    due = forward(CONFIG, batch)
    found = forward(dataclasses.replace(CONFIG, dtype="bfloat16"), batch)
    assert found.dtype == np.float32
    assert 1e-5 < np.sqrt(np.square(found - due).mean()) / due.std() < 0.05


def test_scores_of_2048_inputs_never_exist_at_once():
    full = presets.preset("language_bert")
    config = dataclasses.replace(full, encoder=dataclasses.replace(full.encoder, num_layers=1))
    batch = {name: np.ones((1, 2048), np.int32) for name in ("inputs", "input_mask")}
    all_scores = 4 * full.encoder.self_attention.num_heads * 2048 * 2048
    scratch = Forward(config, batch).scratch_bytes
    assert scratch is not None
    assert scratch < all_scores / 2


@pytest.mark.parametrize("head", [Logits(num_classes=3), AveragedLogits(num_classes=3)])
def test_other_heads_are_refused(head):
    with pytest.raises(ValueError, match="a transformer is for text"):
        dataclasses.replace(CONFIG, head=head)


def test_other_inputs_and_decoders_are_refused():
    image = presets.preset("imagenet_fourier_tiny")
    with pytest.raises(ValueError, match="a transformer is for text"):
        dataclasses.replace(CONFIG, input=image.input)
    language = presets.preset("language_tiny")
    with pytest.raises(ValueError, match="both a query and a decoder"):
        dataclasses.replace(CONFIG, query=language.query, decoder=language.decoder)
    with pytest.raises(ValueError, match="both a query and a decoder"):
        dataclasses.replace(language, encoder=CONFIG.encoder)
    assert isinstance(language.encoder, EncoderConfig)


@pytest.mark.parametrize(("kind", "name"), [("official", "w.pystate"), ("huggingface", "hf")])
def test_formats_of_the_released_networks_are_refused_in_one_line(kind, name, tmp_path):
    with pytest.raises(UserError, match=r"none of the six released ones.*--format=orbax") as error:
        weights.save(tmp_path / name, random_weights(CONFIG), kind)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())
    weights.save(tmp_path / name, random_weights(RELEASED_SMALL["language"]), kind)
    for read in (weights.load, weights.load_any):
        with pytest.raises(UserError, match="none of the six released ones"):
            read(tmp_path / name, CONFIG)


def test_an_orbax_checkpoint_comes_back_and_starts_a_classifier(tmp_path):
    pretrained = random_weights(CONFIG)
    weights.save(tmp_path / "w", pretrained, "orbax")
    loaded, _ = weights.load(tmp_path / "w", CONFIG)
    assert loaded.config == CONFIG
    assert weights.digest(loaded) == weights.digest(pretrained)
    found = weights.load_any(tmp_path / "w", CLASSIFIER)
    fresh = jax.tree.map(jnp.zeros_like, random_weights(CLASSIFIER).params)
    taken = weights.take_over(fresh, found, ("query", "head"))
    for path, leaf in mapping.flatten(pretrained.params).items():
        if not path.startswith("head."):
            np.testing.assert_array_equal(taken[path], leaf, err_msg=path)
    perceiver = random_weights(presets.preset("language_tiny"))
    with pytest.raises(UserError, match=r"--init holds another model: encoder\.\w+.* is absent"):
        weights.take_over(fresh, perceiver, ("query", "head"))
