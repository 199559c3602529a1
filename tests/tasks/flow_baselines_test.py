# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest
from perceiver_bench.tasks.flow import baselines

from perceiver_bench import api
from perceiver_bench.metrics.flow import FLOW_METRICS

BASELINES = {
    "zero": baselines.zero,
    "farneback": baselines.farneback,
    "dis": baselines.dis,
}


def source_of(*examples):
    return api.MemorySource(examples, {})


def fields_of(name, *examples):
    held_out = source_of(*examples)
    prediction = BASELINES[name](source_of(), held_out, lambda *_: {})
    assert prediction.keys() == {"flow"}
    assert len(prediction["flow"]) == len(held_out)
    return prediction["flow"]


def shifted_pair(motion, size=(120, 160)):
    """Returns two views, uint8 [2, H, W, 3], of a smooth texture, the second moved."""
    texture = np.random.default_rng(0).random((size[0] + 40, size[1] + 40, 3), np.float32)
    texture = cv2.GaussianBlur(texture, (0, 0), 2)
    texture = 255 * (texture - texture.min()) / np.ptp(texture)
    u, v = motion
    first = texture[20 : 20 + size[0], 20 : 20 + size[1]]
    second = texture[20 - v : 20 - v + size[0], 20 - u : 20 - u + size[1]]
    return {"images": np.stack([first, second]).astype(np.uint8)}


@pytest.mark.parametrize("name", ["farneback", "dis"])
@pytest.mark.parametrize("motion", [(3, -2), (-5, 0), (0, 4)])
def test_a_shift_is_recovered(name, motion):
    flow = fields_of(name, shifted_pair(motion))[0]
    assert (flow.dtype, flow.shape) == (np.float32, (120, 160, 2))
    interior = flow[20:-20, 20:-20]
    assert np.abs(interior - np.array(motion)).max() < 0.5


def test_zero_is_zero():
    field = fields_of("zero", shifted_pair((3, 0)))[0]
    assert (field.dtype, field.shape) == (np.float32, (120, 160, 2))
    assert not field.any()


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize(
    "size", [(1, 1), (2, 3), (1, 300), (8, 64), (64, 8), (15, 200), (12, 12), (16, 16), (40, 16)]
)
def test_small_frames_have_a_flow(name, size):
    example = {"images": np.random.default_rng(0).integers(0, 256, (2, *size, 3)).astype(np.uint8)}
    before = example["images"].copy()
    flow = fields_of(name, example)[0]
    assert flow.shape == (*size, 2)
    assert np.isfinite(flow).all()
    np.testing.assert_array_equal(example["images"], before)


@pytest.mark.parametrize("name", BASELINES)
def test_fields_are_computed_when_asked_and_always_the_same(name):
    pairs = [shifted_pair((1, 0)), shifted_pair((4, 0), (60, 90)), {"name": "has no images"}]
    fields = fields_of(name, *pairs)
    first, second = fields[0], fields[1]
    assert second.shape == (60, 90, 2)
    np.testing.assert_array_equal(fields[0], first)
    np.testing.assert_array_equal(fields[1], second)
    with pytest.raises(KeyError, match="images"):
        fields[2]
    with pytest.raises(IndexError):
        fields[3]


@pytest.mark.parametrize("name", ["farneback", "dis"])
def test_the_number_of_threads_changes_nothing(name):
    pair = shifted_pair((3, -2), (200, 300))
    threads = cv2.getNumThreads()
    found = []
    try:
        for count in (1, 2, 5):
            cv2.setNumThreads(count)
            found.append(fields_of(name, pair)[0])
    finally:
        cv2.setNumThreads(threads)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def opencv_flow(name, files):
    """Returns the flow of a baseline by OpenCV alone, from the files, in grey."""
    first, second = (cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2GRAY) for file in files)
    if name == "zero":
        return np.zeros((*first.shape, 2))
    if name == "farneback":
        return cv2.calcOpticalFlowFarneback(first, second, None, 0.5, 3, 15, 3, 5, 1.2, 0)
    return cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(first, second, None)


def kitti_flow(file):
    """Returns flow and where it is known from a 16-bit PNG file: blue is the mark."""
    raw = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
    assert raw.dtype == np.uint16
    known = raw[..., 0] > 0
    flow = (raw[..., 2:0:-1].astype(np.float64) - 2**15) / 64
    return np.where(known[..., None], flow, 0), known


def read_pair(files, flow, known, occlusion=None):
    images = np.stack([cv2.cvtColor(cv2.imread(str(f)), cv2.COLOR_BGR2RGB) for f in files])
    blank = np.full(known.shape, -1, np.int8)
    return files, {
        "images": images,
        "flow": flow.astype(np.float32),
        "flow_known": known,
        "occlusion": blank if occlusion is None else occlusion,
        "foreground": blank,
    }


def middlebury_pair(files, file):
    flow = cv2.readOpticalFlow(str(file))
    return read_pair(files, flow, np.ones(flow.shape[:2], bool))


def sintel(data, name):
    folder = data / "sintel" / "MPI-Sintel" / "training"
    frames = [folder / name / "alley_1" / f"frame_000{i}.png" for i in (1, 2)]
    return [middlebury_pair(frames, folder / "flow" / "alley_1" / "frame_0001.flo")]


def flying_chairs(data):
    stems = [data / "flyingchairs/FlyingChairs_release/data" / f"0000{i}" for i in (1, 2, 3)]
    return [
        middlebury_pair([f"{stem}_img1.ppm", f"{stem}_img2.ppm"], f"{stem}_flow.flo")
        for stem in stems
    ]


def kitti(data, year, folder, number):
    training = data / "kitti" / f"KITTI_{year}" / "training"
    flow, known = kitti_flow(training / "flow_occ" / f"{number}_10.png")
    _, visible = kitti_flow(training / "flow_noc" / f"{number}_10.png")
    occlusion = np.where(known, np.where(visible, 0, 1), -1).astype(np.int8)
    frames = [training / folder / f"{number}_{i}.png" for i in (10, 11)]
    return [read_pair(frames, flow, known, occlusion)]


DATA_SETS = {
    "sintel_clean": lambda data: sintel(data, "clean"),
    "sintel_final": lambda data: sintel(data, "final"),
    "kitti2015": lambda data: kitti(data, 2015, "image_2", "000000"),
    "kitti2012": lambda data: kitti(data, 2012, "colored_0", "000045"),
    "flyingchairs": flying_chairs,
}


def expected_values(name, pairs):
    """Returns every metric of a baseline on pairs by plain NumPy over joined pixels."""
    errors, speeds, occlusions = [], [], []
    for files, example in pairs:
        known = example["flow_known"]
        truth = example["flow"][known].astype(np.float64)
        error = opencv_flow(name, files)[known].astype(np.float64) - truth
        errors.append(np.linalg.norm(error, axis=1))
        speeds.append(np.linalg.norm(truth, axis=1))
        occlusions.append(example["occlusion"][known])
    outliers = [
        100.0 * ((e > 3) & (e / np.maximum(s, 1e-9) > 0.05))
        for e, s in zip(errors, speeds, strict=True)
    ]
    error, speed, occlusion = map(np.concatenate, (errors, speeds, occlusions))
    parts = {
        "end_point_error_over_pixels": error,
        "end_point_error_over_images": np.array([e.mean() for e in errors]),
        "fl_all_over_pixels": np.concatenate(outliers),
        "fl_all_over_images": np.array([o.mean() for o in outliers]),
        **{f"outliers_above_{p}px_over_pixels": 100.0 * (error > p) for p in (1, 3, 5)},
        "end_point_error_s0_10_over_pixels": error[speed < 10],
        "end_point_error_s10_40_over_pixels": error[(speed >= 10) & (speed <= 40)],
        "end_point_error_s40_plus_over_pixels": error[speed > 40],
        "end_point_error_matched_over_pixels": error[occlusion == 0],
        "end_point_error_unmatched_over_pixels": error[occlusion == 1],
    }
    return {metric: values.mean() for metric, values in parts.items() if values.size}


@pytest.mark.parametrize("data_set", DATA_SETS)
@pytest.mark.parametrize("name", BASELINES)
def test_metrics_on_real_pairs_are_those_of_plain_numpy(shared, data_set, name):
    data = shared / "data"
    if not (data / "kitti").is_dir():
        pytest.skip(f"needs the real pairs in {data}")
    pairs = DATA_SETS[data_set](data)
    expected = expected_values(name, pairs)
    assert len(expected) >= 8
    fields = fields_of(name, *(example for _, example in pairs))
    batches = [
        ({"flow": fields[index][None]}, {key: array[None] for key, array in example.items()})
        for index, (_, example) in enumerate(pairs)
    ]
    for metric_name, metric in FLOW_METRICS.items():
        rows = {"sum": [], "weight": []}
        for prediction, batch in batches:
            for key, row in metric.rows(prediction, batch).items():
                rows[key] += row.tolist()
        if metric_name not in expected:
            assert not any(rows["weight"]), metric_name
            continue
        value = metric.pooling.value({key: np.array(row) for key, row in rows.items()})
        assert value == pytest.approx(expected[metric_name], abs=1e-6, rel=0), metric_name
