# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The files of CIFAR-10 with few images, in every form in which they are found."""

import io
import pickle
import struct
import tarfile

import numpy as np
from perceiver_bench.tasks.imagenet import cifar_files

BATCHES = [*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]
SIZE = 12


def images_of(batch):
    """Returns the pixels [12, 32, 32, 3] and the labels of a batch, each batch its own."""
    rng = np.random.default_rng(BATCHES.index(batch))
    images = rng.integers(0, 256, (SIZE, 32, 32, 3), np.uint8)
    return images, [int(n) for n in rng.permutation(SIZE) % 10]


def rows_of(images):
    """Returns [n, 3072], written out pixel by pixel: three planes, each row by row."""
    rows = np.zeros((len(images), 3072), np.uint8)
    for channel in range(3):
        for y in range(32):
            for x in range(32):
                rows[:, channel * 1024 + y * 32 + x] = images[:, y, x, channel]
    return rows


def binary(batch):
    images, labels = images_of(batch)
    pairs = zip(labels, rows_of(images), strict=True)
    return b"".join(bytes([label]) + row.tobytes() for label, row in pairs)


def text(value):
    """A string as Python 2 pickles it."""
    value = value.encode() if isinstance(value, str) else value
    if len(value) < 256:
        return b"U" + bytes([len(value)]) + value
    return b"T" + struct.pack("<i", len(value)) + value


def number(value):
    return b"K" + bytes([value]) if value < 256 else b"M" + struct.pack("<H", value)


def listed(items):
    return b"]q\x04(" + b"".join(items) + b"e"


def python2(batch, rows=None, labels=None):
    """The opcodes that cPickle of Python 2.6 writes for a batch, as in the official files."""
    images, its_labels = images_of(batch)
    rows = rows_of(images) if rows is None else rows
    labels = its_labels if labels is None else labels
    array = b"cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08"
    array += b"K\x00\x85U\x01b\x87Rq\t"
    array += b"(K\x01" + number(rows.shape[0]) + number(rows.shape[1]) + b"\x86"
    array += b"cnumpy\ndtype\nq\nU\x02u1K\x00K\x01\x87Rq\x0b"
    array += b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
    array += text(rows.tobytes()) + b"tb"
    names = listed(text(f"a picture_s_{n:06}.png") for n in range(len(labels)))
    parts = {"batch_label": text("training batch 1 of 5"), "labels": listed(map(number, labels))}
    parts |= {"data": array, "filenames": names}
    return b"\x80\x02}q\x01(" + b"".join(text(key) + part for key, part in parts.items()) + b"u."


def python3(protocol, key=str.encode):
    """Writes a batch as Python 3 pickles it."""

    def write(batch):
        images, labels = images_of(batch)
        return pickle.dumps({key("data"): rows_of(images), key("labels"): labels}, protocol)

    return write


BINARY_NAMES = ("\n".join(cifar_files.NAMES) + "\n\n").encode()
PYTHON_NAMES = b"".join(
    (
        b"\x80\x02}q\x01(",
        *(text("num_cases_per_batch"), number(10_000)),
        *(text("label_names"), listed(map(text, cifar_files.NAMES))),
        *(text("num_vis"), number(3072)),
        b"u.",
    )
)
FORMS = {
    "binary": ("cifar-10-batches-bin", ".bin", binary),
    "python 2": ("cifar-10-batches-py", "", python2),
    "python 3, protocol 2": ("cifar-10-batches-py", "", python3(2)),
    "python 3, protocol 4": ("cifar-10-batches-py", "", python3(4)),
    "python 3, text as keys": ("cifar-10-batches-py", "", python3(5, key=str)),
}
ARCHIVES = {
    "cifar-10-batches-bin": "cifar-10-binary.tar.gz",
    "cifar-10-batches-py": "cifar-10-python.tar.gz",
}


def files_of(form):
    """Returns the contents of all files of a version, by name."""
    _, suffix, write = FORMS[form]
    files = {batch + suffix: write(batch) for batch in BATCHES}
    if form == "binary":
        return files | {"batches.meta.txt": BINARY_NAMES, "readme.html": b"<html>"}
    return files | {"batches.meta": PYTHON_NAMES, "readme.html": b"<html>"}


def write_folder(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def write_archive(path, folder, files):
    with tarfile.open(path, "w:gz") as archive:
        directory = tarfile.TarInfo(folder)
        directory.type = tarfile.DIRTYPE
        archive.addfile(directory)
        for name, content in files.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def write(data_dir, form, place):
    folder = FORMS[form][0]
    if place == "archive":
        write_archive(data_dir / ARCHIVES[folder], folder, files_of(form))
    else:
        write_folder(data_dir if place == "itself" else data_dir / folder, files_of(form))
