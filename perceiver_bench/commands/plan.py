# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""`--mode=plan`: how a network will be computed, without running it."""

from collections.abc import Sequence

import jax

from perceiver_bench import overrides
from perceiver_bench.commands.setup import buildable
from perceiver_bench.config import EncoderConfig, ModelConfig, TextInput
from perceiver_bench.model import plan
from perceiver_bench.model.examples import random_batch
from perceiver_bench.model.operations import network_operations
from perceiver_bench.model.perceiver import num_params
from perceiver_bench.model.presets import preset

_PATHS = {
    "plain": "queries, keys and values are formed",
    "pool": "key map folded into the queries, value map applied to pooled inputs",
    "read": "query map folded into the keys, output map into the values",
}


def describe(model_name: str, changes: Sequence[str]) -> str:
    """Returns the plan of one forward pass, batch 1 of the network's own size, as text.

    Raises:
        UserError: for an unknown model, or sizes that do not make a network.
    """
    config = buildable(overrides.apply(preset(model_name), changes))
    with plan.recorded() as choices:
        operations = network_operations(config, random_batch(config))
    lines = [
        f"{model_name}: {num_params(config):,} parameters, on {jax.default_backend()},"
        f" {config.dtype}",
        f"  {operations.plain / 1e9:,.1f} GFLOP as in the paper,"
        f" {operations.executed / 1e9:,.1f} after rewriting",
    ]
    # The second trace is that of the plain network.
    for index, choice in enumerate(choices[: len(choices) // 2]):
        cross = choice.cross
        # The encoder's cross-attention comes first.
        times = _repeated(config) if index == 0 else ""
        lines.append(
            f"  cross-attention of {cross.num_queries:,} queries [{cross.query_channels}] to"
            f" {cross.num_keys:,} inputs [{cross.key_channels}], {_count(cross.heads, 'head')}"
            f"{times}: {choice.path} ({_PATHS[choice.path]})"
        )
        for path, count in choice.operations.items():
            mark = "*" if path == choice.path else " "
            lines.append(f"   {mark} {path:5} {count / 1e9:12,.1f} GFLOP")
    lines.append(_self_attention(config))
    return "\n".join(lines)


def _repeated(config: ModelConfig) -> str:
    """Says how often the encoder attends to the inputs, if more than once."""
    encoder = config.encoder
    if isinstance(encoder, EncoderConfig) and encoder.repeat_cross_attention:
        return f", in each of {encoder.num_blocks} blocks"
    return ""


def _self_attention(config: ModelConfig) -> str:
    """Returns the line of the self-attention layers."""
    encoder = config.encoder
    if isinstance(encoder, EncoderConfig):
        size, layers = encoder.num_latents, encoder.num_blocks * encoder.num_layers
        what = f"{size:,} latents [{encoder.latent_channels}]"
    else:
        assert isinstance(config.input, TextInput)
        size, layers = config.input.max_length, encoder.num_layers
        what = f"{size:,} inputs [{config.input.channels}]"
    heads = encoder.self_attention.num_heads
    blocks = plan.plan_blocks(heads, size, size)
    return (
        f"  self-attention of {what}, {_count(heads, 'head')}, {layers} layers:"
        f" {_count(blocks.num_rows, 'head')} at once, {blocks.num_queries:,} queries x"
        f" {blocks.num_keys:,} keys at once"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
