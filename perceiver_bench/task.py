# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""A task: one benchmark as a value.

A task names its data, its preparation, its presets (each a whole `RunConfig`), its loss,
its metrics, its baselines and the published rows that it is compared with. The core runs
tasks; it never knows one by name.
"""

import dataclasses
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

from perceiver_bench.config import RunConfig

Example = dict[str, Any]
"""One raw example as its benchmark's files have it."""
Arrays = Mapping[str, np.ndarray]
"""One prepared example, or a batch of them: arrays of fixed shape by name."""
Prepare = Callable[[Example, np.random.Generator | None], Arrays]
"""Makes arrays of an example. The generator is for training's random changes; None in
evaluation, where equal examples give equal arrays."""


class Source(Protocol):
    """Examples by index; the order is the files'."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> Example: ...

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """What identifies the data: file names, sizes, digests, and counted oddities."""
        ...


class Assets(Protocol):
    """Small files that belong to a model, such as a tokenizer: bytes by name."""

    def __getitem__(self, name: str, /) -> bytes: ...
    def __contains__(self, name: str, /) -> bool: ...


NO_DATA = pathlib.Path("--data_dir was not given")
"""The data folder of a task that needs none, where none is named."""


class Predictions(Protocol):
    """Predictions of examples by index: an array, or what makes each when it is asked for."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> Any: ...


Baseline = Callable[[Source, Source, Prepare], Mapping[str, Predictions]]
"""`(training source, evaluation source, Prepare) -> predictions` of all examples in order."""

Predict = Callable[[Source], Iterator[tuple[Example, Arrays, Arrays]]]
"""Yields every example of a source, in order, with its arrays and the prediction for it."""


Writer = Callable[[Any, Mapping[str, bytes], pathlib.Path, Predict], Iterator[tuple[str, bytes]]]
"""`(data config, assets, data_dir, Predict) -> (file name, content)` of every file."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Metric:
    """A number over a data set, from rows computed for each example.

    `rows(prediction, batch)` runs on the device and returns arrays [B] by name;
    `pooling(rows)` runs on the host in float64 over all examples of the data set, without
    the padded ones, and gives the number. `direction` says whether higher is better;
    `optimum` is what perfect predictions score. An `optional` metric is left out where no
    example has weight, as of a map that the data lacks.
    """

    rows: Callable[[Mapping[str, Any], Mapping[str, Any]], Mapping[str, Any]]
    pooling: "Pooling"
    unit: str
    direction: Literal["higher", "lower"]
    optimum: float
    optional: bool = False


class Pooling(Protocol):
    """How the rows of all examples become one number; its name says what it does."""

    name: str

    def value(self, rows: Arrays) -> float: ...
    def standard_error(self, rows: Arrays) -> float: ...


@runtime_checkable
class IntervalPooling(Pooling, Protocol):
    """A pooling that also gives the lower and the upper end of a 95 % interval."""

    def interval(self, rows: Arrays) -> tuple[float, float]: ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
    """One benchmark.

    Attributes:
        name: `family/name`, lower case.
        version: raised whenever a number of this task could change.
        summary: one line for `--mode=list`.
        protocol: the id of the evaluation protocol, explained in the family's README; a field
            of the data configuration may stand in it, as in `imagenet-val/{protocol}`.
        layout: the files expected under `--data_dir`, for messages.
        splits: the names of the training and the evaluation split; the same where the
            benchmark is for evaluation only.
        presets: whole configurations by name; the first is the default.
        demo_presets: the presets that the demo suite trains.
        needs_data: whether `--data_dir` has to be given; without it `source` gets NO_DATA.
        source: `(data config, data_dir, split) -> Source`; raises UserError for what is
            missing.
        prepare_assets: `(data config, training source) -> assets`: what training makes
            once from its data, such as a tokenizer; empty for tasks that need none. The
            source comes as a function, to be read only where it is needed.
        preprocess: `(data config, assets) -> Prepare`, in NumPy; the arrays hold what the
            model's adapter, the loss and the metrics read.
        mix: `data config -> (arrays [2B, ...] -> arrays [B, ...])`: makes a training batch of
            twice as many examples; gives None where the configuration mixes nothing.
        prepare_data: `(data config, data_dir, outputs)`: writes, for `--mode=prepare`, the data
            in a form that is read faster, which `source` takes as a `--data_dir` too.
        loss: `(prediction, batch, label_smoothing) -> [B]` loss of each example.
        metrics: by name; the first is the main one, which picks the best checkpoint.
        baselines: by name, run through the same metrics.
        write_demo: writes a small data set in the benchmark's own format to a folder.
        paper_rows: benchmark names in results/reported.csv to compare with.
        fresh_parts: dotted names of the parts of the model that `--init` does not take over.
        evaluation_group: examples computed at once in evaluation. A constant of the task,
            so that the last bit of a metric does not depend on the batch size.
        in_parts: `(run config, network, arrays of an example) -> prediction` for examples
            of any size, which the network sees in parts; `network` maps arrays [parts, ...]
            to predictions [parts, ...]. None where an example is what the network takes.
        trained_as: the task whose checkpoints this one evaluates, if it is another.
        checkpoints_of: tasks whose checkpoints this one evaluates besides.
        sweep: the settings that `--sweep` tries, as texts by dotted field.
        predict: `(data config, assets, data_dir, Predict) -> (file name, content)` of all
            that `--mode=predict` writes; None for tasks without.
        pictures: the same, of what a folder gets in place of what `predict` gives.
        submission: the files that an archive for the benchmark's server has to hold.
    """

    name: str
    version: int
    summary: str
    protocol: str
    layout: str
    splits: tuple[str, str]
    presets: Mapping[str, RunConfig]
    demo_presets: tuple[str, ...]
    source: Callable[[Any, pathlib.Path, str], Source]
    prepare_assets: Callable[[Any, Callable[[], Source]], Mapping[str, bytes]]
    preprocess: Callable[[Any, Mapping[str, bytes]], Prepare]
    mix: Callable[[Any], Callable[[Arrays], Arrays] | None] | None = None
    prepare_data: Callable[[Any, pathlib.Path, pathlib.Path], None] | None = None
    loss: Callable[[Mapping[str, Any], Mapping[str, Any], float], Any]
    metrics: Mapping[str, Metric]
    baselines: Mapping[str, Baseline]
    write_demo: Callable[[pathlib.Path, int], None]
    paper_rows: Sequence[str]
    fresh_parts: tuple[str, ...] = ("query", "head")
    evaluation_group: int = 8
    in_parts: (
        Callable[[RunConfig, Callable[[Arrays], Arrays], Arrays], Mapping[str, np.ndarray]] | None
    ) = None
    trained_as: str | None = None
    checkpoints_of: tuple[str, ...] = ()
    sweep: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)
    predict: Writer | None = None
    pictures: Writer | None = None
    submission: tuple[str, ...] = ()
    needs_data: bool = True

    @property
    def default_preset(self) -> str:
        """The preset that runs when none is named."""
        return next(iter(self.presets))

    def protocol_of(self, data: Any) -> str:
        """Returns the id of the protocol under a data configuration."""
        return self.protocol.format(**vars(data))

    @property
    def is_trained(self) -> bool:
        """Whether the task can be trained, or is for evaluation only."""
        return self.splits[0] != self.splits[1]

    @property
    def main_metric(self) -> str:
        """The metric that picks the best checkpoint."""
        return next(iter(self.metrics))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Average:
    """A mean over tasks, in one of the conventions of a benchmark.

    Attributes:
        benchmark: the name of its published values in results/reported.csv. Averages of one
            benchmark stand in one table.
        protocol: the id of the convention, explained in the family's README.
        summary: the convention in words.
        terms: what the mean is over. The (task, metric) pairs of one term are averaged first
            and count once.
        joint: the task of one model for all, if there is one: with `family/name` it has the
            metric `accuracy` as `name_accuracy`, and what identifies the data as `name`.
    """

    benchmark: str
    protocol: str
    summary: str
    terms: tuple[tuple[tuple[str, str], ...], ...]
    joint: str | None = None
