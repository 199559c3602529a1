# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import hashlib
import re

import numpy as np
import pytest
from perceiver_bench.tasks.imagenet import cifar_files, classes, demo, drawing
from PIL import Image
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestCentroid

from perceiver_bench import api


def digests(folder):
    """Returns the digest of every file by its name."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def middle(image):
    """Returns the central square [32, 32, 3] of 7/8 of the shorter side."""
    margin = min(image.size) * 7 / 16
    x, y = image.width / 2, image.height / 2
    box = (x - margin, y - margin, x + margin, y + margin)
    return np.asarray(image.resize((32, 32), Image.Resampling.BICUBIC, box=box))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A folder with the whole set of seed 0."""
    folder = tmp_path_factory.mktemp("imagenet")
    demo.write_imagenet(folder, 0)
    return folder


@pytest.fixture(scope="module")
def splits(written):
    """The decoded images, their middles [n, 32, 32, 3] and labels [n] of both splits."""
    found = {}
    for split in ("train", "val"):
        images, labels = [], []
        for label, wnid in enumerate(demo.WNIDS.values()):
            for path in sorted((written / split / wnid).iterdir()):
                image = Image.open(path)
                image.load()
                images.append(image)
                labels.append(label)
        found[split] = images, np.stack([middle(image) for image in images]), np.array(labels)
    return found


def test_the_layout_is_that_of_imagenet(written):
    names = list(digests(written))
    assert len(names) == demo.NUM_TRAINING + demo.NUM_HELD_OUT
    training = [re.fullmatch(r"train/(n\d{8})/\1_(\d+)\.JPEG", name) for name in names]
    held_out = [re.fullmatch(r"val/(n\d{8})/ILSVRC2012_val_(\d{8})\.JPEG", name) for name in names]
    assert all(bool(one) != bool(other) for one, other in zip(training, held_out, strict=True))
    assert {match[1] for match in training if match} == set(demo.WNIDS.values())
    numbers = sorted(int(match[2]) for match in held_out if match)
    assert numbers == list(range(1, demo.NUM_HELD_OUT + 1))


def test_classes_are_ten_of_imagenet_that_look_alike():
    names = dict(zip(classes.WNIDS, classes.NAMES, strict=True))
    found = {kind: names[wnid] for kind, wnid in demo.WNIDS.items()}
    assert tuple(found) == drawing.KINDS
    assert found == {
        "disc": "tennis ball",
        "ring": "bagel",
        "triangle": "volcano",
        "cross": "airliner",
        "dots": "dalmatian",
        "horizontal stripes": "window shade",
        "vertical stripes": "picket fence",
        "checkerboard": "crossword puzzle",
        "patchwork": "quilt",
        "halves": "seashore",
    }


def test_classes_are_balanced_and_no_image_comes_twice(written, splits):
    for split, count in (("train", 300), ("val", 50)):
        assert np.bincount(splits[split][2]).tolist() == [count] * 10
    assert len(set(digests(written).values())) == 3500


def test_images_are_small_colour_jpegs_in_portrait_and_landscape(written, splits):
    images = splits["val"][0]
    assert {(image.format, image.mode) for image in images} == {("JPEG", "RGB")}
    sizes = np.array([image.size for image in images])
    assert (sizes.min(), sizes.max()) == (40, 64)
    assert sizes.min(axis=1).max() == 52
    assert (sizes[:, 0] < sizes[:, 1]).mean() > 0.35
    assert (sizes[:, 0] > sizes[:, 1]).mean() > 0.35
    assert max(path.stat().st_size for path in written.rglob("*.JPEG")) < 5000


def held_out_accuracy(model, splits, features):
    """Returns the share of held-out images that a model gets right."""
    (_, train, train_labels), (_, held_out, labels) = splits["train"], splits["val"]
    model.fit(features(train), train_labels)
    return model.score(features(held_out), labels)


def test_the_mean_colour_tells_nothing(splits):
    for model in (LogisticRegression(), RandomForestClassifier(20, random_state=0)):
        assert held_out_accuracy(model, splits, lambda images: images.mean((1, 2)) / 255) < 0.2


def test_linear_models_of_pixels_tell_little(splits):
    def pixels(images):
        blocks = images.reshape(-1, 16, 2, 16, 2, 3).mean((2, 4))
        return blocks.reshape(len(images), -1) / 255 - 0.5

    assert held_out_accuracy(NearestCentroid(), splits, pixels) < 0.6
    assert held_out_accuracy(LogisticRegression(C=0.01, max_iter=300), splits, pixels) < 0.6


@pytest.fixture
def few(monkeypatch):
    """Makes the sets small."""
    monkeypatch.setattr(demo, "_imagenet_files", demo._imagenet_files.__wrapped__)
    monkeypatch.setattr(demo, "NUM_TRAINING", 40)
    monkeypatch.setattr(demo, "NUM_HELD_OUT", 20)
    monkeypatch.setattr(demo, "_CIFAR_BATCH_SIZE", 20)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("write", [demo.write_imagenet, demo.write_cifar10])
def test_the_seed_alone_gives_the_bytes(write, tmp_path):
    for name, seed in (("first", 0), ("again", 0), ("other", 1)):
        write(tmp_path / name, seed)
    first, again, other = (digests(tmp_path / name) for name in ("first", "again", "other"))
    assert first == again
    assert first.keys() == other.keys()
    alike = {name for name in first if first[name] == other[name]}
    assert alike <= {"cifar-10-batches-bin/batches.meta.txt"}


def test_cifar10_is_read_with_balanced_classes(tmp_path):
    demo.write_cifar10(tmp_path, 0)
    config = api.ImageData(size=(32, 32))
    sources = {
        split: cifar_files.open_source(config, tmp_path, split) for split in ("train", "test")
    }
    pixels = [example["pixels"].tobytes() for source in sources.values() for example in source]
    assert len(set(pixels)) == len(pixels) == 1200
    for source, count in ((sources["train"], 100), (sources["test"], 20)):
        assert source.fingerprint["label_counts"] == dict.fromkeys(cifar_files.NAMES, count)


@pytest.mark.parametrize("kind", drawing.KINDS)
@pytest.mark.parametrize(("height", "width"), [(32, 32), (40, 64), (61, 45)])
def test_drawings_have_a_mean_colour_that_is_drawn_first(kind, height, width):
    picture = drawing.draw(kind, height, width, np.random.default_rng(3))
    assert picture.shape == (height, width, 3)
    assert picture.dtype == np.uint8
    expected = np.random.default_rng(3).uniform(100, 156, 3)
    np.testing.assert_allclose(picture.mean((0, 1)), expected, atol=1)
    assert np.ptp(picture.reshape(-1, 3), axis=0).max() > 80


def test_figures_are_lighter_than_their_ground_in_three_quarters_of_the_pictures():
    lighter = []
    for seed in range(300):
        picture = drawing.draw("disc", 40, 40, np.random.default_rng(seed)).astype(float)
        corners = picture[[0, 0, -1, -1], [0, -1, 0, -1]].mean()
        lighter.append(picture[18:22, 18:22].mean() > corners)
    assert 0.67 < np.mean(lighter) < 0.83


def test_stripes_run_as_they_are_named():
    for seed in range(20):
        pictures = [
            drawing.draw(f"{way} stripes", 48, 48, np.random.default_rng(seed)).astype(float)
            for way in ("horizontal", "vertical")
        ]
        for picture, across, along in zip(pictures, (0, 1), (1, 0), strict=True):
            changes = [np.abs(np.diff(picture, axis=axis)).mean() for axis in (across, along)]
            assert changes[0] > changes[1]
