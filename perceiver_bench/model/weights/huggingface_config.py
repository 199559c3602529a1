# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The `config.json` of the transformers library for our networks."""

import operator
from collections.abc import Mapping
from typing import Any

from perceiver_bench.config import (
    AttentionConfig,
    FourierPosition,
    InputQuery,
    LearnedPosition,
    LearnedQuery,
    ModelConfig,
    MultimodalQuery,
    PositionQuery,
)
from perceiver_bench.errors import UserError
from perceiver_bench.model.weights.official import family, released_encoder

CLASSES = {
    "language": "PerceiverForMaskedLM",
    "imagenet_fourier": "PerceiverForImageClassificationFourier",
    "imagenet_learned": "PerceiverForImageClassificationLearned",
    "imagenet_conv": "PerceiverForImageClassificationConvProcessing",
    "flow": "PerceiverForOpticalFlow",
    "multimodal": "PerceiverForMultimodalAutoencoding",
}
# What transformers calls the two forms of GELU; the first name is the one we write.
_ACTIVATIONS = {
    "gelu_tanh": ("gelu_pytorch_tanh", "gelu_new", "gelu_python_tanh", "gelu_fast"),
    "gelu": ("gelu", "gelu_python"),
}
# What transformers assumes for fields that a config.json leaves out.
_DEFAULTS = {
    "num_latents": 256,
    "d_latents": 1280,
    "d_model": 768,
    "num_blocks": 1,
    "num_self_attends_per_block": 26,
    "num_self_attention_heads": 8,
    "num_cross_attention_heads": 8,
    "qk_channels": None,
    "v_channels": None,
    "cross_attention_shape_for_attention": "kv",
    "self_attention_widening_factor": 1,
    "cross_attention_widening_factor": 1,
    "use_query_residual": True,
    "hidden_act": "gelu",
    "vocab_size": 262,
    "max_position_embeddings": 2048,
    "image_size": 56,
    "train_size": [368, 496],
    "num_frames": 16,
    "audio_samples_per_frame": 1920,
    "samples_per_patch": 16,
    "output_shape": [1, 16, 224, 224],
    "output_num_channels": 512,
    "_label_trainable_num_channels": 1024,
}


def config_json(config: ModelConfig) -> dict[str, Any]:
    """Returns the `config.json` with which transformers builds the network `config`.

    Raises:
        UserError: naming the field that transformers has fixed at another value.
    """
    name = family(config)
    encoder = released_encoder(config)
    values: dict[str, Any] = {
        "architectures": [CLASSES[name]],
        "model_type": "perceiver",
        "num_latents": encoder.num_latents,
        "d_latents": encoder.latent_channels,
        "num_blocks": encoder.num_blocks,
        "num_self_attends_per_block": encoder.num_layers,
        "num_self_attention_heads": encoder.self_attention.num_heads,
        "num_cross_attention_heads": encoder.cross_attention.num_heads,
        "qk_channels": encoder.self_attention.qk_channels,
        "v_channels": encoder.self_attention.v_channels,
        "cross_attention_shape_for_attention": "kv",
        "self_attention_widening_factor": encoder.self_attention.widening_factor,
        "cross_attention_widening_factor": encoder.cross_attention.widening_factor,
        "use_query_residual": True,
        "hidden_act": _ACTIVATIONS[config.activation][0],
        "attention_probs_dropout_prob": config.attention_dropout,
    }
    inputs: Any = config.input
    fixed: dict[str, Any] = {
        "encoder.cross_attention.qk_channels": encoder.self_attention.qk_channels,
        "encoder.cross_attention.v_channels": encoder.self_attention.v_channels,
        "decoder.cross_attention": AttentionConfig(),
    }
    if not name.startswith("imagenet"):
        fixed["decoder.use_query_residual"] = False
    else:
        values["num_labels"] = operator.attrgetter("head.num_classes")(config)
        fixed["query"] = LearnedQuery(num_queries=1, channels=encoder.latent_channels)
    match name:
        case "language":
            values |= {
                "vocab_size": inputs.vocab_size,
                "d_model": inputs.channels,
                "max_position_embeddings": inputs.max_length,
            }
            fixed["query"] = PositionQuery(max_length=inputs.max_length, channels=inputs.channels)
            fixed["decoder.cross_attention"] = AttentionConfig(
                num_heads=8, qk_channels=256, v_channels=inputs.channels
            )
        case "imagenet_fourier":
            fixed["input.channels"] = 3
            fixed["input.position"] = FourierPosition(num_bands=64, max_resolution=(224, 224))
        case "imagenet_learned":
            values["image_size"] = inputs.size[0]
            fixed["input.size"] = (inputs.size[0], inputs.size[0])
            fixed["input.channels"] = 256
            fixed["input.position"] = LearnedPosition(channels=256, projected_channels=256)
        case "imagenet_conv":
            fixed["input.channels"] = 64
            fixed["input.position"] = FourierPosition(num_bands=64, max_resolution=(56, 56))
        case "flow":
            values["train_size"] = list(inputs.size)
            fixed["query"] = InputQuery()
            fixed["input.channels"] = 64
            fixed["input.position"] = FourierPosition(num_bands=64, max_resolution=inputs.size)
        case "multimodal":
            frames, height, _ = inputs.video_size
            samples = inputs.audio_samples // frames
            label_channels = operator.attrgetter("query.label_channels")(config)
            values |= {
                "num_labels": inputs.num_classes,
                "num_frames": frames,
                "image_size": height // 4,
                "output_shape": [1, *inputs.video_size],
                "audio_samples_per_frame": samples,
                "samples_per_patch": inputs.audio_patch,
                "output_num_channels": operator.attrgetter("head.channels")(config),
                "_label_trainable_num_channels": label_channels,
            }
            fixed |= {
                "input.video_size": (frames, height, height),
                "input.video_patch": (1, 4, 4),
                "input.video_bands": 32,
                "input.audio_samples": frames * samples,
                "input.audio_bands": 192,
                "input.min_padding": 4,
                "query": MultimodalQuery(label_channels=label_channels),
            }
    for path, due in fixed.items():
        if operator.attrgetter(path)(config) != due:
            raise UserError(
                f"transformers.{CLASSES[name]} has {path} fixed at {due}, but this network has"
                f" {operator.attrgetter(path)(config)}; choose --format=orbax"
            )
    return values


def _found(values: Mapping[str, Any], field: str) -> Any:
    """Returns what transformers takes a field of a config.json for."""
    if field == "num_labels":  # stored as the names of the labels; two without any
        names = values.get("id2label")
        return values.get(field, len(names) if isinstance(names, dict) else 2)
    return values.get(field, _DEFAULTS.get(field))


def check(values: Mapping[str, Any], config: ModelConfig, *, where: str) -> None:
    """Checks that a config.json describes `config`, activation and dropout aside.

    Raises:
        UserError: naming the first field that contradicts `config`.
    """
    for field, due in config_json(config).items():
        found = _found(values, field)
        if field not in ("hidden_act", "attention_probs_dropout_prob") and found != due:
            raise UserError(
                f"{where}: {field} is {found!r}, but the network asked for has {due!r}; choose"
                " the --model that the folder holds"
            )


def activation(values: Mapping[str, Any], *, where: str) -> str:
    """Returns our name of the activation that a config.json names.

    Raises:
        UserError: if it is no form of GELU.
    """
    found = _found(values, "hidden_act")
    for ours, theirs in _ACTIVATIONS.items():
        if found in theirs:
            return ours
    known = ", ".join(name for names in _ACTIVATIONS.values() for name in names)
    raise UserError(f"{where}: hidden_act is {found!r}, but only these are known: {known}")
