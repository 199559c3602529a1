# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Writes the small golden files beside this script.

    JAX_PLATFORMS=cpu PYTHONPATH=tests python tests/goldens/make_goldens.py

They are our own outputs on random weights, of every small preset and of each of its parts.
They were written once the released networks equalled the outputs of the original code (see
goldens_test.py and benchmarks/golden_comparison.py), and they hold that state where the
full-size reference is absent. Write them anew only for a change that is meant to change
numbers, and say which in the commit.
"""

import dataclasses
import pathlib

import jax
import numpy as np
from random_networks import fast_jit, random_batch, random_weights

from perceiver_bench.config import EncoderConfig, ModelConfig, MultimodalInput
from perceiver_bench.model import presets
from perceiver_bench.model.segments import Segment, join
from perceiver_bench.model.weights import mapping

NAMES = tuple(name for name in presets.PRESETS if name.endswith("_tiny"))
# Of a large array this many values, evenly spread, with the mean and the deviation of all.
MAX_VALUES = 256


def _config(name: str) -> ModelConfig:
    """The preset, with less sound: high frequencies magnify the last bit, which processors
    may round differently.
    """
    config = presets.preset(name)
    if isinstance(config.input, MultimodalInput):
        inputs = dataclasses.replace(config.input, audio_samples=32)
        config = dataclasses.replace(config, input=inputs)
    return config


def _sample(array) -> np.ndarray:
    array = np.asarray(array, np.float32).reshape(-1)
    chosen = np.linspace(0, array.size - 1, min(array.size, MAX_VALUES)).astype(int)
    return np.concatenate([array[chosen], [array.mean(), array.std()]])


def parts(name: str) -> dict[str, np.ndarray]:
    """Returns a sample of every part's output for the preset `name`."""
    model = mapping.to_model(random_weights(_config(name)))
    batch = random_batch(_config(name))

    @fast_jit
    def run(model, batch):
        adapted = model.adapter(batch)
        encoder = model.encoder
        encoded = encoder(adapted.segments, adapted.mask)
        outputs = {"inputs": adapted.inputs, "latents": encoded}
        if isinstance(model.config.encoder, EncoderConfig):
            latents = (Segment(encoder.latents[...][None]),)
            attended = encoder.cross_attention(latents, adapted.segments, key_mask=adapted.mask)
            outputs["cross_attention"] = attended
        if model.config.decoder is not None:
            queries = model.query(batch, adapted)
            decoded = model.decoder(queries.segments, (Segment(encoded),), query_mask=queries.mask)
            asked = jax.numpy.broadcast_to(join(queries.segments), decoded.shape)
            outputs |= {"queries": asked, "decoded": decoded}
        outputs |= {f"prediction_{key}": value for key, value in model(batch).items()}
        if isinstance(model.config.input, MultimodalInput):
            whole = {key: batch[key] for key in ("images", "audio")}
            outputs |= {f"whole_{key}": value for key, value in model(whole).items()}
        return outputs

    return {key: _sample(value) for key, value in run(model, batch).items()}


if __name__ == "__main__":
    jax.config.update("jax_default_matmul_precision", "highest")
    for preset in NAMES:
        np.savez_compressed(pathlib.Path(__file__).with_name(f"{preset}.npz"), **parts(preset))
