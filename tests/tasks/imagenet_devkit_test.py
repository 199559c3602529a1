# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import gzip
import io
import tarfile

import hypothesis
import imagenet_made_files as made
import numpy as np
import pytest
import scipy.io
from hypothesis import strategies as st
from perceiver_bench.tasks.imagenet import classes, devkit, layouts

from perceiver_bench import errors

LABELS = (7, 0, 999, 7, 388)


@pytest.fixture(scope="module")
def images():
    return made.validation_images(LABELS)


def flat(folder, images, **options):
    made.write_flat(folder / "val", images)
    made.write_devkit(folder, images, **options)
    return folder


def refused(data_dir, match):
    with pytest.raises(errors.UserError, match=match) as caught:
        layouts.open_images(data_dir, "validation")
    assert "\n" not in str(caught.value)


def test_the_order_of_the_devkit_is_not_that_of_the_labels(tmp_path):
    numbers = made.devkit_numbers()
    assert [numbers[wnid] for wnid in classes.WNIDS] != [*range(1, 1001)]
    every = made.validation_images(range(1000), [b"content"] * 1000)
    labels = layouts.open_images(flat(tmp_path, every), "validation").labels
    assert labels.tolist() == [*range(1000)]


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "archive"])
@pytest.mark.parametrize("place", ["val", "ILSVRC2012_img_val", "."])
def test_the_flat_images_are_found(tmp_path, images, packed, place):
    made.write_flat(tmp_path / place, images)
    made.write_devkit(tmp_path, images, packed=packed)
    opened = layouts.open_images(tmp_path, "validation")
    assert opened.layout == "flat"
    assert list(opened.names) == [image.name for image in images]
    assert opened.labels.tolist() == list(LABELS)
    assert opened.read(4) == images[4].content


def test_labels_follow_the_number_and_not_the_place(tmp_path, images):
    flat(tmp_path, images)
    (tmp_path / "val" / images[1].name).unlink()
    assert layouts.open_images(tmp_path, "validation").labels.tolist() == [7, 999, 7, 388]


def test_an_uncompressed_table_of_another_order_and_fewer_fields(tmp_path, images):
    table = np.empty(1003, [("num_children", object), ("WNID", object), ("ILSVRC2012_ID", object)])
    numbers = made.devkit_numbers()
    rows = [(0, wnid, numbers[wnid]) for wnid in classes.WNIDS]
    table[:] = [(2, "n00001740", 1001), *rows, (2, "n00001741", 1002), (2, "n00001742", 1003)]
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, {"other": np.ones((4, 4)), "synsets": table})
    flat(tmp_path, images, table=buffer.getvalue())
    assert layouts.open_images(tmp_path, "validation").labels.tolist() == list(LABELS)


def test_lines_of_windows_are_read(tmp_path, images):
    flat(tmp_path, images, truth=made.ground_truth(images).replace(b"\n", b"\r\n"))
    assert layouts.open_images(tmp_path, "validation").labels.tolist() == list(LABELS)


def test_the_devkit_is_missing(tmp_path, images):
    made.write_flat(tmp_path / "val", images)
    refused(tmp_path, r"neither ILSVRC2012_devkit_t12/ nor .*\.tar\.gz, and .* have no labels")
    (tmp_path / "ILSVRC2012_devkit_t12" / "data").mkdir(parents=True)
    refused(tmp_path, r"data/meta.mat: it is missing; unpack ILSVRC2012_devkit_t12.tar.gz again")


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        (b"1\n2\n3\n4\n", "4 lines and none for ILSVRC2012_val_00000005.JPEG"),
        (b"1\n2\n0\n4\n5\n", "line 3: '0', and a class from 1 to 1,000 is due"),
        (b"1\n2\n3\n1001\n5\n", "line 4: '1001'"),
        (b"1\n2\n3\n4.0\n5\n", "line 4: '4.0'"),
        (b"1\n2\n3\n4\n-5\n", "line 5: '-5'"),
        (b"1\n\n3\n4\n5\n", "line 2: ''"),
        (b"1\n2\n3\n4\n\xff\n", "line 5"),
        (b"n01440764\n", "line 1: 'n01440764'"),
        (b"", "0 lines"),
        (b" " * (1 << 25), "more than 16,777,216 bytes"),
    ],
    ids=["short", "zero", "high", "float", "minus", "blank", "bytes", "wnid", "empty", "huge"],
)
def test_a_broken_ground_truth_is_refused(tmp_path, images, truth, message):
    refused(flat(tmp_path, images, truth=truth), f"ground_truth.txt.*{message}")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("holiday.jpg", "'holiday.jpg': no image of the validation set"),
        ("ILSVRC2012_val_1.JPEG", "no image of the validation set"),
        ("ILSVRC2012_test_00000001.JPEG", "no image of the validation set"),
        ("ILSVRC2012_val_00000001.png", "are one image"),
        ("ILSVRC2012_val_00000000.JPEG", "5 lines and none for ILSVRC2012_val_00000000"),
        ("ILSVRC2012_val_00000006.JPEG", "5 lines and none for ILSVRC2012_val_00000006"),
    ],
)
def test_names_without_a_line_are_refused(tmp_path, images, name, message):
    flat(tmp_path, images)
    (tmp_path / "val" / name).write_bytes(b"content")
    refused(tmp_path, message)


def changed_table(change):
    rows = [[float(n), wnid, 0.0] for wnid, n in made.devkit_numbers().items()]
    change(rows)
    table = np.empty(len(rows), [(f, object) for f in ("ILSVRC2012_ID", "WNID", "num_children")])
    table[:] = [tuple(row) for row in rows]
    return made.mat_of(table)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.pop(), "its 999 classes are not 1,000 with the numbers"),
        (lambda rows: rows[3].__setitem__(0, rows[4][0]), "its 1,000 classes are not"),
        (lambda rows: rows[3].__setitem__(1, rows[4][1]), "its 1,000 classes are not"),
        (lambda rows: rows[3].__setitem__(1, "n00004475"), "n00004475 is none of"),
        (lambda rows: rows[3].__setitem__(1, "tench"), "tench is no wnid"),
        (lambda rows: rows[3].__setitem__(2, "many"), "its 999 classes are not"),
        (lambda rows: rows[3].__setitem__(0, "one"), "its 1,000 classes are not"),
        (lambda rows: rows[3].__setitem__(0, 1.5), "its 1,000 classes are not"),
        (lambda rows: rows[3].__setitem__(1, 5.0), "5.0 is no wnid"),
    ],
    ids=[
        "missing",
        "number twice",
        "wnid twice",
        "other wnid",
        "no wnid",
        "text",
        "word",
        "part",
        "wnid",
    ],
)
def test_a_wrong_table_is_refused(tmp_path, images, change, message):
    refused(flat(tmp_path, images, table=changed_table(change)), f"meta.mat.*{message}")


@pytest.mark.parametrize(
    "table",
    [
        b"",
        b"no .mat file at all" * 20,
        made.synsets_table()[:-1000],
        made.synsets_table()[:140],
        made.mat_of(np.ones(3)),
        made.mat_of(np.ones(3), name="images"),
    ],
    ids=["empty", "text", "cut short", "header", "numbers", "other name"],
)
def test_a_table_that_cannot_be_read_is_refused(tmp_path, images, table):
    refused(flat(tmp_path, images, table=table), "meta.mat: no table of synsets .*again")


@hypothesis.settings(max_examples=30, deadline=None)
@hypothesis.given(st.lists(st.tuples(st.integers(0, 1 << 20), st.binary(max_size=4)), max_size=4))
def test_a_damaged_table_is_read_right_or_refused(changes):
    content = bytearray(made.synsets_table())
    for start, some in changes:
        start %= len(content)
        content[start : start + len(some)] = some
    numbers = made.devkit_numbers()
    try:
        labels = devkit._labels_by_number(bytes(content), "devkit")
    except errors.UserError:
        return
    assert {classes.WNIDS[label]: i for i, label in enumerate(labels, 1)} == numbers


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no archive", "cannot be read"),
        (gzip.compress(made.tar_of({"readme.txt": b"text"})), "meta.mat.* not found"),
        (gzip.compress(bytes(1 << 27)), "unpacks to more than 67,108,864 bytes"),
    ],
    ids=["text", "other files", "too large"],
)
def test_a_broken_archive_is_refused(tmp_path, images, content, message):
    made.write_flat(tmp_path / "val", images)
    (tmp_path / "ILSVRC2012_devkit_t12.tar.gz").write_bytes(content)
    refused(tmp_path, message)


def test_an_archive_cut_short_or_with_links_is_refused(tmp_path, images):
    flat(tmp_path, images, packed=True)
    path = tmp_path / "ILSVRC2012_devkit_t12.tar.gz"
    path.write_bytes(path.read_bytes()[:-500])
    refused(tmp_path, "cannot be read .*; download it again")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        info = tarfile.TarInfo("ILSVRC2012_devkit_t12/data/meta.mat")
        info.type, info.linkname = tarfile.SYMTYPE, "meta.mat"
        tar.addfile(info)
    path.write_bytes(buffer.getvalue())
    refused(tmp_path, "meta.mat is no file")
