# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What a masked language model has to beat: frequencies, alone and after what stands before.

Both see the inputs of the network, in which a masked word is a row of masks: the 5-gram
model knows what stood before the word and how far into the word a byte is, but no byte of
the word itself.
"""

from collections.abc import Iterator

import numpy as np

from perceiver_bench import api

_MAX_CROPS = 200_000
_PASSES = 4  # each with its own masks
_ORDER = 5
_NUM_SYMBOLS = api.ByteTokenizer.vocab_size


def unigram(train: api.Source, held_out: api.Source, prepare: api.Prepare) -> dict[str, np.ndarray]:
    """Returns the logarithm of how often each token was masked in training.

    Every token counts once more than it came, so that the logarithm is finite; tokens are
    those up to the largest of both sources.

    Returns:
        `logits` [n, P, V], float32, the same everywhere.
    """
    labels = np.concatenate([_masked(arrays)[1] for arrays in _training_arrays(train, prepare)])
    shape = prepare(held_out[0], None)["label"].shape
    largest = max(prepare(held_out[i], None)["label"].max() for i in range(len(held_out)))
    counts = np.bincount(labels, minlength=int(largest) + 1) + 1
    logits = np.log(counts / counts.sum()).astype(np.float32)
    return {"logits": np.broadcast_to(logits, (len(held_out), *shape, len(logits)))}


def five_gram(
    train: api.Source, held_out: api.Source, prepare: api.Prepare
) -> dict[str, np.ndarray]:
    """Returns the logits of a 5-gram model of masked bytes, interpolated as Witten and Bell.

    `P(t | c) = (n(c, t) + u(c) P(t | c')) / (n(c) + u(c))`, where `c` are the inputs before
    a masked byte, `c'` is `c` without the farthest, `u(c)` counts the different bytes seen
    after `c`; below the unigram all bytes are equally likely.

    Returns:
        `logits` [n, P, 262], float32.
    """
    parts = [_events(arrays) for arrays in _training_arrays(train, prepare)]
    contexts = np.concatenate([part[0] for part in parts])
    labels = np.concatenate([part[1] for part in parts])
    rows = [prepare(held_out[index], None) for index in range(len(held_out))]
    asked = [_events(arrays) for arrays in rows]
    found = _probabilities(contexts, labels, np.concatenate([part[0] for part in asked]))
    logits = np.zeros((len(rows), *rows[0]["label"].shape, _NUM_SYMBOLS), np.float32)
    done = 0
    for row, (_, row_labels) in zip(logits, asked, strict=True):
        row[: len(row_labels)] = np.log(found[done : done + len(row_labels)])
        done += len(row_labels)
    return {"logits": logits}


def _training_arrays(train: api.Source, prepare: api.Prepare) -> Iterator[api.Arrays]:
    """Yields crops with their masks, always the same ones; of large sources a sample."""
    generator = np.random.default_rng(0)
    for index in range(min(_PASSES * len(train), _MAX_CROPS)):
        # A step that is no divisor spreads a sample over the whole source.
        place = index * 7919 % len(train) if len(train) > _MAX_CROPS else index % len(train)
        # At the end of a run, when masked words alone are predicted.
        yield prepare({**train[place], "progress": 1.0}, generator)


def _masked(arrays: api.Arrays) -> tuple[np.ndarray, np.ndarray]:
    """Returns positions and tokens of what is masked in an example."""
    hidden = arrays["inputs"][arrays["output_positions"]] != arrays["label"]
    is_real = (arrays["label_weight"] > 0) & hidden
    return arrays["output_positions"][is_real], arrays["label"][is_real]


def _events(arrays: api.Arrays) -> tuple[np.ndarray, np.ndarray]:
    """Returns the inputs before each masked byte [n, 4], the nearest last, and the bytes."""
    positions, labels = _masked(arrays)
    before = np.concatenate([np.zeros(_ORDER - 1, np.int64), arrays["inputs"]])
    windows = np.lib.stride_tricks.sliding_window_view(before, _ORDER - 1)
    return windows[positions], labels


def _probabilities(contexts: np.ndarray, labels: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Returns the distribution [n, 262] after each of the contexts that are asked for."""
    found = np.full((len(asked), _NUM_SYMBOLS), 1 / _NUM_SYMBOLS)
    for length in range(_ORDER):
        seen, wanted = (_key(some[:, _ORDER - 1 - length :]) for some in (contexts, asked))
        pairs, counts = np.unique(seen * _NUM_SYMBOLS + labels, return_counts=True)
        begin = np.searchsorted(pairs, wanted * _NUM_SYMBOLS)
        different = np.searchsorted(pairs, (wanted + 1) * _NUM_SYMBOLS) - begin
        row = np.repeat(np.arange(len(asked)), different)
        place = np.arange(len(row)) - np.repeat(np.cumsum(different) - different, different)
        place += np.repeat(begin, different)
        total = np.bincount(row, weights=counts[place], minlength=len(asked))
        backed_off = found * different[:, None]
        np.add.at(backed_off, (row, pairs[place] % _NUM_SYMBOLS), counts[place])
        scale = (total + different)[:, None]
        found = np.where(scale > 0, backed_off / np.maximum(scale, 1), found)
    return found


def _key(contexts: np.ndarray) -> np.ndarray:
    """Returns one number for each context [n, length]."""
    weights = _NUM_SYMBOLS ** np.arange(contexts.shape[1], dtype=np.int64)
    return contexts.astype(np.int64) @ weights
