# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What `--mode=predict` writes: the answer for each image, logits, accuracy by class, a picture."""

import csv
import dataclasses
import io
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import scipy.stats

from perceiver_bench import api

from . import confusion

Classes = Sequence[tuple[str, str]]
"""The id and the name of each class, in the order of the logits."""

_NUM_LIKELIEST = 5
_CONFIDENCE = 0.95
# A spreadsheet takes a text that begins with one of them for a formula, and runs it.
_STARTS_OF_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


@dataclasses.dataclass(frozen=True)
class _Answer:
    """One image; `logits` is None for a bad one that was skipped."""

    name: str
    label: int
    logits: np.ndarray | None

    @property
    def predicted(self) -> int:
        """The class of the largest logit, the lower one of equal ones; -1 if any is NaN."""
        if self.logits is None or np.isnan(self.logits).any():
            return -1
        return int(np.argmax(self.logits))


def write_files(
    classes: Classes,
    source: Callable[[Any, pathlib.Path, str], api.Source],
    split: str,
    config: api.ImageData,
    assets: Mapping[str, bytes],
    data_dir: pathlib.Path,
    run: api.Predict,
) -> Iterator[tuple[str, bytes]]:
    """Yields the files of one split.

    `predictions.csv` has a row for every image, in the data's order, with the five likeliest
    classes and their probabilities; of a bad image that was skipped only the name, and a 1 in
    `is_skipped`. `logits.npy` has the same rows, float32 [n, classes], NaN for those skipped.
    `per_class.csv` has a row for every class: the accuracy with Wilson's 95 % interval, and
    what it is most often taken for, the lower class of equal ones. `confusion.png` shows all
    of that.

    As in the metrics, equal logits go to the lower class, and an image with a NaN among them
    is wrong; it has no likeliest classes. A name that a spreadsheet would run as a formula
    begins with an apostrophe.

    Raises:
        UserError: if the network answers for another number of classes.
    """
    del assets
    answers = []
    for example, _, prediction in run(source(config, data_dir, split)):
        logits = np.asarray(prediction["logits"], np.float32)
        if logits.shape != (len(classes),):
            raise api.UserError(
                f"--checkpoint: it answers for {logits.size:,} classes, and the data have"
                f" {len(classes):,}; name a checkpoint that was trained for these"
            )
        # A copy, or the whole batch would be kept.
        kept = None if example.get("is_bad", False) else logits.copy()
        answers.append(_Answer(example["name"], int(example["label"]), kept))
    yield "predictions.csv", _predictions(classes, answers)
    yield "logits.npy", _logits(len(classes), answers)
    seen = [answer for answer in answers if answer.logits is not None]
    labels = np.array([answer.label for answer in seen], np.int64)
    predicted = np.array([answer.predicted for answer in seen], np.int64)
    yield "per_class.csv", _per_class(classes, labels, predicted)
    yield "confusion.png", confusion.picture(labels, predicted, [name for _, name in classes])


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Returns the softmax of logits [classes], in float64; infinite ones share all of it."""
    logits = np.asarray(logits, np.float64)
    largest = logits.max()
    shifted = np.zeros_like(logits)
    np.subtract(logits, largest, out=shifted, where=logits != largest)
    powers = np.exp(shifted)
    return powers / powers.sum()


def _predictions(classes: Classes, answers: Iterable[_Answer]) -> bytes:
    num_likeliest = min(_NUM_LIKELIEST, len(classes))
    columns = ["name", "is_skipped", "label_id", "label_name", "is_right"]
    for place in range(1, num_likeliest + 1):
        columns += [f"id_{place}", f"name_{place}", f"probability_{place}"]
    return _csv(columns, (_prediction(classes, answer, num_likeliest) for answer in answers))


def _prediction(classes: Classes, answer: _Answer, num_likeliest: int) -> list[str]:
    if answer.logits is None:
        return [_text(answer.name), "1"]
    row = [_text(answer.name), "0", *map(_text, classes[answer.label])]
    row.append(str(int(answer.predicted == answer.label)))
    if answer.predicted < 0:
        return row
    shares = probabilities(answer.logits)
    for one in np.argsort(-answer.logits, kind="stable")[:num_likeliest]:
        row += [*map(_text, classes[one]), f"{shares[one]:.6g}"]
    return row


def _logits(num_classes: int, answers: Sequence[_Answer]) -> bytes:
    """Returns an .npy file, joined of the rows: of 50,000 images they are 200 MB."""
    header = io.BytesIO()
    shape = (len(answers), num_classes)
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": shape}
    )
    skipped = np.full(num_classes, np.nan, "<f4")
    rows = (skipped if answer.logits is None else answer.logits for answer in answers)
    return b"".join([header.getvalue(), *(row.astype("<f4", copy=False).data for row in rows)])


def _per_class(classes: Classes, labels: np.ndarray, predicted: np.ndarray) -> bytes:
    columns = ["id", "name", "images", "right", "accuracy_percent"]
    columns += ["lower_percent", "upper_percent"]
    columns += ["wrong_answer_id", "wrong_answer_name", "wrong_answer_images"]
    rows = []
    for label, (identifier, name) in enumerate(classes):
        answers = predicted[labels == label]
        right = int(np.count_nonzero(answers == label))
        row = [_text(identifier), _text(name), str(len(answers)), str(right)]
        if len(answers):
            interval = scipy.stats.binomtest(right, len(answers)).proportion_ci(
                _CONFIDENCE, method="wilson"
            )
            shares = (right / len(answers), interval.low, interval.high)
            row += [f"{100 * share:.2f}" for share in shares]
        wrong = np.bincount(answers[(answers >= 0) & (answers != label)])
        if wrong.size:
            most = int(np.argmax(wrong))
            row += [*map(_text, classes[most]), str(wrong[most])]
        rows.append(row)
    return _csv(columns, rows)


def _csv(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """Returns a CSV file in UTF-8; what a row lacks at its end is empty."""
    file = io.StringIO(newline="")
    # Lines end in \r\n, the module's own choice: else a name with a \r would not be quoted.
    writer = csv.writer(file)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([*row, *[""] * (len(columns) - len(row))])
    # The name of a file may hold bytes that are no UTF-8.
    return file.getvalue().encode("utf-8", "backslashreplace")


def _text(text: str) -> str:
    return f"'{text}" if text.startswith(_STARTS_OF_FORMULAS) else text
