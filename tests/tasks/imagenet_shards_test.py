# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0

import imagenet_made_files as made
import numpy as np
import pytest
from perceiver_bench.tasks.imagenet import checks, layouts, shard_files, shards, source

from perceiver_bench import api, errors

LABELS = [5, 5, 17, 400, 999, 0, 17]
PICTURES = made.pictures(len(LABELS), size=(120, 160))
DAMAGED = PICTURES[3][:5000] + PICTURES[3][-4200:]
LARGE_SHARDS = shards.SHARD_BYTES


def config(**changes):
    return api.ImageData(size=(32, 32), **changes)


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch):
    monkeypatch.setattr(shards, "SHARD_BYTES", 30_000)


def write_folders(data_dir, contents=PICTURES, splits=("train", "validation")):
    if "train" in splits:
        others = made.pictures(len(LABELS), seed=1, size=(120, 160))
        made.write_class_folders(data_dir / "train", made.training_images(LABELS, others))
    if "validation" in splits:
        images = made.validation_images(LABELS, contents)
        made.write_class_folders(data_dir / "val", images)
    return data_dir


@pytest.fixture
def folders(tmp_path):
    return write_folders(tmp_path / "folders")


@pytest.fixture
def written(folders, tmp_path):
    """Shards of both splits."""
    shards.prepare(config(), folders, tmp_path / "shards")
    return tmp_path / "shards"


def opened(data_dir, split="validation", **changes):
    return source.open_source(config(**changes), data_dir, split)


def left(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


@pytest.mark.parametrize("split", ["train", "validation"])
def test_shards_hold_the_very_files(folders, written, split):
    files, found = layouts.open_images(folders, split), shard_files.ShardFiles(written, split)
    assert found.names == list(files.names)
    np.testing.assert_array_equal(found.labels, files.labels)
    np.testing.assert_array_equal(found.sizes, files.sizes)
    assert found.labels.dtype == files.labels.dtype
    assert found.sizes.dtype == files.sizes.dtype
    assert found.official_num_examples == files.official_num_examples
    contents = [found.read(index) for index in range(len(LABELS))]
    assert contents == [files.read(index) for index in range(len(LABELS))]
    assert found.layout == "shards"


@pytest.mark.parametrize("split", ["train", "validation"])
def test_a_source_of_shards_is_that_of_the_files(folders, written, split):
    files, found = opened(folders, split), opened(written, split)
    for index in range(len(LABELS)):
        one, other = files[index], found[index]
        np.testing.assert_array_equal(one.pop("pixels"), other.pop("pixels"))
        assert one == other
    changed = {"layout": "shards", "file": f"{split} (shards)"}
    assert found.fingerprint == {**files.fingerprint, **changed}


def test_shards_are_named_and_filled_up_to_their_size(written):
    for split in ("train", "validation"):
        entry = shard_files.read_manifest(written)[split]
        sizes = shard_files.ShardFiles(written, split).sizes
        counts = [shard["num_examples"] for shard in entry["shards"]]
        assert sum(counts) == len(LABELS)
        assert len(counts) > 2
        ends = np.cumsum(counts)
        for start, end in zip(ends - counts, ends, strict=True):
            assert sizes[start : end - 1].sum() < 30_000  # the last one made it full
        for number, shard in enumerate(entry["shards"]):
            path = written / f"{split}-{number:05}-of-{len(counts):05}.array_record"
            assert path.stat().st_size == shard["bytes"]
    assert sum(name.endswith(".array_record") for name in left(written)) == len(left(written)) - 3
    assert LARGE_SHARDS == 256 * 2**20


def test_what_is_there_is_not_written_again(folders, written):
    before = {path: path.stat().st_mtime_ns for path in written.iterdir()}
    shards.prepare(config(), folders, written)
    assert {path: path.stat().st_mtime_ns for path in written.iterdir()} == before


def test_another_split_is_added(tmp_path):
    outputs = tmp_path / "shards"
    shards.prepare(config(), write_folders(tmp_path / "a", splits=["validation"]), outputs)
    with pytest.raises(errors.UserError, match="shards of validation, none of train"):
        opened(outputs, "train")
    before = opened(outputs).fingerprint
    shards.prepare(config(), write_folders(tmp_path / "b", splits=["train"]), outputs)
    assert opened(outputs).fingerprint == before
    assert len(opened(outputs, "train")) == len(LABELS)


@pytest.mark.parametrize("change", ["content", "name", "label"])
def test_shards_of_other_images_are_refused(written, tmp_path, change):
    before = {path: path.read_bytes() for path in written.iterdir()}
    others = write_folders(tmp_path / "others")
    path = next((others / "val").glob("*/*_00000003.JPEG"))
    if change == "content":
        path.write_bytes(made.pictures(1, seed=5)[0])
    elif change == "name":
        path.rename(path.with_name("ILSVRC2012_val_00000103.JPEG"))
    else:
        path.rename(next((others / "val").glob("*/*_00000001.JPEG")).parent / path.name)
    with pytest.raises(errors.UserError, match="shards of other validation images; name another"):
        shards.prepare(config(), others, written)
    assert {path: path.read_bytes() for path in written.iterdir()} == before


def test_a_data_folder_without_images_is_refused(tmp_path):
    (tmp_path / "data").mkdir()
    with pytest.raises(errors.UserError, match="no images; it should hold"):
        shards.prepare(config(), tmp_path / "data", tmp_path / "shards")
    with pytest.raises(errors.UserError, match="no such folder"):
        shards.prepare(config(), tmp_path / "nothing", tmp_path / "shards")
    assert left(tmp_path) == ["data"]


def test_a_broken_split_is_no_missing_one(folders, tmp_path):
    (folders / "train" / "my_class").mkdir()
    with pytest.raises(errors.UserError, match="my_class is no wnid"):
        shards.prepare(config(), folders, tmp_path / "shards")
    assert not left(tmp_path / "shards")


BAD = {
    "empty": (b"", "empty"),
    "cut short": (PICTURES[3][:3000], "cut short"),
    "a text": (b"not found\n" * 100, "neither JPEG nor PNG"),
    "a copy": (PICTURES[0], "a copy of"),
    "damaged in the middle": (DAMAGED, ""),
}


@pytest.mark.parametrize("layout", ["folders", "parquet"])
@pytest.mark.parametrize("kind", BAD)
def test_bad_files_are_refused_or_left_out(tmp_path, caplog, kind, layout):
    content, reason = BAD[kind]
    contents = [*PICTURES[:3], content, *PICTURES[4:]]
    data_dir, outputs = tmp_path / "data", tmp_path / "shards"
    if layout == "folders":
        write_folders(data_dir, contents)
    else:
        made.write_parquet(data_dir, "validation", made.validation_images(LABELS, contents))
    with pytest.raises(errors.UserError, match=f"1 of 7 .* is bad: .*{reason}.*--skip_bad=1$"):
        shards.prepare(config(), data_dir, outputs)
    assert not [name for name in left(outputs) if name.startswith((".", "validation"))]
    shards.prepare(config(skip_bad=1), data_dir, outputs)
    found = opened(outputs)
    assert "bad validation images that were left out of the shards: 1, such as" in caplog.text
    assert len(found) == len(LABELS) - 1
    assert not any(found[index]["is_bad"] for index in range(len(found)))
    given = opened(data_dir, skip_bad=1)
    skipped = [name for name in given.files.names if name not in found.files.names]
    assert len(skipped) == 1
    assert "_00000004" in skipped[0]
    facts = found.fingerprint
    assert facts["num_skipped"] == 1
    assert facts["skipped"] == skipped
    assert facts["num_examples"] == len(LABELS)
    for index in range(len(given)):
        given[index]
    if layout == "folders":
        changed = {"layout": "shards", "file": "validation (shards)"}
        assert facts == {**given.fingerprint, **changed}
        shards.prepare(config(skip_bad=1), data_dir, outputs)


def test_all_bad_files_are_named_at_once(tmp_path):
    second = DAMAGED + b"appended" + DAMAGED[-4200:]
    contents = [*PICTURES[:3], DAMAGED, second, *PICTURES[5:]]
    folders = write_folders(tmp_path / "data", contents, splits=["validation"])
    for skip_bad in (0, 1):
        with pytest.raises(errors.UserError, match=r"2 of 7 .*_00000004.*_00000005.*--skip_bad=2$"):
            shards.prepare(config(skip_bad=skip_bad), folders, tmp_path / "shards")
    assert left(tmp_path / "shards") == []


def test_copies_in_training_stay(tmp_path):
    images = made.training_images(LABELS, [*PICTURES[:6], PICTURES[0]])
    made.write_class_folders(tmp_path / "data/train", images)
    shards.prepare(config(), tmp_path / "data", tmp_path / "shards")
    found = opened(tmp_path / "shards", "train")
    assert len(found) == len(LABELS)
    assert found.fingerprint["num_copies"] == 1
    assert found.fingerprint["sha256"] == opened(tmp_path / "data", "train").fingerprint["sha256"]


def test_parquet_gives_the_shards_that_folders_give(written, tmp_path):
    made.write_parquet(tmp_path / "hub", "validation", made.validation_images(LABELS, PICTURES))
    shards.prepare(config(), tmp_path / "hub", tmp_path / "from_hub")
    facts, others = opened(tmp_path / "from_hub").fingerprint, opened(written).fingerprint
    assert facts["sha256"] == others["sha256"]
    shards.prepare(config(), tmp_path / "hub", tmp_path / "from_hub")


def test_an_interrupted_write_leaves_nothing(folders, tmp_path, monkeypatch):
    decode = checks.fault
    count = iter(range(100))

    def interrupted(content):
        if next(count) > 9:
            raise KeyboardInterrupt
        return decode(content)

    monkeypatch.setattr(checks, "fault", interrupted)
    with pytest.raises(KeyboardInterrupt):
        shards.prepare(config(), folders, tmp_path / "shards")
    monkeypatch.undo()
    names = left(tmp_path / "shards")
    assert not [name for name in names if name.startswith((".", "validation"))]
    shards.prepare(config(), folders, tmp_path / "shards")
    assert opened(tmp_path / "shards").fingerprint["num_examples"] == len(LABELS)


def test_files_of_the_same_names_are_not_replaced(folders, tmp_path):
    path = tmp_path / "shards" / "train-00000-of-00004.array_record"
    path.parent.mkdir()
    path.write_bytes(b"of another program")
    with pytest.raises(errors.UserError, match=r"train-00000-of-00004.array_record is there, and"):
        shards.prepare(config(), folders, tmp_path / "shards")
    assert path.read_bytes() == b"of another program"


def test_outputs_that_cannot_be_written_are_named(folders, tmp_path):
    (tmp_path / "file").write_text("")
    for outputs in (tmp_path / "file", tmp_path / "file/shards"):
        with pytest.raises(errors.UserError, match=f"--outputs={outputs}: cannot write there"):
            shards.prepare(config(), folders, outputs)


def test_records_that_do_not_arrive_are_a_fault(folders, tmp_path, monkeypatch):
    monkeypatch.setattr(shard_files, "count_records", lambda _: 1)
    with pytest.raises(errors.UserError, match=r"--outputs=.*: cannot write there: 1 of 3 records"):
        shards.prepare(config(), folders, tmp_path / "shards")
    assert left(tmp_path / "shards") == []


def test_a_list_of_real_images_is_written_and_read(shared, tmp_path):
    folder = shared / "data" / "imagenet"
    if not folder.is_dir():
        pytest.skip(f"needs the real images in {folder}")
    shards.prepare(config(), folder, tmp_path)
    files, found = opened(folder), opened(tmp_path)
    assert found.fingerprint["sha256"] == files.fingerprint["sha256"]
    for index in range(len(files)):
        assert found.files.read(index) == files.files.read(index)
