# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import concurrent.futures
import hashlib
import json
import math
import os

import grain
import imagenet_made_files as made
import numpy as np
import pytest
from perceiver_bench.tasks.imagenet import layouts, shard_files, shards, source

from perceiver_bench import api, errors

LABELS = [5, 5, 17, 400, 999, 0, 17]
CONFIG = api.ImageData(size=(32, 32))


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch):
    monkeypatch.setattr(shards, "SHARD_BYTES", 30_000)


def write(folder, seed):
    """Images in `folder/data`, and their shards in `folder/shards`."""
    contents = made.pictures(len(LABELS), seed, size=(120, 160))
    images = made.validation_images(LABELS, contents)
    made.write_class_folders(folder / "data/val", images)
    shards.prepare(CONFIG, folder / "data", folder / "shards")
    return folder / "shards"


@pytest.fixture
def written(tmp_path):
    return write(tmp_path, 0)


def opened(folder):
    return source.open_source(CONFIG, folder, "validation")


def test_grain_reads_the_shards_and_records_tell_what_they_are(written):
    paths = sorted(str(path) for path in written.glob("validation-*.array_record"))
    files = layouts.open_images(written.parent / "data", "validation")
    records = grain.sources.ArrayRecordDataSource(paths)
    assert len(records) == len(LABELS)
    for index in range(len(LABELS)):
        record = records[index]
        length = int.from_bytes(record[:4], "big")
        about = {"name": files.names[index], "label": int(files.labels[index])}
        assert json.loads(record[4 : 4 + length]) == about
        assert record[4 + length :] == files.read(index)


def test_threads_may_read_at_the_same_time(written):
    files = shard_files.ShardFiles(written, "validation")
    due = [files.read(index) for index in range(len(LABELS))]
    order = np.random.default_rng(0).integers(0, len(LABELS), 2000).tolist()
    files = shard_files.ShardFiles(written, "validation")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert list(pool.map(files.read, order)) == [due[index] for index in order]


def first_shard(folder):
    return min(folder.glob("validation-*.array_record"))


def test_a_missing_shard_is_named(written):
    path = first_shard(written)
    path.unlink()
    with pytest.raises(errors.UserError, match=f"{path}: cannot be read: No such file"):
        opened(written)


@pytest.mark.parametrize("keep", [0, 1, 1000, 70_000, -1])
def test_a_truncated_shard_is_named(written, keep):
    path = first_shard(written)
    os.truncate(path, keep if keep >= 0 else path.stat().st_size + keep)
    with pytest.raises(errors.UserError, match=rf"{path}: .* bytes, and shards.json has .*; copy"):
        opened(written)


def change_manifest(folder, change):
    path = folder / "shards.json"
    manifest = json.loads(path.read_text())
    change(manifest["splits"]["validation"])
    path.write_text(json.dumps(manifest))


@pytest.mark.parametrize("content", [b"", b"PNG" * 50_000])
def test_a_file_that_is_no_shard_is_named(written, content):
    path = first_shard(written)
    path.write_bytes(content)
    change_manifest(written, lambda entry: entry["shards"][0].update(bytes=len(content)))
    with pytest.raises(errors.UserError, match=f"{path}: damaged, no ArrayRecord file"):
        opened(written)


def test_damage_inside_a_shard_is_named_when_it_is_read(written):
    files = shard_files.ShardFiles(written, "validation")
    content = bytearray(first_shard(written).read_bytes())
    place = content.index(files.read(1)) + 4000
    content[place] ^= 1
    first_shard(written).write_bytes(content)
    images = opened(written)
    assert images[0]["label"] == int(files.labels[0])
    with pytest.raises(errors.UserError) as caught:
        images[1]
    assert str(caught.value).startswith(f"{first_shard(written)}: damaged, {files.names[1]} cannot")
    assert "\n" not in str(caught.value)


def test_any_changed_byte_is_a_fault_or_changes_nothing(written):
    files = shard_files.ShardFiles(written, "validation")
    due = [files.read(index) for index in range(len(LABELS))]
    path = first_shard(written)
    content = path.read_bytes()
    generator = np.random.default_rng(0)
    faults = []
    for place in generator.integers(0, len(content), 40):
        changed = bytearray(content)
        changed[place] ^= int(generator.integers(1, 256))
        path.write_bytes(changed)
        try:
            files = shard_files.ShardFiles(written, "validation")
            assert [files.read(index) for index in range(len(LABELS))] == due
        except errors.UserError as error:
            faults.append(str(error))
    assert faults
    assert all(str(path) in fault for fault in faults)


def test_shards_of_another_set_are_no_shards_of_this_one(written, tmp_path):
    others = write(tmp_path / "others", 8)
    entry = shard_files.read_manifest(others)["validation"]
    change_manifest(written, lambda own: own.update(shards=entry["shards"]))
    for path in written.glob("validation-*.array_record"):
        path.unlink()
    for path in others.glob("validation-*.array_record"):
        path.rename(written / path.name)
    with pytest.raises(
        errors.UserError, match=r"validation-0.*: another image stands in the place"
    ):
        shard_files.ShardFiles(written, "validation").read(0)


def test_exchanged_shards_are_noticed(written):
    first, last = first_shard(written), max(written.glob("validation-*.array_record"))
    counts = [shard_files.count_records(path) for path in (first, last)]
    contents = first.read_bytes(), last.read_bytes()
    last.write_bytes(contents[0])
    first.write_bytes(contents[1])

    def exchange(entry):
        entry["shards"][0]["bytes"], entry["shards"][-1]["bytes"] = map(len, reversed(contents))

    change_manifest(written, exchange)
    assert counts[0] != counts[1]
    with pytest.raises(
        errors.UserError, match=f"{counts[1]} images, and shards.json has {counts[0]}"
    ):
        opened(written)


HUGE = 10**30
WRONG_ENTRIES = {
    "is no list": lambda entry: entry.update(shards={"a": 1}),
    "has no shards": lambda entry: entry.update(shards=[]),
    "has a path": lambda entry: entry["shards"][0].update(path="/etc/passwd"),
    "has a path for a shard": lambda entry: entry.update(shards=["../../etc/passwd"]),
    "counts with a huge number": lambda entry: entry["shards"][0].update(num_examples=HUGE),
    "counts with a negative number": lambda entry: entry["shards"][0].update(num_examples=-1),
    "counts with a fraction": lambda entry: entry["shards"][0].update(num_examples=2.0),
    "counts with a boolean": lambda entry: entry["shards"][0].update(num_examples=True),
    "counts nothing": lambda entry: entry["shards"][0].update(num_examples=0),
    "has huge bytes": lambda entry: entry["shards"][0].update(bytes=HUGE),
    "lacks a shard": lambda entry: entry["shards"].pop(),
    "has a shard too many": lambda entry: entry["shards"].append(entry["shards"][0]),
    "has other facts": lambda entry: entry["facts"].update(accuracy=1.0),
    "has a nested digest": lambda entry: entry["facts"].update(sha256={"sha256": "0" * 64}),
    "lacks a fact": lambda entry: entry["facts"].pop("sha256"),
    "has no digest": lambda entry: entry["facts"].update(sha256="../../x"),
    "has another number": lambda entry: entry["facts"].update(num_examples=8),
    "has NaN": lambda entry: entry["facts"].update(num_classes=math.nan),
    "skipped a number": lambda entry: entry["facts"].update(skipped=[1]),
    "skipped a huge number": lambda entry: entry["facts"].update(num_skipped=HUGE),
    "skipped unnamed ones": lambda entry: entry["facts"].update(num_examples=9, num_skipped=2),
    "skipped lines": lambda entry: entry["facts"].update(skipped=["a\nb"]),
    "has facts in a list": lambda entry: entry.update(facts=[]),
    "lacks the index": lambda entry: entry.pop("index_sha256"),
    "has the index as a number": lambda entry: entry.update(index_sha256=1),
}


@pytest.mark.parametrize("kind", WRONG_ENTRIES)
def test_a_manifest_that_is_not_as_it_was_written_is_refused(written, kind):
    change_manifest(written, WRONG_ENTRIES[kind])
    with pytest.raises(errors.UserError) as caught:
        opened(written)
    assert str(written / "shards.json") in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x89PNG",
        b"[]",
        b"{}",
        b'{"version": 2, "splits": {}}',
        b'{"version": 1}',
        b"[" * 10**5,
        b'{"version": 1, "splits": {"validation": []}}',
        b'{"version": 1, "splits": 5}',
    ],
)
def test_another_manifest_is_refused(written, content):
    (written / "shards.json").write_bytes(content)
    with pytest.raises(errors.UserError, match=r"shards.json: "):
        opened(written)


def test_a_huge_manifest_or_index_is_not_read(written):
    os.truncate(written / "validation-index.json", 1 << 40)
    with pytest.raises(errors.UserError, match=r"index.json: 1,099,511,627,776 bytes are too many"):
        opened(written)
    os.truncate(written / "shards.json", 1 << 40)
    with pytest.raises(
        errors.UserError, match=r"shards.json: 1,099,511,627,776 bytes are too many"
    ):
        opened(written)


def change_index(folder, change, *, sign=True):
    path = folder / "validation-index.json"
    index = json.loads(path.read_text())
    change(index)
    content = json.dumps(index).encode()
    path.write_bytes(content)
    if sign:
        digest = hashlib.sha256(content).hexdigest()
        change_manifest(folder, lambda entry: entry.update(index_sha256=digest))


WRONG_INDICES = {
    "lacks names": lambda index: index.pop("names"),
    "lacks a name": lambda index: index["names"].pop(),
    "has a name twice": lambda index: index["names"].__setitem__(1, index["names"][0]),
    "has a number for a name": lambda index: index["names"].__setitem__(1, 5),
    "has a newline in a name": lambda index: index["names"].__setitem__(1, "a\nb"),
    "has a label too large": lambda index: index["labels"].__setitem__(1, 1000),
    "has a negative label": lambda index: index["labels"].__setitem__(1, -1),
    "has a boolean label": lambda index: index["labels"].__setitem__(1, True),
    "has a huge size": lambda index: index["sizes"].__setitem__(1, HUGE),
    "has a text for sizes": lambda index: index.update(sizes="1234567"),
}


@pytest.mark.parametrize("kind", WRONG_INDICES)
def test_an_index_that_is_not_as_it_was_written_is_refused(written, kind):
    change_index(written, WRONG_INDICES[kind])
    with pytest.raises(errors.UserError, match=r"validation-index.json: "):
        opened(written)


def test_a_changed_index_is_refused(written):
    change_index(written, lambda index: index["labels"].reverse(), sign=False)
    with pytest.raises(
        errors.UserError, match=r"validation-index.json: not the one that shards.json"
    ):
        opened(written)


def test_other_labels_than_the_records_are_refused(written):
    change_index(written, lambda index: index["labels"].__setitem__(0, 1))
    with pytest.raises(errors.UserError, match="another image stands in the place of"):
        opened(written)[0]
