# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Every preset: its parameters counted, its shapes, and that each parameter is used."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from random_networks import fast_jit, random_batch, random_weights

from perceiver_bench.config import (
    AveragedLogits,
    FlowInput,
    Logits,
    ModelConfig,
    MultimodalInput,
    VoxelActions,
    VoxelInput,
)
from perceiver_bench.errors import UserError
from perceiver_bench.model import presets
from perceiver_bench.model.perceiver import PerceiverIO, num_params
from perceiver_bench.model.weights import mapping

TINY = [name for name in presets.PRESETS if name.endswith("_tiny")]
# Those of the released networks are counted in the released files; the others follow from
# their configuration. Tables 7 and 11 of the paper give them in millions.
PARAMETERS = {
    "language": 201_108_230,
    "imagenet_fourier": 48_440_627,
    "imagenet_learned": 62_255_848,
    "imagenet_conv": 48_646_522,
    "flow": 41_057_134,
    "multimodal": 19_858_855,
    "language_sentencepiece": 223_155_456,
    "language_plus": 425_607_430,
    "language_bert": 20_098_310,
    "language_bert_sentencepiece": 110_057_216,
    "imagenet_fourier_large": 213_082_618,
    "imagenet_conv_large": 212_375_930,
    "perceiver_fourier": 42_135_859,
    "perceiver_learned": 55_951_080,
    "flow_apart": 41_720_272,
    "flow_pixels": 41_054_062,
    "flow_pixels_apart": 41_718_736,
    "flow_conv": 41_119_070,
    "flow_conv_apart": 41_793_104,
    "flow_light": 27_970_910,
    # That of the released file is the sum of its arrays; the other is the count that PerAct's
    # paper rounds to 33.2M, of the network with positions for the words.
    "peract": 33_230_813,
    "peract_language_positions": 33_240_669,
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameter_counts(name):
    assert num_params(presets.preset(name)) == PARAMETERS[name]


def test_batch_norm_state_of_the_released_network():
    shapes = mapping.expected_shapes(presets.preset("imagenet_conv"))
    state = [leaf for path, leaf in shapes.items() if mapping.is_state(path)]
    assert sum(leaf.size for leaf in state) == 258


def expected_outputs(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    match config.input, config.head:
        case _, Logits(num_classes=num) | AveragedLogits(num_classes=num):
            return {"logits": (2, num)}
        case FlowInput(size=size), _:
            return {"flow": (2, *size, 2)}
        case MultimodalInput() as inputs, _:
            audio = (2, 3 * inputs.audio_patch)
            return {"audio": audio, "image": (2, 3, 3), "label": (2, inputs.num_classes)}
        case VoxelInput(size=size), VoxelActions(num_rotations=num):
            grids = {"voxels": (2, size, size, size, 10), "translation": (2, size, size, size)}
            return grids | {"rotation_grip": (2, 3 * num + 2), "collision": (2, 2)}
        case text, _:
            return {"logits": (2, text.max_length, text.vocab_size)}


def check_shapes_and_types(config: ModelConfig) -> None:
    model = nnx.eval_shape(lambda: PerceiverIO(config, rngs=nnx.Rngs(0)))
    for path, leaf in mapping.flatten(nnx.to_pure_dict(nnx.state(model))).items():
        assert leaf.dtype == (jnp.int32 if path.endswith("counter") else jnp.float32), path
    outputs = nnx.eval_shape(lambda model, batch: model(batch), model, random_batch(config))
    assert {name: leaf.shape for name, leaf in outputs.items()} == expected_outputs(config)
    assert {leaf.dtype for leaf in outputs.values()} == {jnp.dtype("float32")}


@pytest.mark.parametrize("name", presets.PRESETS)
def test_shapes_and_types(name):
    check_shapes_and_types(presets.preset(name))


@pytest.mark.parametrize("name", TINY)
def test_shapes_and_types_in_bfloat16(name):
    check_shapes_and_types(dataclasses.replace(presets.preset(name), dtype="bfloat16"))


# The class and its mask token stand for all three: sound and pictures are never masked.
UNUSED = {"adapter.audio_mask_token", "adapter.image_mask_token"}


@pytest.mark.parametrize("name", TINY)
def test_forward_and_gradient_of_small_presets(name):
    config = presets.preset(name)
    weights = random_weights(config)
    structure, _ = nnx.split(mapping.to_model(weights))
    # So many that some classes of the multimodal network are masked and some are not.
    batch = random_batch(config, 4)

    def loss(params, state):
        model = nnx.merge(structure, params, state)
        outputs = model(batch, key=jax.random.key(1))
        total = sum(
            (leaf.reshape(-1) * jnp.sin(jnp.arange(leaf.size))).sum() for leaf in outputs.values()
        )
        return total, outputs

    gradients, outputs = fast_jit(jax.grad(loss, has_aux=True))(weights.params, weights.state)
    for leaf in outputs.values():
        assert np.isfinite(leaf).all()
        assert np.std(leaf) > 0
    gradients = mapping.flatten(gradients)
    for path, gradient in gradients.items():
        assert np.isfinite(gradient).all(), path
        # The softmax ignores what all keys have in common: zero but for rounding.
        if not path.endswith("key.bias"):
            assert np.asarray(gradient).any() == (path not in UNUSED), path


def test_unknown_preset_names_the_nearest():
    with pytest.raises(UserError, match=r"--model=imagenet_furier.*'imagenet_fourier'"):
        presets.preset("imagenet_furier")


def test_byte_bert_is_that_of_the_paper():
    """Section F.3: width 512, MLP 2048, 6 layers and 8 heads."""
    shapes = mapping.expected_shapes(presets.preset("language_bert"))
    assert shapes["adapter.positions"].shape == (2048, 512)
    assert shapes["encoder.self_attention.mlp.hidden.kernel"].shape == (6, 512, 2048)
    assert shapes["encoder.self_attention.attention.query.kernel"].shape == (6, 512, 512)
    config = presets.preset("language_bert")
    assert config.encoder.self_attention.num_heads == 8
    assert config.query is None
    assert config.decoder is None


def test_perceiver_has_one_cross_attention_in_every_block_and_no_decoder():
    config = presets.preset("perceiver_fourier")
    assert config.encoder.repeat_cross_attention
    assert config.encoder.num_blocks == 8
    assert config.decoder is None
    assert not any(path.startswith("decoder") for path in mapping.expected_shapes(config))
