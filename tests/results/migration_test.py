# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Records of older versions: those that were written then, and one that is made here."""

import dataclasses
import json
import pathlib
import shutil

import pytest

from perceiver_bench.errors import UserError
from perceiver_bench.results import migration, record, schema

RESULTS = pathlib.Path(__file__).resolve().parents[2] / "results"
PATHS = sorted((RESULTS / "records").rglob("*.json"))
OLD = [path for path in PATHS if json.loads(path.read_text())["schema_version"] == 1]


def as_json(found):
    return json.loads(json.dumps(dataclasses.asdict(found)))


def as_version_1(whole):
    """Returns a written record as version 1 had it."""
    old = {name: value for name, value in whole.items() if name not in ("command", "coverage")}
    kept = ("platform", "kind", "count")
    return {**old, "schema_version": 1, "device": {name: whole["device"][name] for name in kept}}


def test_every_record_of_the_repository_is_read(tmp_path):
    shutil.copytree(RESULTS / "records", tmp_path / "records")
    assert len(record.read_all(tmp_path)) == len(PATHS)


def test_an_old_record_keeps_every_field_and_knows_no_new_one():
    assert len(OLD) > 70
    assert {"init" in json.loads(path.read_text()) for path in OLD} == {True, False}
    for path in OLD:
        old = json.loads(path.read_text())
        found = as_json(record.read(path))
        assert found["schema_version"] == schema.VERSION
        assert (found["command"], found["coverage"]) == (None, None)
        assert found["init"] == old.get("init")
        assert found["examples"] == old.get("examples")
        assert found["device"] == {**old["device"], "processor": None, "cores": None}
        for metric in found["metrics"].values():
            if metric["interval"] is None:
                del metric["interval"]
        for name in old.keys() - {"schema_version", "device"}:
            assert found[name] == old[name], (path, name)


@pytest.mark.parametrize("late", [(), ("init",), ("examples",), ("init", "examples")])
def test_a_made_record_of_version_1_is_read(tmp_path, run, late):
    run["init"] = "runs/mlm/best"
    run["metrics"]["accuracy"]["interval"] = [91.0, 94.5]
    path = record.write(run, tmp_path, {"accuracy": {"value": [1.0, 2.0]}})
    now = record.read(path)
    old = as_version_1(json.loads(path.read_text()))
    path.write_text(json.dumps({name: value for name, value in old.items() if name not in late}))
    (found,) = record.read_all(tmp_path)
    assert found == dataclasses.replace(
        now,
        **{"command": None, "coverage": None, **dict.fromkeys(late)},
        device={**now.device, "processor": None, "cores": None},
    )
    assert found.metrics["accuracy"].interval == (91.0, 94.5)
    assert found.examples is None or found.examples["num_examples"] == 2


def test_what_is_written_is_of_the_newest_version_and_not_migrated(tmp_path, run):
    whole = json.loads(record.write(run, tmp_path).read_text())
    assert whole["schema_version"] == 2
    assert whole["command"] == run["command"]
    assert migration.migrate(whole) is whole
    assert not migration.is_newer(whole)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"command": None}, "version 1 has no field command"),
        ({"coverage": None}, "version 1 has no field coverage"),
        ({"device": {"platform": "cpu", "cores": 1}}, "version 1 has no field cores"),
        ({"device": 5}, "field device must be a mapping"),
        ({"device": None}, "field device must be a mapping"),
        ({"metrics": {}}, "at least one metric"),
        ({"surplus": 1}, "'surplus' is unknown"),
        ({"dataset": {"dev.tsv": "another"}}, "field dataset was changed"),
    ],
)
def test_an_old_record_is_looked_at_as_closely(tmp_path, run, changes, message):
    path = record.write(run, tmp_path)
    old = as_version_1(json.loads(path.read_text()))
    path.write_text(json.dumps({**old, **changes}))
    with pytest.raises(UserError, match=message):
        record.read(path)
    for name in old.keys() - {"init", "examples", "schema_version"}:
        path.write_text(json.dumps({other: v for other, v in old.items() if other != name}))
        with pytest.raises(UserError, match=f"field {name} is missing"):
            record.read(path)


@pytest.mark.parametrize("value", [None, [], 1, "text", {}, {"schema_version": 1}])
def test_what_is_no_record_is_left_to_the_schema(value):
    assert schema.fault(migration.migrate(value))
