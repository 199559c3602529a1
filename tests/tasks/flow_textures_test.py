# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Textures of the generator: painted, or of a folder with what folders hold."""

import concurrent.futures
import pickle

import cv2
import numpy as np
import pytest
from perceiver_bench.tasks.flow.generator import Textures, folder, textures
from PIL import Image

from perceiver_bench.errors import UserError


def picture(seed, width=60, height=40, channels=3):
    values = np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)
    return Image.fromarray(values.squeeze())


class TestPainted:
    def test_a_texture_depends_on_seed_split_and_number(self):
        made = [
            Textures(None, split=split, seed=seed)[index].tobytes()
            for split in ("train", "validation")
            for seed in (0, 1)
            for index in (0, 1)
        ]
        assert len(set(made)) == 8
        again = Textures(None, split="validation", seed=1)
        assert again[1].tobytes() == made[7]
        assert again[1].dtype == np.uint8
        assert again[1].ndim == 3

    def test_there_is_something_to_see_at_every_scale(self):
        painted = Textures(None, split="train", seed=0)
        scales = []
        for index in range(12):
            grey = painted[index].astype(np.float32).mean(axis=-1)
            row = []
            for _ in range(6):  # 2 to 64 pixels
                smaller = cv2.pyrDown(grey)
                row.append((grey - cv2.pyrUp(smaller, dstsize=grey.shape[::-1])).std())
                grey = smaller
            scales.append(row)
        # Grey levels of 255, in each octave; no texture is flat.
        assert np.median(scales, axis=0).min() > 4
        assert np.sum(scales, axis=1).min() > 20

    def test_what_is_kept_is_bounded(self, monkeypatch):
        made = []
        monkeypatch.setattr(textures, "_MAX_HELD", 2)
        monkeypatch.setattr(
            textures.painting, "paint", lambda _: made.append(0) or np.zeros((4, 4, 3), np.uint8)
        )
        painted = Textures(None, split="train", seed=0)
        for index in (0, 1, 0, 1, 2, 0, 0):
            painted[index]
        assert len(made) == 4  # 0, 1, 2, and 0 again, which made room for 2

    def test_nobody_can_spoil_what_is_kept(self):
        texture = Textures(None, split="train", seed=0)[0]
        with pytest.raises(ValueError, match="read-only"):
            texture[0] = 0


@pytest.fixture
def images(tmp_path):
    """Holds 4 usable images and 6 broken ones, and files that are none."""
    (tmp_path / "inner").mkdir()
    picture(0).save(tmp_path / "a.png")
    picture(1, channels=1).save(tmp_path / "inner" / "grey.JPG", "JPEG")
    picture(2, channels=4).save(tmp_path / "inner" / "alpha.png")
    picture(3, 2000, 700).save(tmp_path / "large.jpg")
    whole = (tmp_path / "large.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    png = (tmp_path / "a.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(png[: len(png) // 2])
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.jpg").write_text("no image")
    picture(4, 4, 4).save(tmp_path / "tiny.png")
    # Its header promises more pixels than there is memory.
    header = b"P6 60000 60000 255\n"
    (tmp_path / "huge.ppm").write_bytes(header + b"\0" * 100)
    (tmp_path / "notes.txt").write_text("no image either")
    (tmp_path / ".hidden.png").write_bytes(b"")
    return tmp_path


class TestFolder:
    def test_broken_images_are_skipped_and_counted(self, images):
        found = Textures(images, split="train", seed=0)
        assert len(found) == 4
        assert found.fingerprint["images"] == 4
        assert found.fingerprint["broken_images"] == 6
        for index in range(4):
            assert found[index].dtype == np.uint8
            assert found[index].shape[2] == 3
            assert max(found[index].shape) <= folder.MAX_SIDE

    def test_lossless_images_are_as_they_are(self, images):
        found = Textures(images, split="train", seed=0)
        np.testing.assert_array_equal(found[0], np.array(picture(0)))
        np.testing.assert_array_equal(found[1], np.array(picture(2, channels=4))[..., :3])

    def test_large_images_are_made_smaller_in_proportion(self, images):
        found = Textures(images, split="train", seed=0)
        assert found[3].shape == (round(700 * 512 / 2000), 512, 3)

    def test_the_fingerprint_follows_the_pixels(self, images):
        before = Textures(images, split="train", seed=0).fingerprint
        assert before == Textures(images, split="validation", seed=1).fingerprint
        picture(9).save(images / "a.png")
        after = Textures(images, split="train", seed=0).fingerprint
        assert after["textures_sha256"] != before["textures_sha256"]

    def test_a_tenth_is_held_out(self, tmp_path):
        for number in range(21):
            picture(number, 20, 20).save(tmp_path / f"{number:02}.png")
        parts = [Textures(tmp_path, split=split, seed=0) for split in ("train", "validation")]
        seen = [{part[i].tobytes() for i in range(len(part))} for part in parts]
        assert [len(part) for part in parts] == [19, 2]
        assert not seen[0] & seen[1]

    def test_threads_and_copies_see_the_same(self, images):
        found = Textures(images, split="train", seed=0)
        copy = pickle.loads(pickle.dumps(found))
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            many = list(pool.map(lambda i: found[i % 4].tobytes(), range(40)))
        assert many == [copy[i % 4].tobytes() for i in range(40)]

    def test_a_missing_folder_is_told(self, tmp_path):
        with pytest.raises(UserError, match="no such folder"):
            Textures(tmp_path / "none", split="train", seed=0)

    def test_a_folder_without_images_is_told(self, tmp_path):
        (tmp_path / "notes.txt").write_text("nothing")
        with pytest.raises(UserError, match=r"no usable image.*no file of .*\.png"):
            Textures(tmp_path, split="train", seed=0)

    def test_a_folder_of_broken_images_is_told(self, tmp_path):
        for name in ("a.png", "b.jpg"):
            (tmp_path / name).write_text("no image")
        with pytest.raises(UserError, match="all of its 2 are broken"):
            Textures(tmp_path, split="train", seed=0)
