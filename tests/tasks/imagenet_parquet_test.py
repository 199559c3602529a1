# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import concurrent.futures
import sys

import imagenet_made_files as made
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from perceiver_bench.tasks.imagenet import classes, layouts, parquet_files

from perceiver_bench import errors

LABELS = (7, 0, 999, 7, 388, 12, 12)


@pytest.fixture(scope="module")
def images():
    return made.validation_images(LABELS)


def write_table(folder, images, **columns):
    path = folder / "validation-00000-of-00001.parquet"
    pyarrow.parquet.write_table(made.hub_table(images, **columns), path)


def refused(data_dir, match):
    with pytest.raises(errors.UserError, match=match) as caught:
        layouts.open_images(data_dir, "validation")
    assert str(caught.value).isprintable()


def image_column(images, paths=None, contents=None):
    paths = [image.name for image in images] if paths is None else paths
    contents = [image.content for image in images] if contents is None else contents
    return pyarrow.StructArray.from_arrays(
        [pyarrow.array(contents, pyarrow.binary()), pyarrow.array(paths, pyarrow.string())],
        ["bytes", "path"],
    )


@pytest.mark.parametrize("place", ["data", "."])
@pytest.mark.parametrize(("num_shards", "rows"), [(1, 100), (1, 3), (3, 2), (7, 1), (9, 1)])
def test_rows_keep_their_order(tmp_path, images, place, num_shards, rows):
    made.write_parquet(tmp_path / place, "validation", images, num_shards, rows)
    made.write_parquet(tmp_path / place, "train", images[:2], 1)
    made.write_parquet(tmp_path / place, "test", images[:2], 1)
    opened = layouts.open_images(tmp_path, "validation")
    assert opened.labels.tolist() == list(LABELS)
    assert list(opened.names) == [
        image.name.replace(".JPEG", f"_{image.wnid}.JPEG") for image in images
    ]
    for i in (6, 0, 3, 3, 5, 1, 2, 4):
        assert opened.read(i) == images[i].content
    assert opened.sizes.tolist() == [-1] * len(images)


def test_an_older_copy_with_a_hash_in_its_names(tmp_path, images):
    made.write_parquet(tmp_path, "validation", images, 1)
    path = tmp_path / "validation-00000-of-00001.parquet"
    path.rename(tmp_path / "validation-00000-of-00001-719894d03223f7fe.parquet")
    assert layouts.open_images(tmp_path, "validation").labels.tolist() == list(LABELS)


def test_the_images_are_not_read_at_opening(tmp_path, images):
    """A file whose images are wiped out opens all the same."""
    made.write_parquet(tmp_path, "validation", images, 1)
    path = tmp_path / "validation-00000-of-00001.parquet"
    content = bytearray(path.read_bytes())
    metadata = pyarrow.parquet.read_metadata(path)
    for group in range(metadata.num_row_groups):
        column = metadata.row_group(group).column(0)
        assert column.path_in_schema == "image.bytes"
        start = column.dictionary_page_offset or column.data_page_offset
        content[start : start + column.total_compressed_size] = bytes(column.total_compressed_size)
    path.write_bytes(content)
    opened = layouts.open_images(tmp_path, "validation")
    assert opened.labels.tolist() == list(LABELS)
    with pytest.raises(errors.UserError, match="not a Parquet file that can be read"):
        opened.read(0)


def test_groups_are_kept_up_to_a_bound(tmp_path, monkeypatch):
    contents = [bytes([i]) * 1000 for i in range(20)]
    made.write_parquet(tmp_path, "validation", made.validation_images([5] * 20, contents), 2, 2)
    monkeypatch.setattr(parquet_files, "_MAX_KEPT_BYTES", 6000)
    groups = []
    read = parquet_files._Groups._read
    monkeypatch.setattr(
        parquet_files._Groups, "_read", lambda self, i: groups.append(i) or read(self, i)
    )
    opened = layouts.open_images(tmp_path, "validation")
    for i in range(20):
        assert opened.read(i) == contents[i]
    assert groups == [*range(10)]
    opened.read(15)  # groups 7, 8 and 9 are kept, and 7 becomes the last used
    opened.read(0)
    opened.read(14)
    assert groups == [*range(10), 0]
    opened.read(16)
    assert groups == [*range(10), 0, 8]
    assert opened.groups._num_bytes == 6000


def test_threads_read_a_group_once(tmp_path, monkeypatch):
    contents = [bytes([i]) * 1000 for i in range(64)]
    made.write_parquet(tmp_path, "validation", made.validation_images([5] * 64, contents), 2, 16)
    groups = []
    read = parquet_files._Groups._read
    monkeypatch.setattr(
        parquet_files._Groups, "_read", lambda self, i: groups.append(i) or read(self, i)
    )
    opened = layouts.open_images(tmp_path, "validation")
    order = np.random.default_rng(0).permutation(np.repeat(np.arange(64), 10)).tolist()
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert list(pool.map(opened.read, order)) == [contents[i] for i in order]
    assert sorted(groups) == [0, 1, 2, 3]


@pytest.mark.parametrize("missing", [0, 2, 4])
def test_a_missing_shard_is_named(tmp_path, images, missing):
    made.write_parquet(tmp_path / "data", "validation", images, 5)
    for number in {missing, 4}:
        (tmp_path / "data" / f"validation-{number:05}-of-00005.parquet").unlink()
    refused(tmp_path, f"data: validation-{missing:05}-of-00005.parquet is missing; download it")


def test_shards_of_two_copies_are_refused(tmp_path, images):
    made.write_parquet(tmp_path, "validation", images, 3)
    made.write_parquet(tmp_path, "validation", images, 2)
    refused(tmp_path, "remove those of another copy|is missing")
    made.write_parquet(tmp_path, "validation", images, 1)
    refused(tmp_path, "remove those of another copy|is missing")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([7, 0, 1000, 7, 388, 12, 12], "row 2: the label is 1000 and should be 0 to 999"),
        ([-1] * 7, "row 0: the label is -1 .*; the test split has no labels"),
        ([7, 0, None, 7, 388, 12, 12], "row 2: the label is None"),
        (
            [7, 0, 999, 8, 388, 12, 12],
            f"row 3: the label is 8, of {classes.WNIDS[8]}, and the name",
        ),
        ([float(label) for label in LABELS], "image .of bytes and path. and label .an integer."),
        ([str(label) for label in LABELS], "label .an integer. are due"),
        ([label > 7 for label in LABELS], "label .an integer. are due"),
    ],
    ids=["beyond", "test split", "none", "not of the name", "float", "text", "bool"],
)
def test_labels_that_are_no_classes_are_refused(tmp_path, images, labels, message):
    write_table(tmp_path, images, label=pyarrow.array(labels))
    refused(tmp_path, f"validation-00000-of-00001.parquet.*{message}")


def test_the_row_in_a_message_is_that_of_the_shard(tmp_path, images):
    table = made.hub_table(images, label=pyarrow.array([7, 0, 999, 7, 388, 12, 1000]))
    path = tmp_path / "validation-00000-of-00001.parquet"
    pyarrow.parquet.write_table(table, path, row_group_size=2)
    refused(tmp_path, "row 6: the label is 1000")


def test_names_are_made_where_there_are_none(tmp_path, images):
    paths = ["a.JPEG", None, "", "b.JPEG", "n/a.JPEG", "c", "d"]
    write_table(tmp_path, images, image=image_column(images, paths))
    names = list(layouts.open_images(tmp_path, "validation").names)
    shard = "validation-00000-of-00001.parquet"
    assert names == ["a.JPEG", f"{shard}:1", f"{shard}:2", *paths[3:]]


def test_a_name_that_is_there_twice_is_refused(tmp_path, images):
    paths = [image.name for image in images]
    paths[3] = paths[1]
    write_table(tmp_path, images, image=image_column(images, paths))
    refused(tmp_path, "1 names are there again, first 'ILSVRC2012_val_00000002.JPEG'")


def test_a_row_without_bytes_is_told(tmp_path, images):
    contents = [image.content for image in images]
    contents[2] = None
    write_table(tmp_path, images, image=image_column(images, contents=contents))
    opened = layouts.open_images(tmp_path, "validation")
    assert opened.read(3) == images[3].content
    with pytest.raises(errors.UserError, match=r"ILSVRC2012_val_00000003.JPEG has no bytes"):
        opened.read(2)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (pyarrow.array(["text"] * 7), "its columns are image, label"),
        (pyarrow.array([{"bytes": b"image"}] * 7), "its image has no path"),
        (pyarrow.array([{"bytes": "image", "path": "a"}] * 7), "its image has no bytes"),
    ],
    ids=["text", "no path", "text as bytes"],
)
def test_other_columns_are_refused(tmp_path, images, image, message):
    write_table(tmp_path, images, image=image)
    refused(tmp_path, message)


def test_a_table_without_rows(tmp_path):
    write_table(tmp_path, [])
    refused(tmp_path, "it has no images")


@pytest.mark.parametrize("cut", [0, 4, 100, -1, -100])
def test_a_file_cut_short_is_refused(tmp_path, images, cut):
    made.write_parquet(tmp_path, "validation", images, 2)
    path = tmp_path / "validation-00001-of-00002.parquet"
    path.write_bytes(path.read_bytes()[:cut])
    refused(tmp_path, "validation-00001-of-00002.parquet: not a Parquet file that can be read")


def test_a_group_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    """A thousand times the same megabyte is small in the file."""
    monkeypatch.setattr(parquet_files, "_MAX_GROUP_BYTES", 1 << 24)
    images = made.validation_images([5] * 300, [bytes(1 << 18)] * 300)
    write_table(tmp_path, images)
    assert (tmp_path / "validation-00000-of-00001.parquet").stat().st_size < 1 << 20
    opened = layouts.open_images(tmp_path, "validation")
    with pytest.raises(errors.UserError, match="row group 0 has more than 16,777,216 bytes"):
        opened.read(0)


def test_without_pyarrow(tmp_path, images, monkeypatch):
    made.write_parquet(tmp_path, "validation", images)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    refused(tmp_path, r"pip install 'perceiver-bench\[parquet\]'")
