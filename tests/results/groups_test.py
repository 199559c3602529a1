# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0

import pytest

from perceiver_bench.results import groups


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"protocol": "other"}, ["protocol"]),
        ({"task_version": 2, "split": "test"}, ["task version", "split"]),
        ({"dataset": {"dev.tsv": "another"}}, ["data"]),
    ],
)
def test_groups_differ_in_what_keeps_records_apart(make, change, words):
    found = groups.groups([make(0), make(1, **change)])
    assert len(found) == 2
    assert groups.differing(found) == words
    assert groups.differing(found[:1]) == []


def test_a_group_has_the_latest_runs_then_baselines_and_the_partial_ones_apart(make):
    records = [
        make(1, value=1.0),
        make(2, value=2.0),
        make(3, value=3.0, seed=1),
        make(4, value=4.0, baseline="majority"),
        make(5, value=5.0, baseline="majority"),
        make(6, value=6.0, partial=True, partial_reason="a limit"),
    ]
    (group,) = groups.groups(records[::-1])
    assert [run.metrics["accuracy"].value for run in group.runs] == [2.0, 3.0, 5.0]
    assert [run.partial_reason for run in group.partial] == ["a limit"]


@pytest.mark.parametrize(
    ("dataset", "part"),
    [
        ({"num_examples": 3, "official_num_examples": 1872}, "3 of 1,872 examples"),
        ({"num_examples": 872, "official_num_examples": 872}, ""),
        ({"num_examples": 3}, ""),
    ],
)
def test_the_name_of_a_group_says_what_its_data_lacks(make, dataset, part):
    (group,) = groups.groups([make(0, dataset=dataset)])
    assert group.incomplete == part
    assert group.key.startswith("protocol glue-dev-v1, task version 1, split dev, data ")
    assert group.key.endswith(f", a part of the official set: {part}") == bool(part)
