# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""ImageNet as it lies on disks, of made images: every layout in its true format.

Nothing of the package writes or reads here. The devkit's order of the classes is a scrambled
one, as the official order is none of the wnids'.
"""

import functools
import gzip
import io
import itertools
import json
import pathlib
import tarfile
from typing import NamedTuple

import numpy as np
import PIL.Image
import pyarrow
import pyarrow.parquet
import scipy.io
from perceiver_bench.tasks.imagenet import classes

DEVKIT = "ILSVRC2012_devkit_t12"
HUB_FEATURES = {
    "image": {"_type": "Image"},
    "label": {"names": list(classes.WNIDS), "_type": "ClassLabel"},
}


class Image(NamedTuple):
    """A file: its name without folders, its class and its content."""

    name: str
    wnid: str
    content: bytes


def encoded(pixels, kind="JPEG", **options):
    """What Pillow writes for an array."""
    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def pictures(count, seed=0, size=(20, 24)):
    """Encoded JPEGs of noise, each different."""
    generator = np.random.default_rng(seed)
    return [encoded(generator.integers(0, 256, (*size, 3), np.uint8)) for _ in range(count)]


def training_images(labels, contents=None):
    """A file for each label, named as in the training set."""
    contents = pictures(len(labels)) if contents is None else contents
    return [
        Image(f"{classes.WNIDS[label]}_{10 * i}.JPEG", classes.WNIDS[label], content)
        for i, (label, content) in enumerate(zip(labels, contents, strict=True))
    ]


def validation_images(labels, contents=None):
    """A file for each label, named as in the validation set."""
    contents = pictures(len(labels)) if contents is None else contents
    return [
        Image(f"ILSVRC2012_val_{i:08}.JPEG", classes.WNIDS[label], content)
        for i, (label, content) in enumerate(zip(labels, contents, strict=True), 1)
    ]


def write_class_folders(folder, images):
    """`<wnid>/<name>` in the folder."""
    for image in images:
        (folder / image.wnid).mkdir(parents=True, exist_ok=True)
        (folder / image.wnid / image.name).write_bytes(image.content)


def write_flat(folder, images):
    """All files in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for image in images:
        (folder / image.name).write_bytes(image.content)


@functools.cache
def devkit_numbers():
    """The ILSVRC2012_ID of each wnid, in a scrambled order."""
    numbers = np.random.default_rng(2012).permutation(len(classes.WNIDS)) + 1
    return dict(zip(classes.WNIDS, numbers.tolist(), strict=True))


@functools.cache
def synsets_table(num_synsets=1860):
    """The content of meta.mat: the classes by number, then what is above them."""
    wnids = sorted(devkit_numbers(), key=lambda wnid: devkit_numbers()[wnid])
    fields = (
        "ILSVRC2012_ID",
        "WNID",
        "words",
        "gloss",
        "num_children",
        "children",
        "wordnet_height",
        "num_train_images",
    )
    table = np.empty((num_synsets, 1), [(field, object) for field in fields])
    for i in range(num_synsets):
        number = float(i + 1)
        if i < len(wnids):
            name = classes.NAMES[classes.WNIDS.index(wnids[i])]
            row = (number, wnids[i], name, f"a {name}", 0.0, np.empty((0, 0)), 0.0, 1300.0)
        else:
            children = np.array([[1.0, 2.0, 3.0]])
            row = (number, f"n{90_000_000 + i}", "entity", "above", 3.0, children, 2.0, 0.0)
        table[i, 0] = row
    return mat_of(table)


def mat_of(table, name="synsets"):
    """A .mat file of version 5 with one array, packed as MATLAB packs it."""
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, {name: table}, do_compression=True)
    return buffer.getvalue()


def ground_truth(images):
    """The text with one ILSVRC2012_ID a line, in the order of the images' numbers."""
    ordered = sorted(images, key=lambda image: image.name)
    return "".join(f"{devkit_numbers()[image.wnid]}\n" for image in ordered).encode()


def write_devkit(data_dir, images, *, packed=False, table=None, truth=None):
    """The devkit that gives the images their classes, as a folder or as the .tar.gz."""
    contents = {
        f"{DEVKIT}/readme.txt": b"This is the documentation of the development kit.\n",
        f"{DEVKIT}/data/meta.mat": synsets_table() if table is None else table,
        f"{DEVKIT}/data/ILSVRC2012_validation_ground_truth.txt": (
            ground_truth(images) if truth is None else truth
        ),
    }
    if packed:
        (data_dir / f"{DEVKIT}.tar.gz").write_bytes(gzip.compress(tar_of(contents)))
        return
    for name, content in contents.items():
        (data_dir / name).parent.mkdir(parents=True, exist_ok=True)
        (data_dir / name).write_bytes(content)


def tar_of(contents, kind=tarfile.GNU_FORMAT):
    """A tar of the files, by name."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=kind) as tar:
        for name, content in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def validation_tar(images, kind=tarfile.GNU_FORMAT):
    """The content of ILSVRC2012_img_val.tar."""
    return tar_of({image.name: image.content for image in images}, kind)


def training_tar(images, kind=tarfile.GNU_FORMAT):
    """The content of ILSVRC2012_img_train.tar: a tar for each class."""
    inner = {}
    for image in images:
        inner.setdefault(f"{image.wnid}.tar", {})[image.name] = image.content
    return tar_of({name: tar_of(files, kind) for name, files in inner.items()}, kind)


def hub_table(images, **columns):
    """The rows as `ILSVRC/imagenet-1k` has them; its paths have the wnid added."""
    stems = [(pathlib.Path(image.name), image.wnid) for image in images]
    rows = [
        {"bytes": image.content, "path": f"{path.stem}_{wnid}{path.suffix}"}
        for image, (path, wnid) in zip(images, stems, strict=True)
    ]
    kind = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    labels = [classes.WNIDS.index(image.wnid) for image in images]
    arrays = {
        "image": pyarrow.array(rows, kind),
        "label": pyarrow.array(labels, pyarrow.int64()),
    } | columns
    metadata = {"huggingface": json.dumps({"info": {"features": HUB_FEATURES}})}
    return pyarrow.table(arrays).replace_schema_metadata(metadata)


def write_parquet(folder, split, images, num_shards=3, rows_a_group=2):
    """The shards `<split>-00000-of-00003.parquet` and on, with the rows in order."""
    folder.mkdir(parents=True, exist_ok=True)
    table = hub_table(images)
    bounds = np.linspace(0, len(images), num_shards + 1).astype(int)
    for i, (start, end) in enumerate(itertools.pairwise(bounds)):
        pyarrow.parquet.write_table(
            table.slice(start, end - start),
            folder / f"{split}-{i:05}-of-{num_shards:05}.parquet",
            row_group_size=rows_a_group,
        )
