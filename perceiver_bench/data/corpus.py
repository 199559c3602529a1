# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""A corpus: documents in one file that is mapped, not read, and crops of joined documents.

The documents of a folder, whatever their format, are written once to a cache, one after the
other, and only their ends are held in memory: 8 bytes a document. What is drawn from it
depends on the text and a seed alone, never on what was read before.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import tqdm
from absl import logging

from perceiver_bench.data import documents
from perceiver_bench.errors import UserError
from perceiver_bench.task import Example, Source

HELD_OUT_EVERY = 50
_VERSION = 1
_SEPARATOR = b"\n"


@dataclasses.dataclass(frozen=True)
class Corpus:
    """Documents as one mapped array of bytes; document i is `text[ends[i - 1]:ends[i]]`."""

    text: np.ndarray
    ends: np.ndarray
    facts: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.ends)

    def sizes(self, chosen: np.ndarray) -> np.ndarray:
        """Returns the bytes of each of the documents `chosen` [n]."""
        starts = np.where(chosen > 0, self.ends[chosen - 1], 0)
        return self.ends[chosen] - starts

    def read(self, index: int, start: int, stop: int) -> bytes:
        """Returns bytes `start` to `stop` of a document."""
        begin = int(self.ends[index - 1]) if index else 0
        end = min(begin + stop, int(self.ends[index]))
        return self.text[begin + start : end].tobytes()


def cache_folder() -> pathlib.Path:
    """Returns where corpora are kept: `perceiver_bench/corpora` in the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(home) / "perceiver_bench" / "corpora"


def open_corpus(folder: pathlib.Path) -> Corpus:
    """Returns the corpus of all text files below `folder`, made now or taken from the cache.

    Raises:
        UserError: if there is no text, a file cannot be read, or the cache cannot be written.
    """
    files = documents.text_files(folder)
    stats = [(str(path.relative_to(folder)), path.stat()) for path in files]
    known = [[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats]
    key = hashlib.sha256(json.dumps([_VERSION, known]).encode()).hexdigest()[:32]
    place = cache_folder() / key
    if not (place / "corpus.json").is_file():
        try:
            _write(files, [name for name, _ in stats], place)
        except OSError as error:
            raise UserError(
                f"{place}: cannot write the text there: {error.strerror}; the variable"
                " XDG_CACHE_HOME names another place"
            ) from error
    facts = json.loads((place / "corpus.json").read_text())
    corpus = Corpus(
        text=np.memmap(place / "text", np.uint8, "r"),
        ends=np.load(place / "ends.npy", mmap_mode="r", allow_pickle=False),
        facts=facts,
    )
    if len(corpus.text) != facts["bytes"] or len(corpus) != facts["parts"]:
        raise UserError(f"{place} is damaged; remove it, it is made again from {folder}")
    return corpus


def _write(files: Sequence[pathlib.Path], names: Sequence[str], place: pathlib.Path) -> None:
    """Writes a corpus, which is there whole or not at all."""
    place.parent.mkdir(parents=True, exist_ok=True)
    counts = documents.Counts()
    digest, total = hashlib.sha256(), 0
    with tempfile.TemporaryDirectory(dir=place.parent) as name:
        made = pathlib.Path(name) / "corpus"
        made.mkdir()
        with (made / "text").open("wb") as text, (made / "ends").open("w+b") as ends:
            for path in tqdm.tqdm(files, desc="reading text", unit="file", disable=None):
                for part in documents.parts(path, counts):
                    text.write(part)
                    digest.update(part)
                    total += len(part)
                    ends.write(total.to_bytes(8, "little"))
            if not total:
                raise UserError(f"--data_dir: the files in {files[0].parent} hold no text")
            ends.flush()
            np.save(made / "ends.npy", np.memmap(made / "ends", "<i8", "r"))
        (made / "ends").unlink()
        facts = {
            "files": len(files),
            "file": names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more",
            "bytes": total,
            "sha256": digest.hexdigest(),
            **dataclasses.asdict(counts),
        }
        (made / "corpus.json").write_text(json.dumps(facts))
        try:
            made.rename(place)
        except OSError:
            if not (place / "corpus.json").is_file():  # or else another process was faster
                shutil.rmtree(place, ignore_errors=True)
                made.rename(place)
    logging.info("%d documents, %s bytes of text: %s", counts.documents, f"{total:,}", place)


class Crops:
    """Crops of joined documents; a `Source`.

    The chosen documents are put in an order drawn from a fixed seed and joined ten at a time
    (`documents_per_example`) with a newline between. Crop k of such a text begins at byte
    `k * stride`; an example holds the three strides from there, so that a reader may begin
    anywhere in the first of them.

    `part` says which documents are chosen: all, or every 50th as held out from training.

    Raises:
        UserError: if the text is too little to hold any of it out.
    """

    def __init__(
        self,
        corpus: Corpus,
        stride: int,
        documents_per_example: int,
        part: Literal["all", "training", "held out"] = "all",
    ) -> None:
        self._corpus, self._stride, self._joined = corpus, stride, documents_per_example
        self._part = part
        chosen = np.arange(len(corpus))
        if part != "all":
            is_held_out = chosen % HELD_OUT_EVERY == HELD_OUT_EVERY - 1
            chosen = chosen[is_held_out == (part == "held out")]
        if not len(chosen):
            raise UserError(
                f"--data_dir: of {len(corpus)} pieces of text every {HELD_OUT_EVERY}th is held out,"
                " so there is nothing to evaluate on; give more text, or put it into folders"
                " train and validation"
            )
        self._order = np.random.default_rng(0).permutation(chosen)
        starts = np.arange(0, len(self._order), documents_per_example)
        lengths = np.add.reduceat(corpus.sizes(self._order) + len(_SEPARATOR), starts)
        self._last = np.cumsum(np.maximum(lengths // stride, 1))

    def __len__(self) -> int:
        return int(self._last[-1])

    def __getitem__(self, index: int) -> Example:
        group = int(np.searchsorted(self._last, index, side="right"))
        first = int(self._last[group - 1]) if group else 0
        start = (index - first) * self._stride
        text, stop = [], start + 3 * self._stride
        chosen = self._order[group * self._joined : (group + 1) * self._joined]
        for document, size in zip(
            chosen, self._corpus.sizes(chosen) + len(_SEPARATOR), strict=True
        ):
            if start < size and stop > 0:
                text.append(self._corpus.read(int(document), max(start, 0), stop) + _SEPARATOR)
            start, stop = start - int(size), stop - int(size)
        return {"text": b"".join(text)[: 3 * self._stride], "index": index}

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """The facts of the corpus, and which part of it the crops are of."""
        facts = dict(self._corpus.facts)
        # Two parts of one text are different data.
        facts["sha256"] = hashlib.sha256(f"{facts['sha256']} {self._part}".encode()).hexdigest()
        return {
            **facts,
            "part": self._part,
            "num_documents": len(self._order),
            "num_examples": len(self),
        }


class Sample:
    """At most `size` examples of a source, evenly spread over it; a `Source`."""

    def __init__(self, source: Source, size: int) -> None:
        self._source, self._size = source, min(size, len(source))

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: int) -> Example:
        return {**self._source[index * len(self._source) // self._size], "index": index}

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """The facts of the source, and how many of its examples are taken."""
        return {**self._source.fingerprint, "num_taken": self._size}
