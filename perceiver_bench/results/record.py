# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Records: one JSON file a run, written once and never changed.

A record holds a run's numbers and all that decided them. What is not exactly a record of
this schema is an error, on the way out and on the way in: a broken file must never be
taken for a result.
"""

import contextlib
import dataclasses
import datetime
import hashlib
import json
import pathlib
import re
import secrets
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from perceiver_bench.errors import UserError
from perceiver_bench.files import write_atomically
from perceiver_bench.results import example_rows, migration, schema
from perceiver_bench.results.environment import environment as environment

_DERIVED = (
    *("schema_version", "run_id", "date_utc"),
    *("config_fingerprint", "dataset_fingerprint", "examples"),
)
_WITH_PATHS = {"overrides", "config", "dataset", "checkpoint", "init", "command"}
# Far above any record; keeps a hostile file from filling the memory.
_MAX_BYTES = 16 * 2**20
_MEND = "delete the file or restore it from version control"


@dataclasses.dataclass(frozen=True, kw_only=True)
class MetricValue:
    """One metric of a run, over `n` examples; `standard_error` is None where undefined.

    `interval` are the ends of a 95 % interval, of a metric that has one.
    """

    value: float
    standard_error: float | None
    n: int
    unit: str
    direction: Literal["higher", "lower"]
    interval: tuple[float, float] | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Record:
    """One run.

    Attributes:
        schema_version: the version of this list of fields; older records are read as of it
            (`migration`).
        run_id: unique; the name of the file.
        task: `family/name`; the folder of the file.
        task_version: the task's version when it ran.
        split: the evaluated split.
        protocol: the id of the evaluation protocol.
        metrics: by name, the main one first.
        partial: whether only a part of the split was evaluated.
        partial_reason: why, or None; such a record never enters a table.
        preset: the preset's name; None for a baseline.
        overrides: the `--set` values, as given.
        config: the whole configuration, as `config.to_dict` gives it; {} for a baseline.
        config_fingerprint: `fingerprint(config)`.
        dataset: what identifies the evaluated data, as `Source.fingerprint` gives it.
        dataset_fingerprint: `fingerprint(dataset)`.
        coverage: {num_measured, num_examples}: how many examples the main metric was measured
            on, of how many the data has in the split, with bad files and those over a limit;
            None where unknown.
        checkpoint: {path, step, digest, format}, or {"baseline": name}.
        init: the weights that training started from; None for fresh ones.
        seed: of the run; None where nothing was drawn.
        num_params: of the model; None for a baseline.
        git: {commit, dirty} of this package's checkout, None for an installed package.
        versions: of Python and the libraries, by name.
        device: {platform, kind, count, processor, cores}; the name of the machine's processor
            and how many of its cores may be used, None where unknown.
        precision: {dtype, jax_default_matmul_precision}.
        wall_seconds: of the evaluation.
        date_utc: when the record was written, ISO 8601.
        learning_curve: [{step, metric: value, ...}, ...] of the training, or None.
        command: the flags of perceiver-bench that made it, with the paths that were given (data
            folders too); `--mode=train` for the evaluation at the end of a training, else
            `--mode=evaluate`; None where unknown (`results.command`).
        examples: {file, sha256, num_examples} of the rows of every example, in a file beside the
            record's (`example_rows`); None in records of before there was one.
    """

    schema_version: int
    run_id: str
    task: str
    task_version: int
    split: str
    protocol: str
    metrics: Mapping[str, MetricValue]
    partial: bool
    partial_reason: str | None
    preset: str | None
    overrides: tuple[str, ...]
    config: Mapping[str, Any]
    config_fingerprint: str
    dataset: Mapping[str, Any]
    dataset_fingerprint: str
    coverage: Mapping[str, int] | None
    checkpoint: Mapping[str, Any]
    init: str | None
    seed: int | None
    num_params: int | None
    git: Mapping[str, Any] | None
    versions: Mapping[str, str]
    device: Mapping[str, Any]
    precision: Mapping[str, Any]
    wall_seconds: float
    date_utc: str
    learning_curve: tuple[Mapping[str, float], ...] | None
    command: tuple[str, ...] | None
    examples: Mapping[str, Any] | None

    @property
    def baseline(self) -> str | None:
        """The name of the baseline that this is a run of, if it is one."""
        return self.checkpoint.get("baseline")

    @property
    def main_metric(self) -> str:
        """The name of the first metric."""
        return next(iter(self.metrics))


def fingerprint(value: Any) -> str:
    """Returns the SHA-256 of `value` as canonical JSON, in hexadecimal."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def write(
    record: dict[str, Any],
    results_dir: pathlib.Path,
    rows: Mapping[str, Mapping[str, Any]] | None = None,
) -> pathlib.Path:
    """Writes one run to `results_dir/records/<task>/<run_id>.json` and returns the path.

    The rows of its examples, by metric and name, go to `<run_id>.npz` beside it, first: a
    record never names a file that is not there yet.

    `record` has the fields of `Record` except schema_version, run_id, date_utc, the two
    fingerprints and examples, which are made here. Absolute paths in it are cut to their
    last two parts, so that a record can be published.

    Raises:
        UserError: if a field is missing, unknown, of another type, or not finite, or if
            the file cannot be written.
    """
    if given := sorted(set(_DERIVED) & set(record)):
        raise ValueError(f"fields {given} are made by write()")
    now = datetime.datetime.now(datetime.UTC)
    run_id = f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
    where = f"record of {record.get('task')!r}"
    try:
        # By way of JSON, so that tuples are lists here as they will be when read.
        plain = json.loads(json.dumps(record))
    except (TypeError, ValueError) as error:
        raise UserError(f"{where}: {error}; a record holds JSON values only") from error
    full = {
        "schema_version": schema.VERSION,
        "run_id": run_id,
        "date_utc": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        **plain,
        "examples": None,
    }
    for name in _WITH_PATHS & set(full):
        full[name] = _without_private_paths(full[name])
    for name in ("config", "dataset"):
        try:
            full[f"{name}_fingerprint"] = fingerprint(full.get(name))
        except ValueError as error:
            raise UserError(f"{where}: field {name} holds NaN or infinity; mend it") from error
    content = None
    if rows is not None:
        content, identity = example_rows.pack(rows)
        full["examples"] = {"file": f"{run_id}.npz", **identity}
    if fault := schema.fault(full):
        raise UserError(f"{where}: {fault}")
    path = results_dir / "records" / full["task"] / f"{run_id}.json"
    text = json.dumps(full, indent=1, allow_nan=False) + "\n"
    try:
        with _file_beside(path, content):
            write_atomically(path, text.encode(), overwrite=False)
    except UserError as error:
        raise UserError(f"{error}; give another folder with --results_dir") from error
    return path


@contextlib.contextmanager
def _file_beside(path: pathlib.Path, content: bytes | None) -> Iterator[None]:
    """Writes a record's file of examples, and deletes it if the record cannot be written."""
    if content is None:
        yield
        return
    beside = path.with_suffix(".npz")
    write_atomically(beside, content, overwrite=False)
    try:
        yield
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def read_all(results_dir: pathlib.Path) -> list[Record]:
    """Reads every record under `results_dir/records`, oldest first.

    Raises:
        UserError: naming the first file that is not a whole record of this schema.
    """
    folder = results_dir / "records"
    records = [_read(path, folder) for path in sorted(folder.rglob("*.json"))]
    return sorted(records, key=lambda record: (record.date_utc, record.run_id))


def find(name: str, results_dir: pathlib.Path) -> pathlib.Path:
    """Returns the path of a record that is named by it, or by its run id in `results_dir`.

    Raises:
        UserError: if there is none.
    """
    path = pathlib.Path(name)
    if path.is_file():
        return path
    records = (results_dir / "records").rglob("*.json")
    found = next((one for one in records if one.stem == name), None)
    if found is None:
        raise UserError(
            f"--record={name}: no such file, nor a run of that id in --results_dir={results_dir}"
        )
    return found


def read(path: pathlib.Path) -> Record:
    """Reads one record, wherever the file stands.

    Raises:
        UserError: if it is not a whole record of this schema or an older one.
    """

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no JSON number")

    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError(f"larger than {_MAX_BYTES} bytes")
        value = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
        if migration.is_newer(value):
            raise UserError(
                f"{path}: a record of schema version {value['schema_version']!r:.20}, and this"
                f" program reads up to {schema.VERSION}; install a newer perceiver_bench"
            )
        value = migration.migrate(value)
        fault = schema.fault(value) or _changed(value)
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: not a record ({error}); {_MEND}") from error
    if fault:
        raise UserError(f"{path}: {fault}; {_MEND}")
    metrics = {name: _metric(fields) for name, fields in value["metrics"].items()}
    lists = ("overrides", "learning_curve", "command")
    tuples = {name: None if value[name] is None else tuple(value[name]) for name in lists}
    return Record(**{**value, "metrics": metrics, **tuples})


def _read(path: pathlib.Path, folder: pathlib.Path) -> Record:
    """Reads one file that should stand at `folder/<task>/<run_id>.json`."""
    found = read(path)
    # A copied or renamed file would count a run twice.
    if path.relative_to(folder).as_posix() != f"{found.task}/{found.run_id}.json":
        raise UserError(f"{path}: holds run {found.run_id} of {found.task}; {_MEND}")
    return found


def _metric(fields: Mapping[str, Any]) -> MetricValue:
    interval = fields.get("interval")
    return MetricValue(**{**fields, "interval": None if interval is None else tuple(interval)})


def _changed(value: Mapping[str, Any]) -> str | None:
    """Returns which field no longer has the fingerprint it was written with, or None."""
    for name in ("config", "dataset"):
        if value[f"{name}_fingerprint"] != fingerprint(value[name]):
            return f"field {name} was changed after it was written"
    return None


def _without_private_paths(value: Any) -> Any:
    """Cuts absolute paths in `value` to two parts; also after `=`, as in an override or a flag."""
    if isinstance(value, dict):
        return {name: _without_private_paths(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_private_paths(item) for item in value]
    if isinstance(value, str):
        match = re.fullmatch(r"((?:(?:--)?[\w.]+=)*)(.+)", value, re.DOTALL)
        if match and pathlib.PurePath(match[2]).is_absolute():
            parts = pathlib.PurePath(match[2]).parts[1:]
            return match[1] + "/".join(parts[-2:])
    return value
