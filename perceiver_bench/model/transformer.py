# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The network that Perceiver IO is compared with on text: self-attention over all inputs."""

import jax
import jax.numpy as jnp
from flax import nnx

from perceiver_bench.config import ModelConfig, TransformerConfig
from perceiver_bench.model.linear import layer_norm
from perceiver_bench.model.segments import Segments, join
from perceiver_bench.model.stack import build_stack, run_layers, unstack


class Transformer(nnx.Module):
    """Layers of self-attention over the inputs themselves, then a layer norm.

    Takes the place of the encoder; what it returns are outputs, one for each input.
    """

    def __init__(
        self, config: TransformerConfig, channels: int, model: ModelConfig, *, rngs: nnx.Rngs
    ):
        self.remat = model.remat
        self.self_attention = build_stack(
            config.num_layers, channels, config.self_attention, model, rngs=rngs
        )
        self.norm = layer_norm(channels, rngs)

    def unstack(self) -> None:
        """Turns the stack of layers into a list of layers, for forward passes only."""
        self.self_attention = unstack(self.self_attention)

    def __call__(
        self,
        inputs: Segments,
        mask: jax.Array | None = None,
        *,
        key: jax.Array | None = None,
    ) -> jax.Array:
        """Returns outputs [B, M, C] of inputs [B, M, C], of which `mask` [B, M] counts.

        Outputs at positions that do not count mean nothing.
        """
        hidden = join(inputs)
        if mask is not None:
            # A text without any token is read at its first position all the same: what
            # padding holds must not show there.
            hidden = jnp.where(mask[..., None].astype(bool), hidden, 0)
        hidden = run_layers(self.self_attention, hidden, mask=mask, key=key, remat=self.remat)
        return self.norm(hidden)
