# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0

import copy
import dataclasses
import hashlib
import json
import math
import subprocess

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perceiver_bench.errors import UserError
from perceiver_bench.results import environment, record, schema

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def test_what_is_written_is_read(tmp_path, run):
    path = record.write(run, tmp_path)
    (found,) = record.read_all(tmp_path)
    assert path == tmp_path / "records" / "glue" / "sst2" / f"{found.run_id}.json"
    fields = dataclasses.asdict(found)
    assert fields["metrics"]["accuracy"].pop("interval") is None
    for name, value in run.items():
        assert json.loads(json.dumps(fields[name])) == value, name
    assert found.schema_version == 2
    assert found.metrics["accuracy"].value == 93.0
    assert found.main_metric == "accuracy"
    assert found.baseline is None
    canonical = '{"dev.tsv":{"sha256":"ab","size":10}}'
    assert found.dataset_fingerprint == hashlib.sha256(canonical.encode()).hexdigest()
    assert not list(tmp_path.rglob("*.tmp"))


def test_an_interval_is_written_where_there_is_one(tmp_path, run):
    accuracy = run["metrics"]["accuracy"]
    run["metrics"] = {"with": {**accuracy, "interval": (91.1, 94.5)}, "without": accuracy}
    written = json.loads(record.write(run, tmp_path).read_text())["metrics"]
    assert written["with"]["interval"] == [91.1, 94.5]
    assert "interval" not in written["without"]
    (found,) = record.read_all(tmp_path)
    assert found.metrics["with"].interval == (91.1, 94.5)
    assert found.metrics["without"].interval is None


@pytest.mark.parametrize(
    "value",
    [None, 93.0, [], [93.0], [91.0, 93.0, 95.0], [95.0, 91.0], ["91", "95"], [91.0, True]],
)
def test_an_interval_is_two_numbers_in_order(tmp_path, run, value):
    run["metrics"]["accuracy"]["interval"] = value
    with pytest.raises(UserError, match=r"metrics\.accuracy\.interval must be two finite numbers"):
        record.write(run, tmp_path)
    for bad in (math.nan, math.inf):
        run["metrics"]["accuracy"]["interval"] = [91.0, bad]
        with pytest.raises(UserError, match=r"metrics\.accuracy\.interval"):
            record.write(run, tmp_path)


def test_environment_fits_a_record(tmp_path, run):
    run |= record.environment()
    assert set(run["versions"]) == {
        *("python", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain", "numpy"),
        *("scipy", "scikit-learn", "pillow", "sentencepiece"),
    }
    assert run["versions"]["numpy"] == np.__version__
    assert run["device"]["count"] >= 1
    assert run["device"]["cores"] >= 1
    assert run["device"]["processor"]
    record.write(run, tmp_path)


@settings(deadline=None)
@given(_JSON)
def test_fingerprint_is_that_of_the_value_and_not_of_its_order(value):
    def reversed_order(item):
        if isinstance(item, dict):
            return {name: reversed_order(item[name]) for name in reversed(list(item))}
        return [reversed_order(part) for part in item] if isinstance(item, list) else item

    assert record.fingerprint(reversed_order(value)) == record.fingerprint(value)
    assert record.fingerprint([value, 1]) != record.fingerprint([value, 2])


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("field", ["value", "standard_error"])
def test_a_metric_that_is_not_finite_is_refused(tmp_path, run, field, value):
    run["metrics"]["accuracy"][field] = value
    with pytest.raises(UserError, match=rf"metrics\.accuracy\.{field} must be a finite number"):
        record.write(run, tmp_path)
    assert not (tmp_path / "records").exists()


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("task",), "../../etc/passwd", "field task must be"),
        (("task",), "/absolute/name", "field task must be"),
        (("seed",), True, "field seed must be"),
        (("seed",), 1.5, "field seed must be"),
        (("learning_curve",), [{"accuracy": 1.0}], "field learning_curve must be"),
        (("learning_curve",), [{"step": 1, "accuracy": math.nan}], "field learning_curve"),
        (("partial",), True, "partial_reason must be given"),
        (("partial_reason",), "first 5", "partial_reason must be given"),
        (("metrics",), {}, "at least one metric"),
        (("metrics", "accuracy", "n"), 0, "metrics.accuracy.n must be"),
        (("metrics", "accuracy", "direction"), "up", "higher or lower"),
        (("metrics", "two words"), {}, "no metric's name"),
        (("checkpoint",), {"path": "x"}, "checkpoint.step is missing"),
        (("checkpoint", "baseline"), "majority", "checkpoint.'path' is unknown"),
        (("preset",), None, "field preset must be"),
        (("protocol",), "two\nlines", "field protocol must be"),
        (("config", "rate"), math.inf, "NaN or infinity"),
        (("config", "rate"), np.float32(1), "JSON values only"),
        (("command",), "--mode=train", "field command must be a list of flags"),
        (("command",), ["--mode=train", "two\nlines"], "field command must be a list of flags"),
        (("coverage",), {"num_measured": 5}, "coverage.num_examples is missing"),
        (("coverage", "num_measured"), -1, "coverage.num_measured must be a whole number"),
        (("device", "processor"), "", "device.processor must be"),
        (("surplus",), 1, "'surplus' is unknown"),
    ],
)
def test_a_wrong_field_is_named_on_writing(tmp_path, run, place, value, message):
    inner = run
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    with pytest.raises(UserError, match=message) as caught:
        record.write(run, tmp_path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "records").exists()


def test_every_field_is_required(tmp_path, run):
    for name in run:
        less = {other: value for other, value in run.items() if other != name}
        with pytest.raises(UserError, match=name):
            record.write(less, tmp_path)


def test_a_record_cut_short_is_refused_wherever_it_is_cut(tmp_path, run):
    path = record.write(run, tmp_path)
    whole = path.read_bytes()
    for length in range(0, len(whole) - 2, 37):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match=rf"{path.name}: .*delete the file"):
            record.read_all(tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"[]", b"1", b"\xff", b"NaN", b"[" * 100_000, b"1" * 5000, b'{"schema_version": 2}', b"{}"],
)
def test_what_is_no_record_is_refused_in_one_line(tmp_path, run, content):
    path = record.write(run, tmp_path)
    path.write_bytes(content)
    with pytest.raises(UserError, match=path.name) as caught:
        record.read_all(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_field_lost_or_changed_after_writing_is_refused(tmp_path, run):
    path = record.write(run, tmp_path)
    whole = json.loads(path.read_text())
    for name in whole:
        path.write_text(json.dumps({other: v for other, v in whole.items() if other != name}))
        with pytest.raises(UserError, match=f"field {name} is missing"):
            record.read_all(tmp_path)
    for name in ("config", "dataset"):
        changed = copy.deepcopy(whole)
        changed[name]["new"] = 1
        path.write_text(json.dumps(changed))
        with pytest.raises(UserError, match=f"field {name} was changed"):
            record.read_all(tmp_path)
    path.write_text(json.dumps(whole).replace("93.0", "1e999", 1))
    with pytest.raises(UserError, match=r"metrics\.accuracy\.value"):
        record.read_all(tmp_path)
    path.write_text(json.dumps(whole).replace('"max_length": 64', '"max_length": 1e999'))
    with pytest.raises(UserError, match=path.name):
        record.read_all(tmp_path)


@pytest.mark.parametrize("version", [3, 10**30])
def test_a_record_of_a_newer_program_is_refused_and_not_called_broken(tmp_path, run, version):
    path = record.write(run, tmp_path)
    path.write_text(json.dumps({"schema_version": version, "fields": "of its own"}))
    with pytest.raises(UserError, match="install a newer perceiver_bench") as caught:
        record.read_all(tmp_path)
    assert f"a record of schema version {version!r:.20}, and this program reads up to 2" in str(
        caught.value
    )
    assert "delete" not in str(caught.value)


@pytest.mark.parametrize("version", [0, -1, True, "2", 1.0, None])
def test_a_version_that_there_never_was_is_refused(tmp_path, run, version):
    path = record.write(run, tmp_path)
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema_version": version}))
    with pytest.raises(UserError, match=f"{path.name}: field schema_version must be"):
        record.read(path)


def test_a_copied_record_does_not_count_twice(tmp_path, run):
    path = record.write(run, tmp_path)
    path.with_name(path.name.replace("-", "-0")).write_bytes(path.read_bytes())
    with pytest.raises(UserError, match="holds run"):
        record.read_all(tmp_path)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(schema._RECORD)), _JSON))
def test_no_json_makes_the_check_itself_fail(value):
    assert schema.fault(value)


def test_a_folder_that_cannot_be_written_is_named_with_its_flag(tmp_path, run):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(UserError, match=rf"{blocked}.*--results_dir"):
        record.write(run, blocked)


def test_absolute_paths_are_cut_to_two_parts_and_relative_ones_kept(tmp_path, run):
    run["checkpoint"]["path"] = "/home/somebody/runs/sst2/best"
    run["overrides"] = ["data.model=/home/somebody/words.model", "train.steps=5"]
    run["config"]["data"]["model"] = "/home/somebody/words.model"
    run["init"] = "/home/somebody/runs/mlm/best"
    run["command"] = [
        *("--mode=train", "--task=glue/sst2", "--data_dir=/home/somebody/glue/data"),
        *("--workdir=runs/sst2/lr=1", "--set=data.model=/home/somebody/words.model"),
    ]
    text = record.write(run, tmp_path).read_text()
    assert "/home" not in text
    (found,) = record.read_all(tmp_path)
    assert found.checkpoint["path"] == "sst2/best"
    assert found.overrides == ("data.model=somebody/words.model", "train.steps=5")
    assert found.init == "mlm/best"
    assert found.command == (
        *("--mode=train", "--task=glue/sst2", "--data_dir=glue/data"),
        *("--workdir=runs/sst2/lr=1", "--set=data.model=somebody/words.model"),
    )
    run["checkpoint"]["path"] = "work/of/mine/best"
    record.write(run, tmp_path)
    assert "work/of/mine/best" in {r.checkpoint["path"] for r in record.read_all(tmp_path)}


def test_git_tells_the_commit_and_changed_code_of_this_checkout_only(tmp_path, monkeypatch):
    def git(*arguments):
        identity = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
        command = ["git", *identity, *arguments]
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)

    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    assert environment.git_state(tmp_path) is None
    git("init", "-q")
    assert environment.git_state(tmp_path) is None  # no commit yet
    code = tmp_path / "perceiver_bench" / "a.py"
    code.parent.mkdir()
    code.write_text("1")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    commit = git("rev-parse", "HEAD").stdout.strip()
    assert environment.git_state(tmp_path) == {"commit": commit, "dirty": False}
    assert environment.git_state(code.parent) is None  # inside somebody's repository
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "new.json").write_text("{}")
    monkeypatch.setenv("GIT_DIR", "/nowhere")  # as inside a hook
    assert environment.git_state(tmp_path) == {"commit": commit, "dirty": False}
    code.write_text("2")
    assert environment.git_state(tmp_path) == {"commit": commit, "dirty": True}
