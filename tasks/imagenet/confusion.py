# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""One picture of what classes are taken for: counts of a few classes, a heat map of many."""

import io
import threading
from collections.abc import Sequence

import matplotlib.style
import numpy as np
import scipy.ndimage
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

_MOST_COUNTED = 30
_NUM_LISTED = 10
_LONGEST_NAME = 32
_DPI = 100
# Lengths in pixels.
_COUNTED_CELL = 38
_MAP = 1000
_LIST = 340
_LINE = 10  # between two names beside the map
_TOP = 56
_TITLE = 400  # in which the title fits
_LETTER = 6.5
_AXIS_TITLE = 40
# Lighter is less, in grey too, and white is none. The exponent shows an error in a hundred.
_COLOURS = "Blues"
_EXPONENT = 0.25
# The settings of matplotlib are one for the whole process.
_LOCK = threading.Lock()


def picture(labels: np.ndarray, predicted: np.ndarray, names: Sequence[str]) -> bytes:
    """Returns a PNG file: rows are the images' classes, columns what they are taken for.

    Only classes that are a label or an answer of some image are shown, in their order. Up to
    30 of them are a table of counts. More are a heat map, beside which the ten most frequent
    confusions are told, of equal ones that of the lower class first. Colours are shares of a
    row, in both. Where a cell of the map is a single pixel, an error is drawn as nine, under
    what they would cover. Equal inputs give equal bytes with the same matplotlib.

    Args:
        labels: the true class of each image, integers [n].
        predicted: the class it is taken for, integers [n]; -1 for none. An image without an
            answer counts as wrong and is in no cell.
        names: of all classes.
    """
    answered = predicted >= 0
    present = np.union1d(labels[answered], predicted[answered])
    counts = np.zeros((len(present), len(present)), np.int64)
    places = (np.searchsorted(present, some[answered]) for some in (labels, predicted))
    np.add.at(counts, tuple(places), 1)
    shown = [_shortened(names[int(one)]) for one in present]
    # A person's own matplotlibrc must not change the picture.
    with _LOCK, matplotlib.style.context("default", after_reset=True):
        if len(present) <= _MOST_COUNTED:
            figure = _table(counts, shown)
        else:
            figure = _heat_map(counts, shown)
        figure.text(
            12 / _DPI / figure.get_figwidth(),
            1 - 12 / _DPI / figure.get_figheight(),
            _title(labels, predicted),
            va="top",
            fontsize=11,
        )
        file = io.BytesIO()
        figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def _title(labels: np.ndarray, predicted: np.ndarray) -> str:
    if not len(labels):
        return "no images"
    right = np.count_nonzero(labels == predicted)
    title = f"{len(labels):,} images, top-1 accuracy {100 * right / len(labels):.1f} %"
    if missing := np.count_nonzero(predicted < 0):
        title += f"\n{missing:,} without an answer"
    return title


def _table(counts: np.ndarray, names: Sequence[str]) -> Figure:
    """Draws counts in cells."""
    figure, axes = _figure(_COUNTED_CELL * max(len(names), 4), 0, names, 1)
    shares = _shares(counts)
    _draw(axes, shares)
    for row, column in np.argwhere(counts):
        axes.text(
            column,
            row,
            str(counts[row, column]),
            ha="center",
            va="center",
            fontsize=8,
            color="white" if shares[row, column] ** _EXPONENT > 0.6 else "black",
        )
    return figure


def _heat_map(counts: np.ndarray, names: Sequence[str]) -> Figure:
    """Draws cells of whole pixels, with the most frequent confusions and a scale beside them."""
    cell = max(1, round(_MAP / len(names)))
    side = cell * len(names)
    figure, axes = _figure(side, _LIST, names, -(-_LINE // cell))
    shares = _shares(counts)
    if cell == 1:
        errors = shares * ~np.eye(len(shares), dtype=bool)
        shares = np.where(shares > 0, shares, scipy.ndimage.maximum_filter(errors, 3))
    _draw(axes, shares)
    box = axes.get_position()
    width, height = figure.get_size_inches() * _DPI
    left = box.x1 + 20 / width
    scale = figure.add_axes((left, box.y0, 14 / width, side / 3 / height))
    bar = figure.colorbar(axes.images[0], cax=scale)
    bar.set_ticks([0.001, 0.01, 0.05, 0.2, 0.5, 1], labels=["0.1", "1", "5", "20", "50", "100"])
    bar.set_label("percent of the images of a class", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    told = _confusions(counts, names)
    figure.text(left, box.y1, told, va="top", fontsize=9, linespacing=1.5, parse_math=False)
    return figure


def _confusions(counts: np.ndarray, names: Sequence[str]) -> str:
    """Returns the most frequent confusions in words."""
    wrong = counts * ~np.eye(len(counts), dtype=bool)
    most = np.argsort(-wrong, axis=None, kind="stable")[:_NUM_LISTED]
    told = ["The most frequent confusions:"]
    for label, answer in zip(*np.unravel_index(most, wrong.shape), strict=True):
        if times := wrong[label, answer]:
            share = f"{times:,} of {counts[label].sum():,}"
            told.append(f"{share} {names[label]}\n        \u2192 {names[answer]}")
    return "\n".join(told) if len(told) > 1 else "No confusions."


def _figure(side: int, right: int, names: Sequence[str], step: int) -> tuple[Figure, Axes]:
    """Returns a figure with a square of `side` pixels, every `step`-th row and column named."""
    margin = _AXIS_TITLE + round(_LETTER * max(map(len, names), default=0))
    width = max(_TITLE, margin + side + 20 + right)
    height = margin + side + _TOP
    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI)
    axes = figure.add_axes((margin / width, margin / height, side / width, side / height))
    size = 8 if side / max(len(names), 1) > 2 * _LINE else 6
    places = range(0, len(names), step)
    axes.set_xticks(places, labels=names[::step], rotation=90, fontsize=size)
    axes.set_yticks(places, labels=names[::step], fontsize=size)
    for text in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        text.set_parse_math(False)  # a dollar sign in a name is a name, not a formula
    axes.set_xlabel("taken for")
    axes.set_ylabel("true class")
    return figure, axes


def _shares(counts: np.ndarray) -> np.ndarray:
    """Returns counts [rows, columns] as shares of their row."""
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def _draw(axes: Axes, shares: np.ndarray) -> None:
    if not shares.size:
        return
    axes.imshow(
        np.ma.masked_equal(shares, 0),
        cmap=_COLOURS,
        norm=PowerNorm(_EXPONENT, 0, 1),
        interpolation="nearest",
    )


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "\u2026"
