# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Which records of a task compare with each other.

Records that differ in protocol, task version, split or data do not.
"""

import dataclasses
from collections.abc import Iterable, Sequence

from perceiver_bench.results import seeds
from perceiver_bench.results.record import Record


@dataclasses.dataclass(frozen=True)
class Group:
    """The records of one task that compare with each other.

    Attributes:
        protocol, task_version, split, dataset_fingerprint: what they share.
        settings: our whole runs, the latest of each preset, overrides, start and seed.
        baselines: the latest whole run of each baseline.
        partial: the runs over a part of the split, which enter no table.
    """

    protocol: str
    task_version: int
    split: str
    dataset_fingerprint: str
    settings: tuple[seeds.Setting, ...]
    baselines: tuple[Record, ...]
    partial: tuple[Record, ...]

    @property
    def runs(self) -> tuple[Record, ...]:
        """The whole runs, the baselines last."""
        return (*(run for setting in self.settings for run in setting.runs), *self.baselines)

    @property
    def incomplete(self) -> str:
        """What the data lacks of the official set, in words; empty if it is whole or unknown."""
        dataset = self.runs[0].dataset if self.runs else {}
        found, due = dataset.get("num_examples"), dataset.get("official_num_examples")
        return "" if None in (found, due) or found == due else f"{found:,} of {due:,} examples"

    @property
    def key(self) -> str:
        """What the records share, in words."""
        words = (
            f"protocol {self.protocol}, task version {self.task_version}, split {self.split},"
            f" data {self.dataset_fingerprint[:12]}"
        )
        part = self.incomplete
        return f"{words}, a part of the official set: {part}" if part else words


def groups(records: Iterable[Record]) -> list[Group]:
    """Returns one task's records by what makes them comparable, the newest group first."""
    found: dict[tuple[str, int, str, str], list[Record]] = {}
    for record in sorted(records, key=_age):
        key = (record.protocol, record.task_version, record.split, record.dataset_fingerprint)
        found.setdefault(key, []).append(record)
    newest_first = sorted(found.items(), key=lambda item: _age(item[1][-1]), reverse=True)
    return [_group(key, members) for key, members in newest_first]


def differing(found: Sequence[Group]) -> list[str]:
    """Returns what groups of one task differ in, in words; empty for a single group."""
    words = {
        "protocol": "protocol",
        "task_version": "task version",
        "split": "split",
        "dataset_fingerprint": "data",
    }
    return [text for name, text in words.items() if len({getattr(one, name) for one in found}) > 1]


def _group(key: tuple[str, int, str, str], members: list[Record]) -> Group:
    """Sorts the records of one group, given from the oldest to the newest."""
    whole = [record for record in members if not record.partial]
    baselines = {record.baseline: record for record in whole if record.baseline is not None}
    runs = seeds.latest(record for record in whole if record.baseline is None)
    return Group(
        *key,
        settings=seeds.settings(runs),
        baselines=tuple(baselines[name] for name in sorted(baselines)),
        partial=tuple(record for record in members if record.partial),
    )


def _age(record: Record) -> tuple[str, str]:
    return record.date_utc, record.run_id
