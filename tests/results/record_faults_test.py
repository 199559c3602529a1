# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Many processes that write at once, and disks that are full."""

import errno
import io
import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from perceiver_bench.errors import UserError
from perceiver_bench.results import example_rows, record

ROWS = {"accuracy": {"value": np.arange(500) % 2, "weight": np.ones(500)}}
NUM_PROCESSES, NUM_RECORDS = 10, 8
WRITER = """
import json, pathlib, sys
import numpy as np
from perceiver_bench.results import record

folder, worker, count, run = pathlib.Path(sys.argv[1]), *map(int, sys.argv[2:4]), sys.argv[4]
print("ready", flush=True)
sys.stdin.readline()
for number in range(count):
    seed = count * worker + number
    rows = {"accuracy": {"value": np.full(500, seed), "weight": np.ones(500)}}
    record.write({**json.loads(run), "seed": seed}, folder, rows)
assert "jax" not in sys.modules
"""


def test_ten_processes_that_write_at_once_lose_nothing(tmp_path, run):
    writers = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                WRITER,
                tmp_path,
                str(worker),
                str(NUM_RECORDS),
                json.dumps(run),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for worker in range(NUM_PROCESSES)
    ]
    for writer in writers:
        assert writer.stdout
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin
        writer.stdin.write("go\n")
        writer.stdin.flush()
    seen = [0]
    while any(writer.poll() is None for writer in writers):
        seen.append(len(record.read_all(tmp_path)))  # whole, whenever it is looked at
    for writer in writers:
        writer.communicate()
        assert writer.returncode == 0
    assert seen == sorted(seen)
    records = record.read_all(tmp_path)
    assert {one.seed for one in records} == {*range(NUM_PROCESSES * NUM_RECORDS)}
    assert len({one.run_id for one in records}) == len(records)
    for one in records:
        assert one.examples
        path = tmp_path / "records" / one.task / one.examples["file"]
        identity = {name: one.examples[name] for name in ("sha256", "num_examples")}
        rows = example_rows.read(path, "accuracy", **identity)
        np.testing.assert_array_equal(rows["value"], np.full(500, one.seed))
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".json", ".npz"}
    assert len(files) == 2 * len(records)


class _FullDisk(io.FileIO):
    """Takes half of what it is given."""

    def write(self, content):
        super().write(content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_a_disk_that_gets_full_leaves_no_file(tmp_path, run, monkeypatch, suffix):
    first = record.write(run, tmp_path, ROWS)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    opened = []
    open_file = pathlib.Path.open

    def full(path, mode="r", **options):
        if mode != "xb" or f"{suffix}." not in path.name:
            return open_file(path, mode, **options)
        opened.append(_FullDisk(path, "x"))
        return opened[-1]

    monkeypatch.setattr(pathlib.Path, "open", full)
    with pytest.raises(UserError, match=r"No space left on device; give another folder with"):
        record.write(run, tmp_path, ROWS)
    monkeypatch.undo()
    assert len(opened) == 1
    assert opened[0].closed
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    (found,) = record.read_all(tmp_path)
    assert found.run_id == first.stem


def test_what_a_killed_process_left_is_not_read_as_a_result(tmp_path, run):
    """The process is killed in the middle of the file, before it has its name."""
    path = record.write(run, tmp_path)
    rest = path.with_name(f".20260102T030405Z-01234567.json.{'ab' * 16}.tmp")
    rest.write_bytes(path.read_bytes()[:300])
    assert [one.run_id for one in record.read_all(tmp_path)] == [path.stem]
    with pytest.raises(UserError, match="no such file, nor a run of that id"):
        record.find("20260102T030405Z-01234567", tmp_path)


def test_a_record_cut_short_is_no_result_by_any_way_to_it(tmp_path, run):
    path = record.write(run, tmp_path)
    path.write_bytes(path.read_bytes()[:300])
    for read in (record.read_all, lambda folder: record.read(record.find(path.stem, folder))):
        with pytest.raises(UserError, match=rf"{path.name}: not a record .*delete the file"):
            read(tmp_path)
