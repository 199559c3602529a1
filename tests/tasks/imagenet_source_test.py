# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import concurrent.futures
import io
import json

import imagenet_made_files as made
import numpy as np
import PIL.Image
import pytest
from perceiver_bench.tasks.imagenet import classes, decoding, source

from perceiver_bench import api, errors
from perceiver_bench.commands import setup

LABELS = [5, 5, 17, 400, 999]
PICTURES = made.pictures(len(LABELS), size=(120, 160))
# Its ends are whole, and in the middle there is nothing that could be decoded.
DAMAGED = PICTURES[3][:5000] + PICTURES[3][-4200:]


def config(**changes):
    return api.ImageData(size=(32, 32), **changes)


def write(data_dir, contents=PICTURES, labels=LABELS):
    made.write_class_folders(data_dir / "val", made.validation_images(labels, contents))
    return data_dir


def opened(data_dir, split="validation", **changes):
    return source.open_source(config(**changes), data_dir, split)


def name_of(index):
    return f"{classes.WNIDS[LABELS[index]]}/ILSVRC2012_val_{index + 1:08}.JPEG"


@pytest.mark.parametrize("protocol", ["original", "pillow"])
def test_examples_are_the_decoded_files(tmp_path, protocol):
    images = opened(write(tmp_path), protocol=protocol)
    assert len(images) == len(LABELS)
    for index, (label, content) in enumerate(zip(LABELS, PICTURES, strict=True)):
        example = images[index]
        pixels = example.pop("pixels")
        np.testing.assert_array_equal(pixels, decoding.decode(content, protocol))
        of_pillow = np.asarray(PIL.Image.open(io.BytesIO(content)))
        assert np.array_equal(pixels, of_pillow) == (protocol == "pillow")
        assert example == {"name": name_of(index), "label": label, "is_bad": False}


def test_a_skipped_file_gives_an_example_without_weight(tmp_path):
    contents = [*PICTURES[:2], b"", *PICTURES[3:]]
    with pytest.raises(errors.UserError, match=r"1 of 5 .*\(empty\); .*--skip_bad=1$"):
        opened(write(tmp_path, contents))
    images = opened(tmp_path, skip_bad=1)
    assert len(images) == len(LABELS)
    example = images[2]
    assert example["is_bad"] is True
    assert example["label"] == 0
    assert example["name"] == name_of(2)
    assert example["pixels"].shape == (1, 1, 3)
    assert example["pixels"].dtype == np.uint8
    assert not example["pixels"].any()
    assert images[3]["label"] == LABELS[3]
    assert images.fingerprint["num_skipped"] == 1
    assert images.fingerprint["skipped"] == [name_of(2)]


def test_damage_in_the_middle_shows_when_it_is_decoded(tmp_path, caplog):
    contents = [*PICTURES[:3], DAMAGED, PICTURES[4]]
    images = opened(write(tmp_path, contents))
    before = images.fingerprint
    assert "num_skipped" not in before
    assert images[2]["label"] == LABELS[2]
    with pytest.raises(errors.UserError) as caught:
        images[3]
    assert str(caught.value).startswith(
        f"--data_dir: 1 of 5 validation images is bad: {name_of(3)}"
    )
    assert str(caught.value).endswith("--skip_bad=1")
    images = opened(tmp_path, skip_bad=1)
    assert images.fingerprint == before
    assert images[3]["is_bad"]
    assert images[3]["is_bad"]
    assert caplog.text.count("is bad and skipped") == 1
    after = images.fingerprint
    assert after == {**before, "num_skipped": 1, "skipped": [name_of(3)]}


def test_damage_counts_together_with_what_was_bad_before(tmp_path):
    contents = [b"", *PICTURES[1:3], DAMAGED, PICTURES[4]]
    images = opened(write(tmp_path, contents), skip_bad=1)
    assert images[0]["is_bad"]
    with pytest.raises(errors.UserError, match=r"2 of 5 .* are bad: .*--skip_bad=2$"):
        images[3]
    images = opened(tmp_path, skip_bad=2)
    assert [images[index]["is_bad"] for index in range(5)] == [True, False, False, True, False]
    assert images.fingerprint["num_skipped"] == 2


def test_threads_may_read_at_the_same_time(tmp_path):
    num = 60
    contents = [DAMAGED + b"x" * i + DAMAGED[-4200:] for i in range(num)] + made.pictures(num)
    images = opened(write(tmp_path, contents, [0] * 2 * num), skip_bad=num)
    order = np.random.default_rng(0).integers(0, 2 * num, 1000)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        examples = list(pool.map(images.__getitem__, order.tolist()))
    assert [example["is_bad"] for example in examples] == [bool(i < num) for i in order]
    assert images.fingerprint["num_skipped"] == np.unique(order[order < num]).size == num


def test_the_fingerprint_is_plain_and_tells_data_apart(tmp_path):
    first = opened(write(tmp_path / "a")).fingerprint
    assert json.loads(json.dumps(first)) == first
    assert first["file"] == "validation (folders)"
    assert opened(write(tmp_path / "b")).fingerprint == first
    other = opened(write(tmp_path / "c", made.pictures(5, seed=3)))
    assert other.fingerprint["sha256"] != first["sha256"]


def test_training_images_are_no_images_to_evaluate_on(tmp_path):
    write(tmp_path)
    images = made.training_images(LABELS, PICTURES)
    made.write_class_folders(tmp_path / "train", images)
    with pytest.raises(errors.UserError, match=r"validation \(folders\) holds the same bytes"):
        setup.check_held_out(opened(tmp_path, "train"), opened(tmp_path))


def test_parquet_is_looked_at_when_it_is_read(tmp_path):
    images = made.validation_images(LABELS, [*PICTURES[:4], PICTURES[4][:2000]])
    made.write_parquet(tmp_path, "validation", images)
    rows = opened(tmp_path)
    assert rows[0]["label"] == LABELS[0]
    with pytest.raises(errors.UserError, match=r"1 of 5 .* is bad: .*cut short"):
        rows[4]
    rows = opened(tmp_path, skip_bad=1)
    assert rows[4]["is_bad"]
    assert rows.fingerprint["num_skipped"] == 1


@pytest.fixture(scope="module")
def real_json(tmp_path_factory):
    """Labels that tell the image: image n has n modulo 1000, and none where 3 divides n."""
    path = tmp_path_factory.mktemp("real") / "real.json"
    labels = [[n % 1000, 7] if n % 3 else [] for n in range(1, 50_001)]
    path.write_text(json.dumps(labels))
    return path


def test_real_labels_are_those_of_the_image(tmp_path, real_json):
    contents = [*PICTURES[:3], b"", PICTURES[4]]
    images = opened(write(tmp_path, contents), real_labels=str(real_json), skip_bad=1)
    by_name = {example["name"]: example for example in map(images.__getitem__, range(5))}
    found = [by_name[name_of(index)]["real_labels"] for index in range(5)]
    assert found == [(1, 7), (2, 7), (), (), (5, 7)]


def test_real_labels_are_of_the_validation_set_alone(tmp_path, real_json):
    made.write_class_folders(tmp_path / "train", made.training_images(LABELS, PICTURES))
    images = opened(tmp_path, "train", real_labels=str(real_json))
    assert "real_labels" not in images[0]
    (tmp_path / "train").rename(tmp_path / "val")
    with pytest.raises(errors.UserError, match=f"{classes.WNIDS[5]}_0.JPEG has no number"):
        opened(tmp_path, real_labels=str(real_json))


def test_the_real_images_are_all_good(shared):
    folder = shared / "data" / "imagenet"
    if not folder.is_dir():
        pytest.skip(f"needs the real images in {folder}")
    images = opened(folder)
    assert len(images) == images.fingerprint["num_classes"] == 100
    assert "num_skipped" not in images.fingerprint
    for index in range(100):
        example = images[index]
        assert not example["is_bad"]
        assert example["name"].startswith(classes.WNIDS[example["label"]])
        assert min(example["pixels"].shape[:2]) > 50
    assert not images.checked.bad


def test_a_whole_data_set_of_bad_files_is_refused_in_the_run_too(tmp_path):
    damaged = [DAMAGED + b"x" * i + DAMAGED[-4200:] for i in range(2)]
    images = opened(write(tmp_path, damaged, [0, 1]), skip_bad=9)
    assert images[0]["is_bad"]
    with pytest.raises(errors.UserError, match=r"2 of 2 .* are bad"):
        images[1]
