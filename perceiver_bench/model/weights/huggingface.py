# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Folders of the transformers library (PyTorch): `config.json` and `model.safetensors`.

A folder is read as transformers computes it, and written so that transformers computes
what we do. The port differs from the original code in three places:

- It may compute GELU in the exact form. `hidden_act` says so, and `load` follows it.
- Its ImageNet classes always add the output query to what the decoder attended to; the
  original network with learned positions does not. `load` follows the port. `save` takes
  the query off the bias that is added at the same place, so that it cancels.
- Its convolutional network pads one pixel off and pools 224 x 224 to 55 x 55 in place of
  56 x 56. No weights can mend that: of this network the weights carry over exactly, the
  outputs do not.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
import shutil
from collections.abc import Iterator, Mapping

import numpy as np
import safetensors.numpy
from absl import logging

from perceiver_bench.config import ModelConfig
from perceiver_bench.errors import UserError
from perceiver_bench.model.weights import huggingface_config, mapping
from perceiver_bench.model.weights.huggingface_config import config_json
from perceiver_bench.model.weights.huggingface_files import (
    CONFIG_FILE,
    WEIGHTS_FILE,
    read_json,
    read_tensors,
    read_weights,
)
from perceiver_bench.model.weights.mapping import Entry, Weights
from perceiver_bench.model.weights.official import family

# Holds what the port has no place for: the zero-debiased batch-norm averages before
# debiasing, and the decoder's bias before the query was taken off it. Without them the way
# back to the official format would not be bit for bit. It names the digest of the weights
# it belongs to, so that it is ignored once transformers has saved others beside it.
SIDE_FILE = "perceiver_bench.safetensors"
_DIGEST = "sha256_of_weights"

_DECODER_BIAS = "decoder.attention.output.bias"
_NORM = "adapter.stem.norm"


def entries(config: ModelConfig) -> Iterator[Entry]:
    """Yields the table for `config`; keys without a `perceiver` stand in the side file."""
    name = family(config)
    decoder = "perceiver.decoder" + ("" if name == "language" else ".decoder")
    yield Entry("encoder.latents", None, "perceiver.embeddings.latents")
    yield from _block("encoder.cross_attention", "perceiver.encoder.cross_attention")
    for layer in range(config.encoder.num_layers):
        module = f"perceiver.encoder.self_attends.{layer}"
        yield from _block("encoder.self_attention", module, layer)
    yield from _block("decoder", f"{decoder}.decoding_cross_attention")
    if name != "language":
        yield from _linear("head.output", f"{decoder}.final_layer")
    yield from _SPECIFIC[name]()


def _linear(path: str, module: str, layer: int | None = None) -> Iterator[Entry]:
    yield Entry(f"{path}.kernel", layer, f"{module}.weight", "transposed")
    yield Entry(f"{path}.bias", layer, f"{module}.bias")


def _block(path: str, module: str, layer: int | None = None) -> Iterator[Entry]:
    """The entries of one attention block with its MLP; stacked ones are self-attention."""
    norms = {"mlp_norm": "layernorm"}
    if layer is None:
        norms |= {
            "query_norm": "attention.self.layernorm1",
            "key_norm": "attention.self.layernorm2",
        }
    else:
        norms |= {"norm": "attention.self.layernorm1"}
    for ours, theirs in norms.items():
        yield Entry(f"{path}.{ours}.scale", layer, f"{module}.{theirs}.weight")
        yield Entry(f"{path}.{ours}.bias", layer, f"{module}.{theirs}.bias")
    for name in ("query", "key", "value"):
        yield from _linear(f"{path}.attention.{name}", f"{module}.attention.self.{name}", layer)
    yield from _linear(f"{path}.attention.output", f"{module}.attention.output.dense", layer)
    yield from _linear(f"{path}.mlp.hidden", f"{module}.mlp.dense1", layer)
    yield from _linear(f"{path}.mlp.output", f"{module}.mlp.dense2", layer)


def _language() -> Iterator[Entry]:
    module = "perceiver.input_preprocessor"
    yield Entry("adapter.embeddings", None, f"{module}.embeddings.weight")
    yield Entry("adapter.positions", None, f"{module}.position_embeddings.weight")
    module = "perceiver.decoder.output_position_encodings"
    yield Entry("query.queries", None, f"{module}.position_embeddings")
    yield Entry("head.bias", None, "embedding_decoder.bias")


def _imagenet_fourier() -> Iterator[Entry]:
    module = "perceiver.decoder.decoder.output_position_encodings"
    yield Entry("query.queries", None, f"{module}.position_embeddings")


def _imagenet_learned() -> Iterator[Entry]:
    yield from _imagenet_fourier()
    module = "perceiver.input_preprocessor"
    kernel = f"{module}.convnet_1x1.weight"
    yield Entry("adapter.linear.kernel", None, kernel, "convolution_1x1")
    yield Entry("adapter.linear.bias", None, f"{module}.convnet_1x1.bias")
    positions = f"{module}.position_embeddings.position_embeddings"
    yield Entry("adapter.positions", None, positions)
    yield from _linear("adapter.projection", f"{module}.positions_projection")


def _imagenet_conv() -> Iterator[Entry]:
    yield from _imagenet_fourier()
    module = "perceiver.input_preprocessor.convnet"
    yield Entry("adapter.stem.convolution.kernel", None, f"{module}.conv.weight", "convolution")
    norm = "adapter.stem.norm"
    yield Entry(f"{norm}.scale", None, f"{module}.batchnorm.weight")
    yield Entry(f"{norm}.bias", None, f"{module}.batchnorm.bias")
    yield Entry(f"{norm}.mean_average", None, f"{module}.batchnorm.running_mean")
    yield Entry(f"{norm}.variance_average", None, f"{module}.batchnorm.running_var")
    yield Entry(f"{norm}.mean_counter", None, f"{module}.batchnorm.num_batches_tracked")
    for leaf in ("mean_hidden", "variance_hidden", "variance_counter"):
        yield Entry(f"{norm}.{leaf}", None, f"{norm}.{leaf}")


def _flow() -> Iterator[Entry]:
    yield from _linear("adapter.linear", "perceiver.input_preprocessor.conv_after_patches")


def _multimodal() -> Iterator[Entry]:
    for name in ("audio", "image", "label"):
        module = "perceiver.input_preprocessor"
        yield Entry(f"adapter.{name}_padding", None, f"{module}.padding.{name}")
        yield Entry(f"adapter.{name}_mask_token", None, f"{module}.mask.{name}")
        yield Entry(f"query.{name}_padding", None, f"perceiver.decoder.padding.{name}")
        module = f"perceiver.output_postprocessor.modalities.{name}.classifier"
        yield from _linear(f"head.{name}", module)
    module = "perceiver.decoder.modalities.label.decoder.output_position_encodings"
    yield Entry("query.label_query", None, f"{module}.position_embeddings")


_SPECIFIC = {
    "language": _language,
    "imagenet_fourier": _imagenet_fourier,
    "imagenet_learned": _imagenet_learned,
    "imagenet_conv": _imagenet_conv,
    "flow": _flow,
    "multimodal": _multimodal,
}


def load(folder: pathlib.Path, config: ModelConfig) -> Weights:
    """Reads a folder; the returned configuration computes what transformers computes.

    Its `activation` is the `hidden_act` of config.json, and its decoder adds the query
    where the port does, whatever `config` says.

    Raises:
        UserError: if a file is absent or damaged, a field of config.json contradicts
            `config`, or the weights are another model's.
    """
    folder = pathlib.Path(folder)
    path = folder / CONFIG_FILE
    values = read_json(path)
    huggingface_config.check(values, config, where=str(path))
    activation = huggingface_config.activation(values, where=str(path))
    source, side = read_weights(folder), _read_side(folder)
    table = list(entries(config))
    keys = {entry.path: entry.key for entry in table}
    adds_query = family(config).startswith("imagenet")
    if _DECODER_BIAS in side:
        source[keys[_DECODER_BIAS]] = side.pop(_DECODER_BIAS)
        adds_query = False
    if family(config) == "imagenet_conv":
        source |= side or _hidden_averages(source, keys, where=str(folder))
    params, state = mapping.read(source, table, config, where=str(folder))
    assert config.decoder is not None
    decoder = dataclasses.replace(config.decoder, use_query_residual=adds_query)
    computed = dataclasses.replace(config, activation=activation, decoder=decoder)
    for field, ours, theirs in (
        ("activation", config.activation, activation),
        ("decoder.use_query_residual", config.decoder.use_query_residual, adds_query),
    ):
        if ours != theirs:
            logging.info(
                "%s: %s is %s here, as transformers computes it, and not %s",
                *(folder, field, theirs, ours),
            )
    return Weights(config=computed, params=params, state=state)


def save(folder: pathlib.Path, weights: Weights) -> None:
    """Writes a folder that `from_pretrained` of the transformers library reads.

    Raises:
        UserError: if transformers cannot express the network, or the folder holds files.
    """
    folder = pathlib.Path(folder).absolute()
    config = weights.config
    values = config_json(config)
    arrays = mapping.write(weights, entries(config))
    side = {key: arrays.pop(key) for key in list(arrays) if key.startswith(_NORM)}
    keys = {entry.path: entry.key for entry in entries(config)}
    if f"{_NORM}.mean_counter" in keys:
        counter = keys[f"{_NORM}.mean_counter"]
        arrays[counter] = arrays[counter].astype(np.int64)
    assert config.decoder is not None
    if family(config).startswith("imagenet") and not config.decoder.use_query_residual:
        side[_DECODER_BIAS] = arrays[keys[_DECODER_BIAS]]
        query = arrays[keys["query.queries"]]
        arrays[keys[_DECODER_BIAS]] = side[_DECODER_BIAS] - query[0]
    if family(config) == "imagenet_conv":
        logging.warning(
            "%s: transformers pads and pools this network otherwise, so its outputs differ", folder
        )
    with _new_folder(folder) as partial:
        (partial / CONFIG_FILE).write_text(json.dumps(values, indent=2) + "\n")
        safetensors.numpy.save_file(arrays, partial / WEIGHTS_FILE, metadata={"format": "pt"})
        if side:
            metadata = {_DIGEST: _digest(partial / WEIGHTS_FILE)}
            safetensors.numpy.save_file(side, partial / SIDE_FILE, metadata=metadata)


@contextlib.contextmanager
def _new_folder(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """Gives a folder that appears under its name, with what was put in, at the end."""
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    try:
        if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
            raise UserError(f"{folder}: exists and is not an empty folder; choose another name")
        partial.mkdir(parents=True)
        yield partial
        for path in partial.iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        partial.replace(folder)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror})") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _digest(path: pathlib.Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_side(folder: pathlib.Path) -> dict[str, np.ndarray]:
    """Returns the arrays of our own file by path, if it belongs to the weights beside it."""
    if not (folder / SIDE_FILE).exists() or not (folder / WEIGHTS_FILE).exists():
        return {}
    arrays, metadata = read_tensors(folder / SIDE_FILE)
    if metadata.get(_DIGEST) != _digest(folder / WEIGHTS_FILE):
        logging.info("%s: belongs to other weights and is ignored", folder / SIDE_FILE)
        return {}
    return arrays


def _hidden_averages(
    source: Mapping[str, np.ndarray], keys: Mapping[str, str], *, where: str
) -> dict[str, np.ndarray]:
    """Derives the averages before debiasing: `average * (1 - 0.9 ** counter)`."""
    mean, variance, counter = (
        source.get(keys[f"{_NORM}.{leaf}"])
        for leaf in ("mean_average", "variance_average", "mean_counter")
    )
    if mean is None or variance is None or counter is None:
        return {}  # `mapping.read` says what is missing
    if counter.shape:
        raise UserError(f"{where}: num_batches_tracked {list(counter.shape)} instead of []")
    correction = 1 - np.float32(0.9) ** counter.astype(np.float32)
    return {
        f"{_NORM}.mean_hidden": mean * correction,
        f"{_NORM}.variance_hidden": variance * correction,
        f"{_NORM}.variance_counter": counter,
    }
