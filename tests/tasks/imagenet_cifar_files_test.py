# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import contextlib
import gzip
import os
import pickle
import tarfile

import numpy as np
import pytest
from cifar_made_files import (
    ARCHIVES,
    BATCHES,
    FORMS,
    PYTHON_NAMES,
    SIZE,
    binary,
    files_of,
    images_of,
    number,
    python2,
    rows_of,
    write,
    write_archive,
    write_folder,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from perceiver_bench.tasks.imagenet import cifar_files

from perceiver_bench import api
from perceiver_bench.commands import setup

CONFIG = api.ImageData(size=(32, 32))


def open_source(data_dir, split="train"):
    return cifar_files.open_source(CONFIG, data_dir, split)


def assert_refused(data_dir, match, split="train"):
    with pytest.raises(api.UserError, match=match) as error:
        open_source(data_dir, split)
    message = str(error.value)
    assert "\n" not in message
    assert len(message) < len(str(data_dir)) + 300


@pytest.mark.parametrize("place", ["itself", "folder", "archive"])
@pytest.mark.parametrize("form", FORMS)
def test_every_version_gives_the_same_images(form, place, tmp_path):
    write(tmp_path, form, place)
    for split, batches in (("train", BATCHES[:5]), ("test", BATCHES[5:])):
        source = open_source(tmp_path, split)
        assert len(source) == SIZE * len(batches)
        expected = [
            (f"{batch}/{index:04}", pixels, label)
            for batch in batches
            for index, (pixels, label) in enumerate(zip(*images_of(batch), strict=True))
        ]
        for example, (name, pixels, label) in zip(source, expected, strict=True):
            assert example["name"] == name
            assert example["pixels"].dtype == np.uint8
            np.testing.assert_array_equal(example["pixels"], pixels)
            assert type(example["label"]) is int
            assert example["label"] == label
            assert example["is_bad"] is False


def test_the_hand_made_pickle_is_one():
    batch = pickle.loads(python2("data_batch_1"), encoding="bytes")
    images, labels = images_of("data_batch_1")
    np.testing.assert_array_equal(batch[b"data"], rows_of(images))
    assert batch[b"labels"] == labels
    assert pickle.loads(PYTHON_NAMES)["label_names"] == list(cifar_files.NAMES)


def test_the_fingerprint_names_every_file(tmp_path):
    write(tmp_path, "binary", "folder")
    train, test = (open_source(tmp_path, split).fingerprint for split in ("train", "test"))
    assert (train["num_examples"], train["official_num_examples"]) == (60, 50_000)
    assert (test["num_examples"], test["official_num_examples"]) == (12, 10_000)
    assert list(train["files"]) == [f"{batch}.bin" for batch in BATCHES[:5]]
    assert test["label_counts"] == dict.fromkeys(cifar_files.NAMES, 1) | {
        "airplane": 2, "automobile": 2
    }  # fmt: skip
    (file,) = test["files"].values()
    assert file["bytes"] == 12 * 3073
    assert len(file["sha256"]) == 64


@pytest.mark.parametrize("place", ["folder", "archive"])
def test_training_images_are_not_held_out(place, tmp_path):
    files = files_of("binary")
    for name in ("apart", "alike"):
        write_to = tmp_path / name
        write_to.mkdir()
        folder = "cifar-10-batches-bin"
        if place == "archive":
            write_archive(write_to / ARCHIVES[folder], folder, files)
        else:
            write_folder(write_to / folder, files)
        files["test_batch.bin"] = files["data_batch_3.bin"]
    sources = [open_source(tmp_path / "apart", split) for split in ("train", "test")]
    setup.check_held_out(*sources)
    sources = [open_source(tmp_path / "alike", split) for split in ("train", "test")]
    with pytest.raises(api.UserError, match=r"test_batch\.bin .*data_batch_3\.bin"):
        setup.check_held_out(*sources)


def test_unpacked_and_binary_files_win(tmp_path):
    for form in ("python 2", "binary"):
        write(tmp_path, form, "archive")
    assert open_source(tmp_path).fingerprint["file"] == "cifar-10-batches-bin"
    write(tmp_path, "python 2", "folder")
    assert open_source(tmp_path).fingerprint["file"] == "cifar-10-batches-py"
    write(tmp_path, "binary", "folder")
    assert open_source(tmp_path).fingerprint["file"] == "cifar-10-batches-bin"


def test_pixels_cannot_be_changed(tmp_path):
    write(tmp_path, "binary", "folder")
    with pytest.raises(ValueError, match="read-only"):
        open_source(tmp_path)[0]["pixels"][0, 0, 0] = 1


def test_missing_files_are_named(tmp_path):
    assert_refused(tmp_path / "absent", "no such folder; it should hold cifar-10-batches-bin or")
    assert_refused(tmp_path, "no batches of CIFAR-10; it should hold cifar-10-batches-bin or")
    write(tmp_path, "binary", "folder")
    (tmp_path / "cifar-10-batches-bin/data_batch_4.bin").unlink()
    assert_refused(tmp_path, "-bin: it has no data_batch_4.bin; train takes data_batch_1 to")
    assert len(open_source(tmp_path, "test")) == SIZE
    (tmp_path / "cifar-10-batches-bin/test_batch.bin").unlink()
    assert_refused(tmp_path, "-bin: it has no test_batch.bin; test takes test_batch", "test")


def test_real_labels_are_refused(tmp_path):
    config = api.ImageData(size=(32, 32), real_labels="real.json")
    with pytest.raises(api.UserError, match=r"data\.real_labels=real\.json: they are of ImageNet"):
        cifar_files.open_source(config, tmp_path, "test")


BROKEN_BINARY = {
    "empty": (b"", "0 bytes are no records of 3,073 bytes"),
    "cut off": (binary("test_batch")[:-1], "36,875 bytes are no records"),
    "of CIFAR-100": (b"\0" * 3074 * 5, "15,370 bytes are no records"),
    "with a label of 10": (b"\x0a" + bytes(3072), "the label of image 0 is 10"),
    "with a label of 255": (bytes(3073) + b"\xff" + bytes(3072), "the label of image 1 is 255"),
}


@pytest.mark.parametrize("place", ["folder", "archive"])
@pytest.mark.parametrize("kind", BROKEN_BINARY)
def test_broken_binary_files_are_named(kind, place, tmp_path):
    content, match = BROKEN_BINARY[kind]
    files = files_of("binary") | {"test_batch.bin": content}
    folder = "cifar-10-batches-bin"
    if place == "archive":
        write_archive(tmp_path / ARCHIVES[folder], folder, files)
    else:
        write_folder(tmp_path / folder, files)
    assert_refused(tmp_path, rf"test_batch\.bin: .*{match}", "test")


class Call:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


ROWS = rows_of(images_of("test_batch")[0])
LABELS = images_of("test_batch")[1]
BROKEN_PYTHON = {
    "cut off": (python2("test_batch")[:-9], "not a pickle, or a damaged one"),
    "empty": (b"", "not a pickle"),
    "of another class": (pickle.dumps(Call(os.getpid)), r"it names 'posix\.getpid'"),
    "with a call among the labels": (
        pickle.dumps({"data": ROWS, "labels": [Call(os.system, "false")]}),
        r"it names 'posix\.system'",
    ),
    "a list": (pickle.dumps([1]), "no dict with 'data' and 'labels'"),
    "of CIFAR-100": (
        pickle.dumps({"data": ROWS, "fine_labels": LABELS}),
        "no dict with 'data' and 'labels'",
    ),
    "of floats": (
        pickle.dumps({"data": ROWS.astype(np.float32), "labels": LABELS}),
        "'data' is no array of uint8",
    ),
    "with images": (
        pickle.dumps({"data": ROWS.reshape(-1, 3, 32, 32), "labels": LABELS}),
        r"'data' has the shape \(12, 3, 32, 32\)",
    ),
    "with narrow rows": (python2("test_batch", ROWS[:, 1:]), r"'data' has the shape \(12, 3071\)"),
    "without rows": (python2("test_batch", ROWS[:0], []), r"'data' has the shape \(0, 3072\)"),
    "short of bytes": (
        python2("test_batch").replace(number(12) + number(3072), number(13) + number(3072)),
        "whose shape does not fit its bytes",
    ),
    "short of labels": (python2("test_batch", labels=LABELS[1:]), "'labels' is no list of 12"),
    "with a label of 10": (python2("test_batch", labels=[10] * 12), "label of image 0 is 10"),
    "with a label of text": (
        pickle.dumps({"data": ROWS, "labels": [*LABELS[:-1], "cat"]}),
        "label of image 11 is 'cat'",
    ),
    "with true as a label": (
        pickle.dumps({"data": ROWS, "labels": [*LABELS[:-1], True]}),
        "label of image 11 is True",
    ),
    "with a label below 0": (
        pickle.dumps({"data": ROWS, "labels": [*LABELS[:-1], -1]}),
        "label of image 11 is -1",
    ),
}


@pytest.mark.parametrize("kind", BROKEN_PYTHON)
def test_broken_pickles_are_named(kind, tmp_path):
    content, match = BROKEN_PYTHON[kind]
    write_folder(tmp_path, files_of("python 2") | {"test_batch": content})
    assert_refused(tmp_path, rf"test_batch: .*{match}", "test")


@pytest.mark.parametrize("form", ["binary", "python 2"])
def test_other_classes_are_refused(form, tmp_path):
    files = files_of(form)
    (name,) = (name for name in files if "meta" in name)
    files[name] = files[name].replace(b"ship", b"boat")
    write_folder(tmp_path, files)
    assert_refused(tmp_path, rf"{name}: its classes are \['airplane', .*in place of airplane, ")
    (tmp_path / name).unlink()
    assert len(open_source(tmp_path)) == 60


def test_a_batch_that_is_there_twice_is_refused(tmp_path):
    files = files_of("binary")
    files["data_batch_5.bin"] = files["data_batch_2.bin"]
    write_folder(tmp_path, files)
    assert_refused(tmp_path, r"data_batch_5\.bin: the same bytes as data_batch_2\.bin")


def test_large_files_are_refused_before_they_are_read(tmp_path, monkeypatch):
    write(tmp_path, "binary", "folder")
    path = tmp_path / "cifar-10-batches-bin" / "test_batch.bin"
    os.truncate(path, 1 << 36)
    assert_refused(tmp_path, r"test_batch\.bin: larger than any file of CIFAR-10", "test")
    monkeypatch.setattr(cifar_files, "_MAX_FILE_BYTES", 12 * 3073 - 1)
    packed = tmp_path / "packed"
    packed.mkdir()
    write(packed, "binary", "archive")
    assert_refused(packed, r"data_batch_1\.bin: larger than any file of CIFAR-10")


def test_damaged_archives_are_named(tmp_path, monkeypatch):
    write(tmp_path, "binary", "archive")
    path = tmp_path / "cifar-10-binary.tar.gz"
    whole = path.read_bytes()
    match = r"cifar-10-binary\.tar\.gz: damaged or cut off: "
    for content in (b"", b"<html>", whole[:-1], whole[: len(whole) // 2]):
        path.write_bytes(content)
        assert_refused(tmp_path, match)
    path.write_bytes(whole)
    monkeypatch.setattr(cifar_files, "_MAX_UNPACKED_BYTES", 6 * 12 * 3073)
    assert_refused(tmp_path, r"tar\.gz: it unpacks to more than CIFAR-10 has")


def test_links_of_an_archive_are_not_followed(tmp_path):
    (tmp_path / "secret").write_bytes(binary("test_batch"))
    with tarfile.open(tmp_path / "cifar-10-binary.tar.gz", "w:gz") as archive:
        link = tarfile.TarInfo("cifar-10-batches-bin/test_batch.bin")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path / "secret")
        archive.addfile(link)
    assert_refused(tmp_path, r"it has no test_batch\.bin", "test")


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """A folder with an archive, its bytes unpacked, and where each header begins."""
    folder = tmp_path_factory.mktemp("damaged")
    write(folder, "binary", "archive")
    path = folder / "cifar-10-binary.tar.gz"
    with tarfile.open(path) as tar:
        headers = [member.offset for member in tar]
    return path, gzip.decompress(path.read_bytes()), headers


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_random_damage_of_headers_gives_a_user_error_or_the_images(archive, data):
    path, whole, headers = archive
    content = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.sampled_from(headers))
        content[start + data.draw(st.integers(0, 511))] = data.draw(st.integers(0, 255))
        # With a right checksum, or else every damage is found by it.
        header = content[start : start + 148] + b" " * 8 + content[start + 156 : start + 512]
        content[start + 148 : start + 156] = b"%06o\0 " % sum(header)
    path.write_bytes(gzip.compress(bytes(content), 1))
    with contextlib.suppress(api.UserError):
        assert len(open_source(path.parent, "test")) == SIZE


def test_a_batch_of_the_official_size_is_read(tmp_path):
    rows = np.random.default_rng(0).integers(0, 256, (10_000, 3072), np.uint8)
    labels = [n % 10 for n in range(10_000)]
    write_folder(tmp_path, {"test_batch": python2("test_batch", rows, labels)})
    source = open_source(tmp_path, "test")
    assert len(source) == source.fingerprint["official_num_examples"] == 10_000
    np.testing.assert_array_equal(source[9_999]["pixels"][:, :, 2].ravel(), rows[-1, 2048:])
