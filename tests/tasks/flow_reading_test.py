# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import logging
import pickle
import shutil

import cv2
import numpy as np
import pytest
from flow_made_files import flo_of, saved
from perceiver_bench.tasks.flow import files, reading

from perceiver_bench import errors

HEIGHT, WIDTH = 4, 6


def random(*shape):
    return np.random.default_rng(len(shape)).integers(0, 256, shape, np.uint8)


def put(root, name, content):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


FRAMES = random(2, HEIGHT, WIDTH, 3)
FLOW = np.arange(2 * HEIGHT * WIDTH, dtype=np.float32).reshape(HEIGHT, WIDTH, 2) / 4
LEFT = np.broadcast_to(np.arange(WIDTH) < 2, (HEIGHT, WIDTH))
TOP = np.broadcast_to(np.arange(HEIGHT)[:, None] < 1, (HEIGHT, WIDTH))


@pytest.fixture
def sintel(tmp_path):
    """One pair, occluded at the left and invalid at the top."""
    folder = tmp_path / "training"
    for i in (0, 1):
        put(folder, f"clean/alley_1/frame_000{i + 1}.png", saved(FRAMES[i], "png"))
    put(folder, "flow/alley_1/frame_0001.flo", flo_of(FLOW))
    put(folder, "occlusions/alley_1/frame_0001.png", saved(np.uint8(255) * LEFT, "png"))
    put(folder, "invalid/alley_1/frame_0001.png", saved(np.uint8(255) * TOP, "png"))
    return tmp_path


@pytest.fixture
def kitti(tmp_path):
    """One pair, known but at the top, unmatched at the left, with an object of number 7."""
    folder = tmp_path / "training"
    for i in (0, 1):
        put(folder, f"image_2/000003_1{i}.png", saved(FRAMES[i], "png"))
    put(folder, "flow_occ/000003_10.png", files.kitti_png_bytes(FLOW, ~TOP))
    put(folder, "flow_noc/000003_10.png", files.kitti_png_bytes(FLOW, ~TOP & ~LEFT))
    put(folder, "obj_map/000003_10.png", saved(np.uint8(7) * LEFT, "png"))
    return tmp_path


def only(dataset, root, split="all"):
    source = reading.open_pairs(dataset, root, split)
    assert len(source) == 1
    return source[0]


def test_a_pair_of_sintel(sintel):
    example = only("sintel_clean", sintel)
    assert example["name"] == "alley_1/frame_0001"
    np.testing.assert_array_equal(example["images"], FRAMES)
    np.testing.assert_array_equal(example["flow"], FLOW)
    assert example["flow_known"].all()
    np.testing.assert_array_equal(example["invalid"], TOP)
    np.testing.assert_array_equal(example["occlusion"], LEFT)
    np.testing.assert_array_equal(example["foreground"], np.full((HEIGHT, WIDTH), -1))
    dtypes = {name: array.dtype for name, array in example.items() if name != "name"}
    assert dtypes == {
        "images": np.uint8,
        "flow": np.float32,
        "flow_known": bool,
        "occlusion": np.int8,
        "foreground": np.int8,
        "invalid": np.int8,
    }


def test_maps_that_are_absent_only_say_nothing(sintel):
    shutil.rmtree(sintel / "training/occlusions")
    shutil.rmtree(sintel / "training/invalid")
    example = only("sintel_clean", sintel)
    assert example["flow_known"].all()
    assert (example["occlusion"] == -1).all()
    assert (example["invalid"] == -1).all()
    np.testing.assert_array_equal(example["flow"], FLOW)


def test_masks_of_one_bit_and_of_values_0_and_1_mean_the_same(sintel):
    path = sintel / "training/occlusions/alley_1/frame_0001.png"
    for mask in (LEFT, LEFT.astype(np.uint8)):
        path.write_bytes(saved(mask, "png"))
        np.testing.assert_array_equal(only("sintel_clean", sintel)["occlusion"], LEFT)


def test_a_pair_of_kitti(kitti):
    example = only("kitti2015", kitti)
    np.testing.assert_array_equal(example["flow_known"], ~TOP)
    np.testing.assert_array_equal(example["flow"], np.where(TOP[..., None], 0, FLOW))
    np.testing.assert_array_equal(example["occlusion"], np.where(TOP, -1, LEFT))
    np.testing.assert_array_equal(example["foreground"], LEFT)


def test_kitti_without_what_is_optional(kitti):
    shutil.rmtree(kitti / "training/flow_noc")
    shutil.rmtree(kitti / "training/obj_map")
    example = only("kitti2015", kitti)
    assert (example["occlusion"] == -1).all()
    assert (example["foreground"] == -1).all()


def test_a_kitti_image_with_no_valid_pixel(kitti):
    content = files.kitti_png_bytes(FLOW, np.zeros_like(TOP))
    put(kitti, "training/flow_occ/000003_10.png", content)
    example = only("kitti2015", kitti)
    assert not example["flow_known"].any()
    assert not example["flow"].any()
    assert (example["occlusion"] == -1).all()


def test_a_test_split_has_frames_alone(kitti):
    shutil.move(kitti / "training/image_2", kitti / "testing/image_2")
    example = only("kitti2015", kitti, "test")
    assert example.keys() == {"name", "images"}
    np.testing.assert_array_equal(example["images"], FRAMES)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("image_2/000003_11.png", saved(random(5, 6, 3), "png")),
        ("flow_occ/000003_10.png", files.kitti_png_bytes(np.zeros((5, 6, 2)), np.ones((5, 6)) > 0)),
        ("flow_noc/000003_10.png", files.kitti_png_bytes(np.zeros((5, 6, 2)), np.ones((5, 6)) > 0)),
        ("obj_map/000003_10.png", saved(random(5, 6), "png")),
    ],
    ids=["second", "flow_occ", "flow_noc", "obj_map"],
)
def test_files_of_different_size_are_named(kitti, name, content):
    put(kitti, f"training/{name}", content)
    source = reading.open_pairs("kitti2015", kitti, "all")
    with pytest.raises(errors.UserError) as raised:
        source[0]
    first = kitti / "training/image_2/000003_10.png"
    assert str(raised.value) == (
        f"{kitti}/training/{name}: 6 x 5 pixels, and {first} has 6 x 4; unpack the data set again"
    )


def test_portrait_is_no_landscape(sintel):
    path = sintel / "training/flow/alley_1/frame_0001.flo"
    path.write_bytes(flo_of(FLOW.transpose(1, 0, 2)))
    with pytest.raises(errors.UserError, match=r"frame_0001\.flo: 4 x 6 pixels, and .* has 6 x 4"):
        only("sintel_clean", sintel)


def test_a_broken_file_is_told_when_it_is_read(kitti):
    put(kitti, "training/flow_occ/000003_10.png", saved(FRAMES[0], "png"))
    source = reading.open_pairs("kitti2015", kitti, "all")
    with pytest.raises(errors.UserError, match="a PNG of 8 bits, RGB, and flow needs 16 bits"):
        source[0]


def test_the_fingerprint_counts_and_says_what_is_official(kitti):
    fingerprint = reading.open_pairs("kitti2015", kitti, "all").fingerprint
    paths = list(kitti.rglob("*.png"))
    assert len(fingerprint["sha256"]) == 64
    assert {name: value for name, value in fingerprint.items() if name != "sha256"} == {
        "file": "kitti2015, split all",
        "num_examples": 1,
        "official_num_examples": 200,
        "num_occlusion": 0,
        "num_invalid": 0,
        "num_matched_flow": 1,
        "num_objects": 1,
        "bytes": sum(path.stat().st_size for path in paths),
    }


def test_the_digest_tells_data_apart_and_not_places(sintel, tmp_path):
    def digest(root):
        return reading.open_pairs("sintel_clean", root, "all").fingerprint["sha256"]

    first = digest(sintel)
    moved = tmp_path / "elsewhere" / "MPI-Sintel"
    shutil.copytree(sintel / "training", moved / "training")
    assert digest(moved) == digest(moved.parent) == first
    seen = {first}
    (moved / "training/flow/alley_1/frame_0001.flo").write_bytes(flo_of(FLOW + 1))
    seen.add(digest(moved))
    (moved / "training/clean/alley_1/frame_0001.png").write_bytes(saved(FRAMES[1] // 2, "png"))
    seen.add(digest(moved))
    (moved / "training/occlusions/alley_1/frame_0001.png").unlink()
    seen.add(digest(moved))
    shutil.copytree(moved / "training/clean", moved / "training/final")
    seen.add(reading.open_pairs("sintel_final", moved, "all").fingerprint["sha256"])
    assert len(seen) == 5


def test_the_digest_of_much_data_reads_the_middles(sintel, monkeypatch):
    def digest():
        return reading.open_pairs("sintel_clean", sintel, "all").fingerprint["sha256"]

    whole = digest()
    monkeypatch.setattr(reading, "_DIGEST_BYTES", 100)
    middle = digest()
    assert middle != whole
    path = sintel / "training/flow/alley_1/frame_0001.flo"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert digest() != middle


def test_copies_of_the_matched_truth_are_told_and_counted(kitti, caplog):
    folder = kitti / "training"
    shutil.copy(folder / "flow_noc/000003_10.png", folder / "flow_occ/000003_10.png")
    with caplog.at_level(logging.WARNING):
        fingerprint = reading.open_pairs("kitti2015", kitti, "all").fingerprint
        reading.open_pairs("kitti2015", kitti, "all")
    assert fingerprint["num_flow_occ_that_are_flow_noc"] == 1
    assert caplog.text.count("in 1 pairs of kitti2015 flow_occ is a copy of flow_noc") == 1


def test_a_source_goes_to_other_processes(sintel):
    source = reading.open_pairs("sintel_clean", sintel, "all")
    copied = pickle.loads(pickle.dumps(source))
    assert copied == source
    np.testing.assert_array_equal(copied[0]["images"], source[0]["images"])
    assert [example["name"] for example in source] == ["alley_1/frame_0001"]


@pytest.mark.parametrize(
    ("dataset", "folder", "name", "size"),
    [
        ("sintel_clean", "sintel", "alley_1/frame_0001", (436, 1024)),
        ("sintel_final", "sintel/MPI-Sintel", "alley_1/frame_0001", (436, 1024)),
        ("kitti2012", "kitti", "000045_10", (376, 1241)),
        ("kitti2015", "kitti/KITTI_2015", "000000_10", (375, 1242)),
        ("flyingchairs", "flyingchairs", "00001", (384, 512)),
    ],
)
def test_the_real_samples_are_what_opencv_reads(shared, dataset, folder, name, size):
    root = shared / "data" / folder
    if not root.is_dir():
        pytest.skip(f"needs the samples in {root}")
    source = reading.open_pairs(dataset, root, "all")
    example, pair = source[0], source.pairs[0]
    assert example["name"] == name
    for image, path in zip(example["images"], (pair.first, pair.second), strict=True):
        np.testing.assert_array_equal(image, cv2.imread(str(path))[..., ::-1])
    if pair.flow.suffix == ".flo":
        flow = cv2.readOpticalFlow(str(pair.flow))
        assert example["flow_known"].all()
        assert files.flo_bytes(example["flow"]) == pair.flow.read_bytes()
    else:
        values = cv2.imread(str(pair.flow), cv2.IMREAD_UNCHANGED).astype(float)
        flow = (values[..., :0:-1] - 32768) / 64 * (values[..., :1] > 0)
        np.testing.assert_array_equal(example["flow_known"], values[..., 0] > 0)
        # The samples' truth is of matched pixels alone.
        np.testing.assert_array_equal(example["occlusion"], np.where(values[..., 0] > 0, 0, -1))
    np.testing.assert_array_equal(example["flow"], flow)
    assert example["flow"].shape == (*size, 2)
    # The flow leads from the first frame to the second, not the other way.
    y, x = np.indices(size, np.float32)
    images = example["images"].astype(np.float32)
    u, v = example["flow"].transpose(2, 0, 1)
    known = example["flow_known"]
    errors_of_warping = [
        np.abs(cv2.remap(images[1], x + sign * u, y + sign * v, cv2.INTER_LINEAR) - images[0])[
            known
        ].mean()
        for sign in (1, 0, -1)
    ]
    assert errors_of_warping[0] < 0.6 * min(errors_of_warping[1:])
