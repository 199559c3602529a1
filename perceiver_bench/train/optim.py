# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The optimizers of the papers: LAMB and AdamW with their schedules and decay rules.

Parameters are nested dicts of arrays (`nnx.to_pure_dict`). What a parameter is follows
from its path, such as `encoder/self_attention/mlp_norm/scale`. The rules are those of the
original ImageNet training code: decay leaves out biases and normalisation; the trust
ratio of LAMB leaves out nothing.
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from perceiver_bench.config import OptimizerConfig
from perceiver_bench.errors import UserError

_POSITIONS = ("latents", "positions", "queries", "_query", "_padding", "_mask_token")
"""Ends of the names of what the original code calls `pos_embs`."""


def schedule(config: OptimizerConfig, steps: int) -> optax.Schedule:
    """Returns the learning rate of each update, counted from 0; `steps` includes the warmup.

    The warmup rises linearly from 0 at update 0. `flat_fraction` is a share of all steps,
    warmup included, rounded down, as in the original code.

    Raises:
        UserError: if the warmup or the flat part leaves no step for the rest.
    """
    if not 0 <= config.warmup_steps < steps:
        raise UserError(
            f"train.optimizer.warmup_steps={config.warmup_steps}: must be at least 0 and"
            f" below train.steps={steps}"
        )
    if not 0 <= config.flat_fraction < 1:
        raise UserError(f"train.optimizer.flat_fraction={config.flat_fraction}: must be in [0, 1)")
    peak, warmup = config.learning_rate, config.warmup_steps
    if config.schedule == "constant":
        flat = steps
    elif config.schedule == "cosine":
        flat = warmup
    else:
        flat = max(warmup, int(config.flat_fraction * steps))
    parts = [(optax.linear_schedule(0.0, peak, warmup), warmup)] if warmup else []
    parts += [(optax.constant_schedule(peak), flat)] if flat > warmup else []
    parts += [(optax.cosine_decay_schedule(peak, steps - flat), steps)] if flat < steps else []
    return optax.join_schedules([part for part, _ in parts], [end for _, end in parts[:-1]])


def optimizer(config: OptimizerConfig, steps: int) -> optax.GradientTransformation:
    """Returns the update rule for nested dicts of parameters.

    Raises:
        UserError: for a schedule as `schedule` does, or a clip norm that is not positive.
    """
    if config.clip_norm is not None and config.clip_norm <= 0:
        raise UserError(
            f"train.optimizer.clip_norm={config.clip_norm}: must be positive; None clips nothing"
        )

    def decay_mask(params: Any) -> Any:
        return _map_with_path(lambda path, _: is_decayed(path, config.decay_positions), params)

    clip = optax.clip_by_global_norm(config.clip_norm) if config.clip_norm else optax.identity()
    return optax.chain(
        clip,
        optax.scale_by_adam(b1=config.b1, b2=config.b2, eps=config.eps),
        optax.add_decayed_weights(config.weight_decay, decay_mask),
        scale_by_trust_ratio() if config.name == "lamb" else optax.identity(),
        optax.scale_by_learning_rate(schedule(config, steps)),
    )


def is_decayed(path: str, decay_positions: bool) -> bool:
    """Whether weight decay applies to the parameter at `path`.

    Biases and normalisation parameters are left out. Latents, learned positions and
    queries, padding and mask tokens are position embeddings.
    """
    *modules, name = path.split("/")
    if name == "bias" or any("norm" in module for module in modules):
        return False
    return decay_positions or not name.endswith(_POSITIONS)


def is_stacked(path: str) -> bool:
    """Whether the parameter at `path` has a leading axis of layers."""
    return "self_attention" in path.split("/")


def scale_by_trust_ratio() -> optax.GradientTransformation:
    """Scales each update by the norm of its parameter over its own norm (LAMB).

    As `optax.scale_by_trust_ratio`, but a stack of layers [L, ...] has one ratio for each
    layer, as if the layers were parameters of their own. The ratio is 1 where either norm
    is 0.
    """

    def scaled(path: str, update: jax.Array, param: jax.Array) -> jax.Array:
        axes = tuple(range(int(is_stacked(path)), param.ndim))
        param_norm, update_norm = (
            jnp.sqrt(jnp.sum(jnp.square(x), axes, keepdims=True)) for x in (param, update)
        )
        moves = (param_norm > 0) & (update_norm > 0)
        return update * jnp.where(moves, param_norm / jnp.where(moves, update_norm, 1), 1)

    def update_fn(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        if params is None:
            raise ValueError("the trust ratio needs the parameters: update(grads, state, params)")
        return _map_with_path(scaled, updates, params), state

    return optax.GradientTransformation(optax.init_empty_state, update_fn)


def _map_with_path(function: Any, *trees: Any) -> Any:
    """Maps `function(path, *leaves)`, the path as `encoder/latents`."""
    return jax.tree_util.tree_map_with_path(
        lambda path, *leaves: function(
            jax.tree_util.keystr(path, simple=True, separator="/"), *leaves
        ),
        *trees,
    )
