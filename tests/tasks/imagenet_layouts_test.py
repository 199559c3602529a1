# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The same images through every layout; and class folders and flat files by themselves."""

import concurrent.futures
import os
import pickle
import re

import imagenet_made_files as made
import numpy as np
import pytest
from perceiver_bench.tasks.imagenet import classes, files, layouts

from perceiver_bench import errors

LABELS = (7, 0, 999, 7, 388, 7, 500, 0)
# Published for single images of the validation set and by the makers of other tools.
KNOWN_LABELS = {
    "n01440764": 0,
    "n01622779": 24,
    "n01735189": 57,
    "n01751748": 65,
    "n02105412": 227,
    "n02105855": 230,
    "n02119789": 278,
    "n02123045": 281,
    "n02346627": 334,
    "n03125729": 516,
    "n03891332": 704,
    "n04263257": 809,
    "n07742313": 948,
    "n09193705": 970,
    "n15075141": 999,
}


def validation_layouts(root, images):
    """Writes the images in every layout; returns the folders by the name of the layout."""
    folders = {name: root / name for name in ("folders", "flat", "tar", "parquet")}
    for folder in folders.values():
        folder.mkdir()
    made.write_class_folders(folders["folders"] / "val", images)
    made.write_flat(folders["flat"] / "val", images)
    made.write_devkit(folders["flat"], images)
    (folders["tar"] / "ILSVRC2012_img_val.tar").write_bytes(made.validation_tar(images))
    made.write_devkit(folders["tar"], images, packed=True)
    made.write_parquet(folders["parquet"] / "data", "validation", images)
    return folders


def training_layouts(root, images):
    folders = {name: root / name for name in ("folders", "tar", "parquet")}
    for folder in folders.values():
        folder.mkdir()
    made.write_class_folders(folders["folders"] / "train", images)
    (folders["tar"] / "ILSVRC2012_img_train.tar").write_bytes(made.training_tar(images))
    made.write_parquet(folders["parquet"] / "data", "train", images)
    return folders


def stem(name):
    """The name without folders, suffix and the wnid that the Hugging Face copy adds."""
    return re.sub(r"(_n\d{8})?\.JPEG$", "", name.rpartition("/")[2])


def contents(opened):
    """Name, label and content of every file."""
    return {
        stem(name): (int(opened.labels[i]), opened.read(i)) for i, name in enumerate(opened.names)
    }


def test_labels_are_places_among_the_sorted_wnids():
    assert len(classes.WNIDS) == len({name.lower() for name in classes.NAMES}) == 1000
    assert list(classes.WNIDS) == sorted(set(classes.WNIDS))
    assert {wnid: classes.label_of(wnid) for wnid in KNOWN_LABELS} == KNOWN_LABELS
    assert classes.NAMES[0] == "tench"
    assert classes.NAMES[999] == "toilet tissue"


@pytest.mark.parametrize(
    ("wnid", "message"),
    [
        ("cats", "cats is no wnid: n and eight digits"),
        ("n0144076", "is no wnid"),
        ("n01440764 ", "is no wnid"),
        ("n０1440764", "is no wnid"),  # noqa: RUF001
        ("bad\nname", r"'bad\\nname' is no wnid"),
        ("n00004475", "n00004475 is none of ImageNet's 1,000 classes"),
    ],
    ids=["text", "short", "space", "wide digit", "line break", "other class"],
)
def test_what_is_no_class_is_refused(wnid, message):
    with pytest.raises(errors.UserError, match=message):
        classes.label_of(wnid)


@pytest.mark.parametrize("layout", ["folders", "flat", "tar", "parquet"])
def test_validation_is_the_same_in_every_layout(tmp_path, layout):
    images = made.validation_images(LABELS)
    data_dir = validation_layouts(tmp_path, images)[layout]
    opened = layouts.open_images(data_dir, "validation")
    assert opened.layout == layout
    assert opened.official_num_examples == 50_000
    assert opened.labels.dtype == np.int32
    assert opened.sizes.dtype == np.int64
    expected = {
        stem(image.name): (label, image.content)
        for image, label in zip(images, LABELS, strict=True)
    }
    assert contents(opened) == expected
    sizes = [len(opened.read(i)) if layout != "parquet" else -1 for i in range(len(LABELS))]
    assert opened.sizes.tolist() == sizes


@pytest.mark.parametrize("layout", ["folders", "tar", "parquet"])
def test_training_is_the_same_in_every_layout(tmp_path, layout):
    images = made.training_images(LABELS)
    opened = layouts.open_images(training_layouts(tmp_path, images)[layout], "train")
    assert opened.layout == layout
    assert opened.official_num_examples == 1_281_167
    assert contents(opened) == {
        stem(image.name): (label, image.content)
        for image, label in zip(images, LABELS, strict=True)
    }
    if layout != "parquet":
        assert list(opened.names) == sorted(f"{image.wnid}/{image.name}" for image in images)


def test_the_first_layout_in_the_order_is_read(tmp_path):
    images = made.validation_images(LABELS)
    made.write_parquet(tmp_path, "validation", images)
    assert layouts.open_images(tmp_path, "validation").layout == "parquet"
    (tmp_path / "ILSVRC2012_img_val.tar").write_bytes(made.validation_tar(images))
    made.write_devkit(tmp_path, images)
    assert layouts.open_images(tmp_path, "validation").layout == "tar"
    made.write_flat(tmp_path, images)
    assert layouts.open_images(tmp_path, "validation").layout == "flat"
    made.write_class_folders(tmp_path / "validation", images)
    assert layouts.open_images(tmp_path, "validation").layout == "folders"


@pytest.mark.parametrize("layout", ["folders", "flat", "tar", "parquet"])
def test_threads_and_copies_read_the_same(tmp_path, layout):
    images = made.validation_images(LABELS)
    opened = layouts.open_images(validation_layouts(tmp_path, images)[layout], "validation")
    expected = [opened.read(i) for i in range(len(LABELS))]
    copy = pickle.loads(pickle.dumps(opened))
    order = np.random.default_rng(0).integers(0, len(LABELS), 400).tolist()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert list(pool.map(copy.read, order)) == [expected[i] for i in order]


def test_nothing_is_found(tmp_path):
    with pytest.raises(errors.UserError, match=r"no images; it should hold train/n01440764/"):
        layouts.open_images(tmp_path, "train")
    with pytest.raises(errors.UserError, match=r"no such folder; it should hold val/n01440764/"):
        layouts.open_images(tmp_path / "none", "validation")
    with pytest.raises(errors.UserError, match="'val' is none of train, validation"):
        layouts.open_images(tmp_path, "val")


def test_names_of_folders_that_are_no_wnids_are_counted(tmp_path):
    made.write_class_folders(tmp_path / "val", made.validation_images(LABELS))
    for name in ("dogs", "cats", "n00004475", "birds"):
        (tmp_path / "val" / name).mkdir()
    with pytest.raises(errors.UserError, match=r"val/birds and 2 more are no wnid"):
        layouts.open_images(tmp_path, "validation")
    for name in ("dogs", "cats", "birds"):
        (tmp_path / "val" / name).rmdir()
    with pytest.raises(errors.UserError, match=r"val/n00004475 is none of ImageNet's 1,000"):
        layouts.open_images(tmp_path, "validation")


def test_only_names_of_images_are_listed(tmp_path):
    folder = tmp_path / "val" / "n01440764"
    folder.mkdir(parents=True)
    kept = ["a.JPEG", "b.jpg", "c.Jpeg", "d.PNG", "e.JPG"]
    for name in [*kept, ".DS_Store", "Thumbs.db", "notes.txt", "._a.JPEG", "JPEG", ".jpg"]:
        (folder / name).write_bytes(b"text")
    (tmp_path / "val" / ".ipynb_checkpoints").mkdir()
    (tmp_path / "val" / "list.txt").touch()
    opened = layouts.open_images(tmp_path, "validation")
    assert list(opened.names) == [f"n01440764/{name}" for name in kept]
    assert opened.read(0) == b"text"


def test_a_class_of_no_images_leaves_the_labels_right(tmp_path):
    made.write_class_folders(tmp_path / "val", made.validation_images([3, 5]))
    (tmp_path / "val" / classes.WNIDS[4]).mkdir()
    assert layouts.open_images(tmp_path, "validation").labels.tolist() == [3, 5]


def test_folders_of_classes_without_images(tmp_path):
    (tmp_path / "train" / "n01440764").mkdir(parents=True)
    with pytest.raises(errors.UserError, match="train: it has no images"):
        layouts.open_images(tmp_path, "train")


def test_a_sorting_that_was_stopped_is_told(tmp_path):
    images = made.validation_images(LABELS)
    made.write_class_folders(tmp_path / "val", images[:5])
    made.write_flat(tmp_path / "val", images[5:])
    made.write_devkit(tmp_path, images)
    with pytest.raises(errors.UserError, match=r"3 images, such as 'ILSVRC2012_val_00000006.JPEG'"):
        layouts.open_images(tmp_path, "validation")


def test_broken_links_are_told_and_links_are_read(tmp_path):
    folder = tmp_path / "val" / "n01440764"
    folder.mkdir(parents=True)
    (tmp_path / "elsewhere").write_bytes(b"12345")
    (folder / "a.JPEG").symlink_to(tmp_path / "elsewhere")
    opened = layouts.open_images(tmp_path, "validation")
    assert (opened.sizes.tolist(), opened.read(0)) == ([5], b"12345")
    (tmp_path / "elsewhere").unlink()
    with pytest.raises(errors.UserError, match=r"a\.JPEG: cannot be read: No such file"):
        opened.read(0)
    with pytest.raises(errors.UserError, match=r"a\.JPEG': no file, or a broken link"):
        layouts.open_images(tmp_path, "validation")


def test_a_huge_file_is_not_read(tmp_path):
    folder = tmp_path / "val" / "n01440764"
    folder.mkdir(parents=True)
    with (folder / "a.JPEG").open("wb") as file:
        file.truncate(1 << 40)
    opened = layouts.open_images(tmp_path, "validation")
    assert opened.sizes.tolist() == [1 << 40]
    with pytest.raises(errors.UserError, match=r"a.JPEG: 1,099,511,627,776 bytes"):
        opened.read(0)


@pytest.mark.parametrize("name", [b"a\nb.JPEG", b"a\xff.JPEG"], ids=["line break", "not UTF-8"])
def test_names_that_cannot_be_printed(tmp_path, name):
    folder = tmp_path / "val" / "n01440764"
    folder.mkdir(parents=True)
    with open(os.path.join(os.fsencode(folder), name), "wb"):
        pass
    with pytest.raises(errors.UserError, match="no name that can be printed") as caught:
        layouts.open_images(tmp_path, "validation")
    assert str(caught.value).isprintable()


def test_the_same_name_twice(tmp_path):
    labels, sizes = np.zeros(3, np.int32), np.ones(3, np.int64)
    names = ["a.JPEG", "b.JPEG", "a.JPEG"]
    with pytest.raises(errors.UserError, match=r"1 names are there again, first 'a\.JPEG'"):
        files.FolderFiles(tmp_path, names, labels, sizes, "folders", None)


def test_the_real_images(shared):
    data_dir = shared / "data" / "imagenet"
    if not data_dir.is_dir():
        pytest.skip(f"needs the images in {data_dir}")
    opened = layouts.open_images(data_dir, "validation")
    assert len(opened.names) == 100
    for i, name in enumerate(opened.names):
        path = data_dir / "val" / name
        assert opened.read(i) == path.read_bytes()
        assert opened.sizes[i] == path.stat().st_size
        # The files are named by class: n01484850/n01484850_great_white_shark.JPEG.
        word = path.stem.partition("_")[2].replace("_", " ")
        assert classes.NAMES[opened.labels[i]] == word
        assert classes.WNIDS[opened.labels[i]] == path.parent.name
