# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0

import hashlib
import io
import json
import pathlib

import jax.numpy as jnp
import numpy as np
import pytest

from perceiver_bench.errors import UserError
from perceiver_bench.results import example_rows, record

ROWS = {
    "accuracy": {"sum": np.array([1, 0, 1], np.float32), "weight": np.ones(3, np.float32)},
    "average": {
        "cola/predicted": np.array([1, 0, 1], np.int32),
        "cola/label": np.array([True, False, True]),
        "sst2/sum": np.array([0.1, 1 / 3, 1e-300]),
    },
}


def stored(path, **arrays):
    """Writes a file by NumPy itself and returns its digest."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{f"accuracy/{name}": row for name, row in arrays.items()})
    path.write_bytes(buffer.getvalue())
    return hashlib.sha256(buffer.getvalue()).hexdigest()


def test_rows_come_back_in_the_types_that_they_have(tmp_path):
    content, identity = example_rows.pack(ROWS)
    assert identity == {"sha256": hashlib.sha256(content).hexdigest(), "num_examples": 3}
    (tmp_path / "run.npz").write_bytes(content)
    for metric, rows in ROWS.items():
        found = example_rows.read(tmp_path / "run.npz", metric, **identity)
        assert found.keys() == rows.keys()
        for name, row in rows.items():
            assert found[name].dtype == row.dtype
            np.testing.assert_array_equal(found[name], row)


def test_anybody_can_read_the_file_with_numpy():
    content, _ = example_rows.pack(ROWS)
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        assert sorted(archive.files) == [
            *("accuracy/sum", "accuracy/weight"),
            *("average/cola/label", "average/cola/predicted", "average/sst2/sum"),
        ]
        np.testing.assert_array_equal(archive["average/sst2/sum"], ROWS["average"]["sst2/sum"])


def test_equal_rows_give_equal_bytes_whatever_their_order():
    other = {name: dict(reversed(rows.items())) for name, rows in reversed(ROWS.items())}
    assert example_rows.pack(other) == example_rows.pack(ROWS)
    changed = {**ROWS, "accuracy": {**ROWS["accuracy"], "sum": np.array([1, 1, 1], np.float32)}}
    assert example_rows.pack(changed) != example_rows.pack(ROWS)


def test_bfloat16_is_kept_exactly(tmp_path):
    row = jnp.asarray([1.5, 3.140625, 1e30], jnp.bfloat16)
    content, identity = example_rows.pack({"accuracy": {"sum": row}})
    (tmp_path / "run.npz").write_bytes(content)
    found = example_rows.read(tmp_path / "run.npz", "accuracy", **identity)["sum"]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, row.astype(np.float32))


def test_rows_of_different_lengths_are_a_fault_of_the_metric():
    with pytest.raises(ValueError, match=r"rows of \[2, 3\] examples"):
        example_rows.pack({"accuracy": {"sum": np.ones(3), "weight": np.ones(2)}})


def test_a_missing_file_is_told_with_its_mend(tmp_path):
    with pytest.raises(UserError, match=r"run.npz: .* is missing; copy the file .*=evaluate\)"):
        example_rows.read(tmp_path / "run.npz", "accuracy", "0" * 64, 3)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"sum": np.ones(2)}, "accuracy/sum holds float64 of shape .2., numbers of 3 examples"),
        ({"sum": np.ones(3), "weight": np.ones(4)}, "accuracy/weight holds float64 of shape .4."),
        ({"sum": np.float64(1)}, "accuracy/sum holds float64 of shape .., numbers of 3"),
        ({"sum": np.array(["a", "b", "c"])}, "accuracy/sum holds <U1"),
        ({"sum": np.ones(3, complex)}, "accuracy/sum holds complex128"),
        ({"sum": np.array([{}, {}, {}])}, "holds Python objects"),
        ({}, "it has no rows of accuracy"),
    ],
    ids=["short", "uneven", "scalar", "text", "complex", "objects", "none"],
)
def test_a_file_of_something_else_is_refused_in_one_line(tmp_path, rows, message):
    digest = stored(tmp_path / "run.npz", **rows)
    with pytest.raises(UserError, match=message) as caught:
        example_rows.read(tmp_path / "run.npz", "accuracy", digest, 3)
    assert str(tmp_path / "run.npz") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_changed_after_writing_is_refused(tmp_path):
    content, identity = example_rows.pack(ROWS)
    path = tmp_path / "run.npz"
    for damaged in (content[:-1], content + b"\0", content.replace(b"cola", b"sst2"), b""):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match="not what the record was written with"):
            example_rows.read(path, "accuracy", **identity)
    path.unlink()
    path.mkdir()
    with pytest.raises(UserError, match="not the record's file of examples"):
        example_rows.read(path, "accuracy", **identity)


def test_a_file_larger_than_any_is_refused_unread(tmp_path, monkeypatch):
    content, identity = example_rows.pack(ROWS)
    (tmp_path / "run.npz").write_bytes(content)
    monkeypatch.setattr(example_rows, "_MAX_BYTES", len(content) - 1)
    with pytest.raises(UserError, match="it is larger than"):
        example_rows.read(tmp_path / "run.npz", "accuracy", **identity)


def test_a_record_names_its_file_and_is_written_after_it(tmp_path, run, monkeypatch):
    order = []

    def write(path, content, **options):
        order.append(path.suffix)
        write_atomically(path, content, **options)

    write_atomically = record.write_atomically
    monkeypatch.setattr(record, "write_atomically", write)
    path = record.write(run, tmp_path, ROWS)
    assert order == [".npz", ".json"]
    (found,) = record.read_all(tmp_path)
    content, identity = example_rows.pack(ROWS)
    assert found.examples == {"file": f"{found.run_id}.npz", **identity}
    assert path.with_suffix(".npz").read_bytes() == content
    assert found == record.read(path)


def test_a_record_without_rows_has_none(tmp_path, run):
    path = record.write(run, tmp_path)
    assert json.loads(path.read_text())["examples"] is None
    assert record.read(path).examples is None
    assert [one.suffix for one in path.parent.iterdir()] == [".json"]


def test_a_record_that_cannot_be_written_leaves_no_file(tmp_path, run, monkeypatch):
    with pytest.raises(UserError, match="field task must be"):
        record.write({**run, "task": "../elsewhere"}, tmp_path, ROWS)
    with pytest.raises(ValueError, match="made by write"):
        record.write({**run, "examples": {}}, tmp_path, ROWS)

    def full_disk(path, content, **options):
        if path.suffix == ".json":
            raise UserError(f"{path}: cannot be written: No space left on device")
        write_atomically(path, content, **options)

    write_atomically = record.write_atomically
    monkeypatch.setattr(record, "write_atomically", full_disk)
    with pytest.raises(UserError, match="No space left on device; give another folder"):
        record.write(run, tmp_path, ROWS)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("file", "../../../other.npz", "examples.file must be 2"),
        ("file", "other.npz", "examples.file must be 2"),
        ("sha256", "ab", "examples.sha256 must be a SHA-256"),
        ("num_examples", 0, "examples.num_examples must be"),
        ("surplus", 1, "'surplus' is unknown"),
    ],
)
def test_a_record_names_no_other_file(tmp_path, run, place, value, message):
    path = record.write(run, tmp_path, ROWS)
    whole = json.loads(path.read_text())
    whole["examples"][place] = value
    path.write_text(json.dumps(whole))
    with pytest.raises(UserError, match=message):
        record.read(path)


def test_a_record_is_found_by_its_path_and_by_its_run(tmp_path, run):
    path = record.write(run, tmp_path)
    assert record.find(str(path), pathlib.Path("elsewhere")) == path
    assert record.find(path.stem, tmp_path) == path
    copied = tmp_path / "copied.json"
    copied.write_bytes(path.read_bytes())
    assert record.read(record.find(str(copied), tmp_path)).run_id == path.stem
    with pytest.raises(UserError, match="--record=20260101T000000Z-01234567: no such file, nor a"):
        record.find("20260101T000000Z-01234567", tmp_path)
