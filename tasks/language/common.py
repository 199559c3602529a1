# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What both tasks of masked language modelling share: text, loss, metrics, sizes."""

import dataclasses
import functools
import math
import pathlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from perceiver_bench import api

from . import demo, fill, masking

LAYOUT = "text (.txt, .jsonl, .json, also .gz, or .parquet), or folders train and validation of it"
# Bytes of text for each token of a crop: more than English needs, so that crops are full.
_BYTES_A_PIECE = 5
_NUM_FILLED = 10


def source(config: api.MaskedTextData, data_dir: pathlib.Path, split: str) -> api.Source:
    """Returns crops of the text of a split.

    A `data_dir` with a folder `train` needs a folder `validation` too; of any other every
    50th piece of text (64 KiB at most) is held out.

    Raises:
        UserError: if there is no text, or the mixture names a folder that is not there.
    """
    if not data_dir.is_dir():
        raise api.UserError(f"--data_dir={data_dir}: no such folder; it should hold {LAYOUT}")
    has_folders = (data_dir / "train").is_dir()
    if has_folders and not (data_dir / "validation").is_dir():
        raise api.UserError(f"--data_dir={data_dir}: beside train a folder validation is due")
    root = data_dir / split if has_folders else data_dir
    part = "all" if has_folders else "training" if split == "train" else "held out"
    stride = config.max_length * (1 if config.tokenizer == "bytes" else _BYTES_A_PIECE)

    def crops(folder: pathlib.Path) -> api.Crops:
        return api.Crops(api.open_corpus(folder), stride, config.documents_per_example, part)

    if split == "validation":
        return api.Sample(crops(root), config.num_held_out)
    shares = api.mixture_shares(config.mixture, "c4:0.7,wikipedia:0.3")
    for name in shares:
        if not (root / name).is_dir():
            raise api.UserError(
                f"data.mixture={config.mixture}: {root} has no folder {name};"
                " --set=data.mixture= takes all text as it is"
            )
    if not shares:
        return crops(root)
    return api.Mixture({name: crops(root / name) for name in shares}, shares)


def prepare_assets(config: api.MaskedTextData, train: Callable[[], api.Source]) -> dict[str, bytes]:
    """Returns the SentencePiece model, one of the training text unless `data.model` names it."""
    return api.tokenizer_assets(config, lambda: _sample_of_text(train()))


def _sample_of_text(source: api.Source, num_bytes: int = 20_000_000):
    """Yields lines of crops spread over the source, at most so many bytes in all."""
    step = max(len(source) // max(num_bytes // len(source[0]["text"]), 1), 1)
    for index in range(0, len(source), step):
        yield from source[index]["text"].decode(errors="replace").splitlines()


def preprocess(config: api.MaskedTextData, assets: Mapping[str, bytes]) -> api.Prepare:
    """Returns the function from a crop to masked arrays, those of `masking.mask_words`.

    In training a crop begins anywhere in its stride, its words are masked anew every time,
    and what is predicted besides depends on its `progress`; in evaluation all depends on the
    example's index alone.

    Raises:
        UserError: for sizes or probabilities that are none.
    """
    if not 0 < config.max_predicted <= config.max_length:
        raise api.UserError(
            f"--set=data.max_predicted={config.max_predicted}: 1 to data.max_length="
            f"{config.max_length} is due"
        )
    if not 0 <= config.min_length <= config.max_length:
        raise api.UserError(
            f"--set=data.min_length={config.min_length}: 0 to data.max_length="
            f"{config.max_length} is due"
        )
    if not 0 < config.mask_probability <= 1 or not 0 <= config.visible_probability <= 1:
        raise api.UserError(
            f"--set=data.mask_probability={config.mask_probability},"
            f" data.visible_probability={config.visible_probability}: shares of 1 are due, and"
            " some words have to be masked"
        )
    if not 0 < config.visible_share <= 1:
        raise api.UserError(
            f"--set=data.visible_share={config.visible_share}: above 0, at most 1 is due"
        )
    return functools.partial(_prepare, api.make_tokenizer(config, assets), config)


def _prepare(
    tokenizer: api.Tokenizer,
    config: api.MaskedTextData,
    example: api.Example,
    generator: np.random.Generator | None,
) -> api.Arrays:
    text = example["text"]
    length = config.max_length
    if generator is not None:
        text = text[generator.integers(max(len(text) // 3, 1)) :]
        # 1 at the beginning of the run, 0 once `visible_share` of it is over.
        ease = max(1 - example["progress"] / config.visible_share, 0.0)
        if config.min_length:
            spread = config.max_length - config.min_length
            length = config.min_length + int(spread * generator.random() ** (1 + 2 * ease))
    else:
        ease, generator = 0.0, np.random.default_rng(example["index"])
    # What is cut off may be the rest of a character, whose other bytes begin with 0b10.
    text = text.lstrip(bytes(range(0x80, 0xC0)))
    if isinstance(tokenizer, api.SentencePieceTokenizer):
        tokens = masking.piece_tokens(tokenizer, text, length)
    else:
        tokens = masking.byte_tokens(text, length)
    mask_id = tokenizer.special_id("MASK")
    visible = config.visible_probability * ease
    return masking.mask_words(tokens, mask_id, config, generator, visible_probability=visible)


def _surprise(prediction: Mapping[str, Any], batch: Mapping[str, Any]) -> jax.Array:
    """Returns the cross-entropy of each masked token [B, P] in nats, 0 where there is none."""
    logits = jnp.asarray(prediction["logits"], jnp.float32)
    of_label = jnp.take_along_axis(logits, jnp.asarray(batch["label"])[..., None], axis=-1)
    surprise = jax.nn.logsumexp(logits, axis=-1) - of_label[..., 0]
    return jnp.where(batch["label_weight"] > 0, surprise, 0.0)


def loss(
    prediction: Mapping[str, Any], batch: Mapping[str, Any], label_smoothing: float
) -> jax.Array:
    """Returns [B] whose mean is the mean cross-entropy over all masked tokens of the batch."""
    del label_smoothing
    sums = _surprise(prediction, batch).sum(axis=-1)
    counted = jnp.asarray(batch["label_weight"]).sum()
    return sums * sums.shape[0] / jnp.maximum(counted, 1.0)


def _correct_rows(prediction: Mapping[str, Any], batch: Mapping[str, Any]) -> dict[str, Any]:
    logits = jnp.asarray(prediction["logits"], jnp.float32)
    hit = (jnp.argmax(logits, axis=-1) == batch["label"]) & ~jnp.isnan(logits).any(axis=-1)
    weight = jnp.asarray(batch["label_weight"])
    return {"sum": jnp.where(hit, weight, 0.0).sum(-1), "weight": weight.sum(-1)}


def _surprise_rows(prediction: Mapping[str, Any], batch: Mapping[str, Any]) -> dict[str, Any]:
    weight = jnp.asarray(batch["label_weight"]).sum(-1)
    return {"sum": _surprise(prediction, batch).sum(-1), "weight": weight}


def _bits_rows(prediction: Mapping[str, Any], batch: Mapping[str, Any]) -> dict[str, Any]:
    bits = _surprise(prediction, batch).sum(-1) / math.log(2)
    return {"sum": bits, "weight": jnp.asarray(batch["masked_bytes"])}


METRICS = {
    "bits_per_byte": api.Metric(
        rows=_bits_rows,
        pooling=api.PooledOverElements(),
        unit="bits",
        direction="lower",
        optimum=0.0,
    ),
    "masked_accuracy": api.Metric(
        rows=_correct_rows,
        pooling=api.PooledOverElements(scale=100.0),
        unit="%",
        direction="higher",
        optimum=100.0,
    ),
    "masked_cross_entropy": api.Metric(
        rows=_surprise_rows,
        pooling=api.PooledOverElements(),
        unit="nats",
        direction="lower",
        optimum=0.0,
    ),
}


def predict(
    config: api.MaskedTextData,
    assets: Mapping[str, bytes],
    data_dir: pathlib.Path,
    run: api.Predict,
) -> Iterator[tuple[str, bytes]]:
    """Yields `filled_blanks.md`: ten crops of held-out text, their masked words filled in."""
    few = dataclasses.replace(config, num_held_out=_NUM_FILLED)
    filled = fill.markdown(
        api.make_tokenizer(config, assets), run(source(few, data_dir, "validation"))
    )
    yield "filled_blanks.md", filled.encode()


def task(name: str, summary: str, **parts: Any) -> api.Task:
    """Returns a task of masked language modelling with these presets and baselines."""
    return api.Task(
        name=name,
        version=1,
        summary=summary,
        protocol="masked-words-15/bits-per-byte",
        layout=LAYOUT,
        splits=("train", "validation"),
        source=source,
        prepare_assets=prepare_assets,
        preprocess=preprocess,
        loss=loss,
        metrics=METRICS,
        write_demo=demo.write_demo,
        paper_rows=(),
        fresh_parts=(),
        predict=predict,
        **parts,
    )


def pretraining(
    model: api.ModelConfig, data: api.MaskedTextData, train: api.TrainConfig
) -> api.RunConfig:
    """Returns a run whose data has the vocabulary and the length of the network."""
    assert isinstance(model.input, api.TextInput)
    sizes = {"vocab_size": model.input.vocab_size, "max_length": model.input.max_length}
    return api.RunConfig(model=model, data=dataclasses.replace(data, **sizes), train=train)


# Table 12 of the paper.
PAPER_TRAINING = api.TrainConfig(
    steps=500_000,
    batch_size=2048,
    optimizer=api.OptimizerConfig(
        name="lamb", learning_rate=1.25e-3, warmup_steps=1000, weight_decay=0.01
    ),
    log_every=100,
    evaluate_every=5000,
    checkpoint_every=1000,
)
PAPER_MIXTURE = "c4:0.7,wikipedia:0.3"

# Sized to train on two processor cores, in minutes and in seconds, and on one GPU.
SMALL_TRAINING = api.TrainConfig(
    steps=7_000,
    batch_size=32,
    optimizer=api.OptimizerConfig(
        name="adamw", learning_rate=2e-3, warmup_steps=100, clip_norm=1.0
    ),
    log_every=50,
    evaluate_every=1000,
    checkpoint_every=1000,
)
TINY_TRAINING = api.TrainConfig(
    steps=300,
    batch_size=32,
    optimizer=api.OptimizerConfig(name="adamw", learning_rate=3e-3, warmup_steps=30, clip_norm=1.0),
    evaluate_every=100,
    checkpoint_every=100,
)
GPU_TRAINING = api.TrainConfig(
    steps=50_000,
    batch_size=256,
    optimizer=api.OptimizerConfig(
        name="lamb", learning_rate=1.25e-3, warmup_steps=1000, clip_norm=1.0
    ),
    log_every=100,
    evaluate_every=1000,
    checkpoint_every=1000,
)
