# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Submissions to the GLUE leaderboard: a file of answers for each official test set."""

import pathlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from perceiver_bench import api

from . import scores
from .reading import read
from .specs import SPECS, Spec

FILES = tuple(spec.leaderboard for spec in SPECS.values())
"""What the archive holds; the leaderboard refuses one that lacks a file."""


def answered(name: str) -> tuple[Spec, ...]:
    """Returns the test sets that models of the task `name` answer.

    The diagnostic set has no training data of its own: models of matched MNLI answer it too.
    """
    return (SPECS[name], SPECS["ax"]) if name == "mnli_matched" else (SPECS[name],)


def predict(
    specs: Sequence[Spec],
    config: api.TextData,
    assets: Mapping[str, bytes],
    data_dir: pathlib.Path,
    run: api.Predict,
) -> Iterator[tuple[str, bytes]]:
    """Yields the leaderboard's file of each test set: `index`, tab, `prediction`.

    A prediction is the word of the class with the largest logit, the first of equal ones, or
    the score with three decimals, within 0 and 5. Rows stand in the order of the test file
    and have its numbers.

    Raises:
        UserError: if a test set has not its official number of rows, or a prediction is not
            finite.
    """
    del config, assets
    # Both files of MNLI are looked at before the first is computed.
    sources = [_test_set(spec, data_dir) for spec in specs]
    for spec, source in zip(specs, sources, strict=True):
        lines = ["index\tprediction\n"]
        for example, _, prediction in run(source):
            answer = _answer(spec, example["index"], prediction["logits"])
            lines.append(f"{example['index']}\t{answer}\n")
        yield spec.leaderboard, "".join(lines).encode()


def _test_set(spec: Spec, data_dir: pathlib.Path) -> api.Source:
    source = read(spec, data_dir, "test")
    due = spec.num_rows["test"]
    if len(source) != due:
        raise api.UserError(
            f"--data_dir={data_dir}: a submission needs {due:,} rows in {spec.leaderboard}, and"
            f" {spec.folder}/{source.fingerprint['file']} has {len(source):,}; take the official"
            " test file"
        )
    return source


def _answer(spec: Spec, index: int, logits: np.ndarray) -> str:
    """Returns what the leaderboard reads for the logits [num outputs] of one row."""
    if not np.isfinite(logits).all():
        raise api.UserError(
            f"--checkpoint: its answer to row {index} of {spec.leaderboard} is {logits}; finite"
            " numbers are due"
        )
    if spec.labels is None:
        return f"{np.clip(scores.to_score(logits[0]), 0, scores.MAX_SCORE):.3f}"
    return spec.labels[int(np.argmax(logits))]
