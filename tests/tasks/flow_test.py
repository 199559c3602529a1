# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What all tasks of optical flow share: phases, loss, tiles, evaluation, submissions."""

import dataclasses
import pathlib
import zipfile

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from perceiver_bench.tasks.flow import common, files, mixture, phases, submission
from tiny_runs import command, complaint

from perceiver_bench import registry
from perceiver_bench.commands.setup import check_held_out
from perceiver_bench.config import FlowData
from perceiver_bench.data.sources import MemorySource
from perceiver_bench.errors import UserError
from perceiver_bench.evaluation.network import make_prediction_step
from perceiver_bench.results import record
from perceiver_bench.task import NO_DATA

DATA = FlowData(size=(32, 48), plain_share=0.25)


def pair(seed=0, size=(40, 56)):
    rng = np.random.default_rng(seed)
    return {
        "images": rng.integers(0, 256, (2, *size, 3), dtype=np.uint8),
        "flow": rng.normal(0, 3, (*size, 2)).astype(np.float32),
        "flow_known": rng.random(size) < 0.9,
        "occlusion": np.zeros(size, np.int8),
        "foreground": np.full(size, -1, np.int8),
        "name": "pair",
        "is_reversed": False,
        "progress": 0.0,
    }


def prepared(example, generator=None, **changes):
    config = dataclasses.replace(DATA, **changes)
    return phases.preprocess(config, {})(example, generator)


def test_each_pair_is_fed_forward_and_reversed_once_a_pass():
    source = phases.BothWays(MemorySource([{"name": "a"}, {"name": "b"}], {"sha256": "x"}))
    fed = [(source[i]["name"], source[i]["is_reversed"]) for i in range(len(source))]
    assert sorted(fed) == [("a", False), ("a", True), ("b", False), ("b", True)]
    assert source.fingerprint == {"sha256": "x"}


def test_the_first_phase_crops_and_reverses_and_changes_nothing_else():
    example = pair()
    forward = prepared({**example, "progress": 0.2499}, np.random.default_rng(1))
    pixels = np.rint((forward["images"] + 1) * 127.5).astype(np.uint8)
    windows = [
        (y, x)
        for y in range(9)
        for x in range(9)
        if (example["images"][:, y : y + 32, x : x + 48] == pixels).all()
    ]
    ((y, x),) = windows
    known = example["flow_known"][y : y + 32, x : x + 48]
    np.testing.assert_array_equal(forward["flow_known"], known)
    np.testing.assert_array_equal(
        forward["flow"][known], example["flow"][y : y + 32, x : x + 48][known]
    )
    backward = prepared({**example, "is_reversed": True}, np.random.default_rng(1))
    np.testing.assert_array_equal(backward["images"][0], forward["images"][1])


def test_augmentation_begins_after_it_and_grows():
    def change(progress):
        """How far the augmented picture is from the nearest crop of it, on average."""
        found = []
        for seed in range(12):
            smooth = pair(seed)
            smooth["images"] = cv2.GaussianBlur(
                smooth["images"].transpose(1, 2, 0, 3).reshape(40, 56, 6), (0, 0), 4
            )
            smooth["images"] = smooth["images"].reshape(40, 56, 2, 3).transpose(2, 0, 1, 3)
            made = prepared({**smooth, "progress": progress}, np.random.default_rng(seed))
            source = phases.preprocess(DATA, {})(smooth, None)["images"]
            found.append(
                min(
                    np.abs(source[:, y : y + 32, x : x + 48] - made["images"]).mean()
                    for y in range(9)
                    for x in range(9)
                )
            )
        return np.mean(found)

    assert change(0.0) == change(0.25) == 0
    assert 0 < change(0.4) < change(0.7) < change(1.0)


def test_a_reversed_pair_is_fed_forward_once_augmentation_is_on():
    late = [
        prepared({**pair(), "is_reversed": flag, "progress": 0.6}, np.random.default_rng(3))
        for flag in (False, True)
    ]
    np.testing.assert_array_equal(late[0]["images"], late[1]["images"])


def test_evaluation_takes_pictures_as_they_are_and_test_pairs_without_truth():
    example = pair()
    arrays = prepared(example)
    np.testing.assert_allclose(arrays["images"], example["images"] / 255 * 2 - 1, atol=1e-6)
    assert (arrays["images"].min(), arrays["images"].max()) == (-1, 1)
    bare = {"images": example["images"], "name": "test"}
    unknown = prepared(bare)
    assert unknown.keys() == arrays.keys()
    assert not unknown["flow_known"].any()
    with pytest.raises(UserError, match=r"--set=data\.plain_share=1\.5"):
        prepared(example, plain_share=1.5)


def test_loss_is_the_error_of_known_pixels_in_units_of_twenty_and_its_gradient_finite():
    batch = {
        "flow": np.array([[[[3, 4], [np.nan, 1e30]]], [[[0, 0], [0, 0]]]], np.float32),
        "flow_known": np.array([[[True, False]], [[False, False]]]),
    }
    prediction = {"flow": jnp.zeros((2, 1, 2, 2))}
    assert common.loss(prediction, batch, 0.0) == pytest.approx([5 / 20, 0], abs=1e-6)
    gradient = jax.grad(lambda flow: common.loss({"flow": flow}, batch, 0.0).sum())
    assert np.isfinite(gradient(prediction["flow"])).all()
    assert np.isfinite(gradient(jnp.asarray([[[[3.0, 4], [0, 0]]], [[[0, 0], [0, 0]]]]))).all()


def test_the_network_sees_tiles_in_groups_and_the_prediction_is_stitched(monkeypatch):
    """A network that answers with the brightness of each pixel gives the brightness back."""
    from perceiver_bench.evaluation import network as networks

    shapes = []

    def merge(*_):
        def run(batch):
            shapes.append(batch["images"].shape)
            return {"flow": batch["images"][:, 0, ..., :2]}

        return run

    monkeypatch.setattr(networks.nnx, "merge", merge)
    task = registry.get("flow/sintel_clean")
    run = dataclasses.replace(task.presets["tiny"], data=DATA)
    step = make_prediction_step(task, None, run)
    arrays = prepared(pair(size=(70, 100)))
    batch = {name: array[None] for name, array in arrays.items()} | {"valid": np.array([True])}
    flow = step({}, {}, batch)["flow"]
    assert flow.shape == (1, 70, 100, 2)
    np.testing.assert_allclose(flow[0], arrays["images"][0, ..., :2], atol=1e-6)
    assert set(shapes) == {(task.evaluation_group, 2, 32, 48, 3)}


def test_benchmarks_are_evaluated_and_not_trained(tmp_path, capsys):
    flags = ["--mode=train", "--task=flow/sintel_clean", f"--data_dir={tmp_path}"]
    assert "is for evaluation only" in complaint(capsys, *flags, f"--workdir={tmp_path / 'w'}")


def test_crops_have_the_size_that_the_network_takes(tmp_path, capsys):
    flags = ["--mode=train", "--task=flow/generated", "--preset=tiny", f"--workdir={tmp_path}"]
    assert "model.input.size=(32, 48) is another" in complaint(
        capsys, *flags, "--set=data.size=64,96"
    )


def test_a_mixture_names_data_sets():
    for text in ("", "sintel:1"):
        with pytest.raises(UserError, match="write data sets and shares as sintel_clean"):
            mixture.source(dataclasses.replace(DATA, mixture=text), pathlib.Path("x"), "train")


def test_generated_pairs_need_no_data_and_take_textures(tmp_path):
    task = registry.get("flow/generated")
    config = dataclasses.replace(DATA, num_pairs=3, num_held_out=2)
    painted = task.source(config, NO_DATA, "train")
    assert len(painted) == 6
    held_out = task.source(config, NO_DATA, "validation")
    assert len(held_out) == 2
    assert painted.fingerprint["sha256"] != held_out.fingerprint["sha256"]
    task.write_demo(tmp_path, 0)
    textured = task.source(config, tmp_path, "validation")
    check_held_out(task.source(config, tmp_path, "train"), textured)
    check_held_out(painted, held_out)
    assert (textured[0]["images"] != held_out[0]["images"]).any()
    with pytest.raises(UserError):
        task.source(config, tmp_path / "none", "train")


@pytest.mark.parametrize("baseline", ["zero", "farneback", "dis"])
def test_a_record_holds_what_an_independent_calculation_gives(baseline, tmp_path, capsys, caplog):
    task = registry.get("flow/kitti2015")
    task.write_demo(tmp_path / "data", 0)
    truths = sorted((tmp_path / "data/training/flow_occ").glob("*.png"))
    nothing = np.zeros((40, 56, 3), np.uint16)
    cv2.imwrite(str(truths[0]), nothing)  # an image in which nothing was measured
    code, *_ = command(
        capsys,
        "--mode=evaluate",
        "--task=flow/kitti2015",
        f"--checkpoint=baseline:{baseline}",
        f"--data_dir={tmp_path / 'data'}",
        f"--results_dir={tmp_path / 'results'}",
    )
    assert code == 0
    assert "1 of 12 examples have nothing to measure" in caplog.text
    (one,) = record.read_all(tmp_path / "results")
    means, outliers, known = [], 0, 0
    for truth in truths[1:]:
        number = truth.name[:6]
        frames = [tmp_path / f"data/training/image_2/{number}_{i}.png" for i in (10, 11)]
        # As files are read in colour; OpenCV's decoder makes another grey.
        first, second = (cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2GRAY) for path in frames)
        raw = cv2.imread(str(truth), cv2.IMREAD_UNCHANGED).astype(np.float64)
        valid = raw[..., 0] == 1
        flow = (raw[..., :0:-1] - 2**15) / 64
        if baseline == "zero":
            found = np.zeros((40, 56, 2))
        elif baseline == "farneback":
            found = cv2.calcOpticalFlowFarneback(
                first, second, np.zeros((40, 56, 2), np.float32), 0.5, 3, 15, 3, 5, 1.2, 0
            )
        else:
            method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
            found = method.calc(first, second, None)
        error = np.linalg.norm(found.astype(np.float64) - flow, axis=-1)[valid]
        speed = np.linalg.norm(flow, axis=-1)[valid]
        means.append(error.mean())
        outliers += ((error > 3) & (error > 0.05 * speed)).sum()
        known += valid.sum()
    metrics = one.metrics
    assert metrics["end_point_error_over_images"].value == pytest.approx(np.mean(means), abs=1e-6)
    assert metrics["end_point_error_over_images"].n == 11
    assert metrics["fl_all_over_pixels"].value == pytest.approx(100 * outliers / known, abs=1e-6)


def _write_test_set(folder):
    """A test set of Sintel with its 552 pairs, of pictures of 16 x 16."""
    grey = np.full((16, 16, 3), 90, np.uint8)
    content = cv2.imencode(".png", grey)[1].tobytes()
    for name in submission.SINTEL_FILES:
        rendering, scene, file = name.split("/")
        number = int(file[5:9])
        path = folder / "MPI-Sintel" / "test" / rendering / scene
        path.mkdir(parents=True, exist_ok=True)
        for frame in (number, number + 1):
            (path / f"frame_{frame:04}.png").write_bytes(content)


def test_a_submission_has_every_pair_of_both_renderings(tmp_path, capsys):
    assert len(submission.SINTEL_FILES) == 2 * 552
    _write_test_set(tmp_path / "data")
    flags = [
        "--mode=predict",
        "--task=flow/sintel_clean,flow/sintel_final",
        "--checkpoint=baseline:zero",
        f"--data_dir={tmp_path / 'data'}",
        f"--outputs={tmp_path / 's.zip'}",
    ]
    assert command(capsys, *flags)[0] == 0
    with zipfile.ZipFile(tmp_path / "s.zip") as archive:
        assert sorted(archive.namelist()) == sorted(submission.SINTEL_FILES)
        archive.extract("final/wall/frame0049.flo", tmp_path)
    flow, known = files.read_flow(tmp_path / "final/wall/frame0049.flo")
    assert flow.shape == (16, 16, 2)
    assert known.all()
    assert not flow.any()
    alone = (flags[0], "--task=flow/sintel_clean", *flags[2:])
    assert "incomplete, so nothing is written" in complaint(capsys, *alone)
    (tmp_path / "data/MPI-Sintel/test/clean/wall/frame_0050.png").unlink()
    assert "a submission needs the 552 pairs" in complaint(capsys, *flags)


def test_kittis_names_are_those_of_its_servers():
    assert len(submission.KITTI_FILES["kitti2015"]) == 200
    assert submission.KITTI_FILES["kitti2015"][-1] == "flow/000199_10.png"
    assert len(submission.KITTI_FILES["kitti2012"]) == 195
    assert submission.KITTI_FILES["kitti2012"][-1] == "000194_10.png"


def test_a_folder_gets_pictures(tmp_path, capsys):
    registry.get("flow/flyingchairs").write_demo(tmp_path / "data", 0)
    code, *_ = command(
        capsys,
        "--mode=predict",
        "--task=flow/flyingchairs",
        "--checkpoint=baseline:dis",
        f"--data_dir={tmp_path / 'data'}",
        f"--outputs={tmp_path / 'out'}",
        "--limit=3",
    )
    assert code == 0
    pictures = sorted((tmp_path / "out" / "flyingchairs").glob("*.png"))
    assert len(pictures) == 3
    assert all(cv2.imread(str(path)).shape[0] > 80 for path in pictures)
