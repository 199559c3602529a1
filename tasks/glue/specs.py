# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What tells the tasks of GLUE apart: files, columns, label words and official sizes."""

import dataclasses
from collections.abc import Mapping

_PLAIN = {"train": "train.tsv", "dev": "dev.tsv", "test": "test.tsv"}
_HUB = {"train": "train", "dev": "validation", "test": "test"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Spec:
    """One data set of GLUE; splits are `train`, `dev` and `test`.

    Attributes:
        name: the task's, without its family.
        folder: of the official download.
        files: official file by split.
        hub: the folder of the Hugging Face copy.
        hub_files: how the file names of that copy begin, by split.
        texts: columns of the official files that hold the sentence, or the two of a pair.
        hub_texts: the same columns of the Hugging Face copy.
        label: the label's column in the official files; `label` in the copy.
        labels: words of the official files and of the leaderboard, in the order of classes,
            which is that of the copy's integers; None for a score of 0 to 5.
        index: the column with a row's number in the official test file; `idx` in the copy.
        num_rows: official number of rows by split.
        leaderboard: the file of a submission.
        header: the columns of official files that do not name them, by split.
        skips_other_widths: whether official files have rows of another width, to be left out.
    """

    name: str
    folder: str
    hub: str
    texts: tuple[str, ...]
    hub_texts: tuple[str, ...]
    label: str = "label"
    labels: tuple[str, ...] | None
    num_rows: Mapping[str, int]
    leaderboard: str
    index: str = "index"
    files: Mapping[str, str] = dataclasses.field(default_factory=lambda: _PLAIN)
    hub_files: Mapping[str, str] = dataclasses.field(default_factory=lambda: _HUB)
    header: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    skips_other_widths: bool = False

    @property
    def num_outputs(self) -> int:
        """How many numbers a network answers: one a class, or the score."""
        return len(self.labels) if self.labels else 1


_PAIR = ("sentence1", "sentence2")
_PREMISE = ("premise", "hypothesis")
_TWO = ("0", "1")
_ENTAILMENT = ("entailment", "not_entailment")
_INFERENCE = ("entailment", "neutral", "contradiction")
_COLA = ("source", "label", "original_mark", "sentence")


def _mnli(kind: str, num_dev: int, num_test: int, leaderboard: str) -> Spec:
    """Returns MNLI with the dev and test set of that kind; the training set is one."""
    return Spec(
        name=f"mnli_{kind}",
        folder="MNLI",
        files={"train": "train.tsv", "dev": f"dev_{kind}.tsv", "test": f"test_{kind}.tsv"},
        hub="mnli",
        hub_files={"train": "train", "dev": f"validation_{kind}", "test": f"test_{kind}"},
        texts=_PAIR,
        hub_texts=_PREMISE,
        label="gold_label",
        labels=_INFERENCE,
        num_rows={"train": 392_702, "dev": num_dev, "test": num_test},
        leaderboard=leaderboard,
    )


_ALL = (
    Spec(
        name="cola",
        folder="CoLA",
        hub="cola",
        texts=("sentence",),
        hub_texts=("sentence",),
        labels=_TWO,
        num_rows={"train": 8551, "dev": 1043, "test": 1063},
        leaderboard="CoLA.tsv",
        header={"train": _COLA, "dev": _COLA},
    ),
    Spec(
        name="sst2",
        folder="SST-2",
        hub="sst2",
        texts=("sentence",),
        hub_texts=("sentence",),
        labels=_TWO,
        num_rows={"train": 67_349, "dev": 872, "test": 1821},
        leaderboard="SST-2.tsv",
    ),
    Spec(
        name="mrpc",
        folder="MRPC",
        hub="mrpc",
        texts=("#1 String", "#2 String"),
        hub_texts=_PAIR,
        label="Quality",
        labels=_TWO,
        num_rows={"train": 3668, "dev": 408, "test": 1725},
        leaderboard="MRPC.tsv",
    ),
    Spec(
        name="qqp",
        folder="QQP",
        hub="qqp",
        texts=("question1", "question2"),
        hub_texts=("question1", "question2"),
        label="is_duplicate",
        labels=_TWO,
        num_rows={"train": 363_846, "dev": 40_430, "test": 390_965},
        leaderboard="QQP.tsv",
        index="id",
        skips_other_widths=True,
    ),
    Spec(
        name="stsb",
        folder="STS-B",
        hub="stsb",
        texts=_PAIR,
        hub_texts=_PAIR,
        label="score",
        labels=None,
        num_rows={"train": 5749, "dev": 1500, "test": 1379},
        leaderboard="STS-B.tsv",
    ),
    _mnli("matched", 9815, 9796, "MNLI-m.tsv"),
    _mnli("mismatched", 9832, 9847, "MNLI-mm.tsv"),
    Spec(
        name="qnli",
        folder="QNLI",
        hub="qnli",
        texts=("question", "sentence"),
        hub_texts=("question", "sentence"),
        labels=_ENTAILMENT,
        num_rows={"train": 104_743, "dev": 5463, "test": 5463},
        leaderboard="QNLI.tsv",
    ),
    Spec(
        name="rte",
        folder="RTE",
        hub="rte",
        texts=_PAIR,
        hub_texts=_PAIR,
        labels=_ENTAILMENT,
        num_rows={"train": 2490, "dev": 277, "test": 3000},
        leaderboard="RTE.tsv",
    ),
    Spec(
        name="wnli",
        folder="WNLI",
        hub="wnli",
        texts=_PAIR,
        hub_texts=_PAIR,
        labels=_TWO,
        num_rows={"train": 635, "dev": 71, "test": 146},
        leaderboard="WNLI.tsv",
    ),
    # The diagnostic set: no labels are public, and models of MNLI answer it.
    Spec(
        name="ax",
        folder="diagnostic",
        files={"test": "diagnostic.tsv"},
        hub="ax",
        hub_files={"test": "test"},
        texts=_PAIR,
        hub_texts=_PREMISE,
        labels=_INFERENCE,
        num_rows={"test": 1104},
        leaderboard="AX.tsv",
    ),
)

SPECS = {spec.name: spec for spec in _ALL}
"""Every data set of GLUE by name; `ax` is the diagnostic set, which has a test split only."""
