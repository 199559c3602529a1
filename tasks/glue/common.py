# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What the tasks of GLUE share: from one or two sentences to arrays, and the task's value."""

import functools
import pathlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from perceiver_bench import api

from . import baselines, demo_files, scores, submission
from .presets import SWEEP, presets
from .reading import layout, read
from .specs import SPECS, Spec


def task(
    name: str,
    *,
    summary: str,
    metrics: Mapping[str, api.Metric],
    protocol: str = "glue-dev/accuracy",
    paper_rows: tuple[str, ...] | None = None,
    demo_presets: tuple[str, ...] = (),
    trained_as: str | None = None,
    write_demo: Callable[[pathlib.Path, int], None] | None = None,
) -> api.Task:
    """Returns the task `glue/name` of the data set that `SPECS` has under this name.

    Args:
        name: the task's, without its family.
        summary: one line.
        metrics: by name, the main one first; what the loss is is added as the last.
        protocol: the id of the evaluation protocol.
        paper_rows: benchmark names of published rows; by default the task's own name.
        demo_presets: the presets that the demo suite trains.
        trained_as: the task with the same training data, whose checkpoints are evaluated.
        write_demo: what writes the demo data; by default `demo_files`.
    """
    spec = SPECS[name]
    if spec.labels:
        loss, of_loss = api.cross_entropy, {"cross_entropy": api.CROSS_ENTROPY}
    else:
        loss, of_loss = scores.squared_error, {"squared_error": scores.SQUARED_ERROR}
    return api.Task(
        name=f"glue/{name}",
        version=1,
        summary=summary,
        protocol=protocol,
        layout=layout(spec),
        splits=("train", "dev"),
        presets=presets(spec.num_outputs, are_pairs=len(spec.texts) == 2),
        demo_presets=demo_presets,
        source=lambda _, data_dir, split: read(spec, data_dir, split),
        prepare_assets=prepare_assets,
        preprocess=functools.partial(preprocess, spec),
        loss=loss,
        metrics={**metrics, **of_loss},
        baselines={
            "majority": functools.partial(baselines.majority, spec),
            "bag_of_words": functools.partial(baselines.bag_of_words, spec),
        },
        write_demo=write_demo or functools.partial(demo_files.write_files, spec),
        paper_rows=(f"glue/{name}",) if paper_rows is None else paper_rows,
        trained_as=trained_as,
        sweep=SWEEP,
        predict=functools.partial(submission.predict, submission.answered(name)),
        submission=submission.FILES,
    )


def prepare_assets(config: api.TextData, train: Callable[[], api.Source]) -> dict[str, bytes]:
    """Returns the SentencePiece model: that of `config.model`, or one of the training text.

    Bytes need no asset.

    Raises:
        UserError: if `config.model` is no SentencePiece model of `config.vocab_size` pieces.
    """

    def sentences() -> Iterator[str]:
        source = train()
        for index in range(len(source)):
            yield from (text.rstrip() for text in source[index]["texts"])

    return api.tokenizer_assets(config, sentences)


def preprocess(spec: Spec, config: api.TextData, assets: Mapping[str, bytes]) -> api.Prepare:
    """Returns `example -> arrays`: `inputs` and `input_mask` [max_length], and any `label`.

    A pair is its first sentence, [SEP] and its second sentence.

    Raises:
        UserError: if a SentencePiece model for pairs has no piece [SEP].
    """
    tokenizer = api.make_tokenizer(config, assets)
    separator = tokenizer.special_id("SEP") if len(spec.texts) == 2 else None
    return functools.partial(_prepare, spec, tokenizer, separator, config.max_length)


def _prepare(
    spec: Spec,
    tokenizer: api.Tokenizer,
    separator: int | None,
    max_length: int,
    example: api.Example,
    generator: np.random.Generator | None,
) -> api.Arrays:
    del generator
    # Every sentence of SST-2's files ends in a space that belongs to no word.
    ids = [tokenizer.encode(text.rstrip()) for text in example["texts"]]
    joined = ids[0] if separator is None else join(ids[0], ids[1], separator, max_length)
    arrays: dict[str, Any] = dict(api.pad_to_length(joined, max_length))
    if "label" in example:
        label = example["label"]
        arrays["label"] = np.array(label, np.int32) if spec.labels else scores.to_output(label)
    return arrays


def join(first: np.ndarray, second: np.ndarray, separator: int, max_length: int) -> np.ndarray:
    """Returns the ids of a pair, of at most `max_length`, with the separator between.

    Too many tokens are cut from the end of the longer sentence until both are equally long,
    then from both, the second first, so that both survive (as BERT does).
    """
    room = max_length - 1
    # Each may keep what the other leaves, but no less than half.
    num_first = min(len(first), max(room - len(second), (room + 1) // 2))
    num_second = min(len(second), room - num_first)
    return np.concatenate([first[:num_first], np.array([separator], np.int32), second[:num_second]])
