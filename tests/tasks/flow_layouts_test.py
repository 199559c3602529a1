# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import shutil

import pytest
from flow_made_layouts import KITTI_FRAMES, autoflow, chairs, hd1k, kitti, sintel, things, touch
from perceiver_bench.tasks.flow import layouts

from perceiver_bench import errors


def names(dataset, root, split):
    return [pair.name for pair in layouts.DATASETS[dataset](root, split)]


@pytest.mark.parametrize("folder", [".", "MPI-Sintel", "MPI-Sintel-complete"])
@pytest.mark.parametrize("frames", ["clean", "final"])
def test_sintel(tmp_path, folder, frames):
    base = tmp_path / folder
    sintel(base, ["alley_1", "temple_3"])
    pairs = layouts.DATASETS[f"sintel_{frames}"](tmp_path, "all")
    assert [pair.name for pair in pairs] == [
        f"{scene}/frame_000{i}" for scene in ("alley_1", "temple_3") for i in (1, 2)
    ]
    pair = pairs[3]
    assert pair.first == base / f"training/{frames}/temple_3/frame_0002.png"
    assert pair.second == base / f"training/{frames}/temple_3/frame_0003.png"
    assert pair.flow == base / "training/flow/temple_3/frame_0002.flo"
    assert (pair.occlusion, pair.invalid, pair.objects, pair.matched_flow) == (None,) * 4


def test_sintel_with_its_maps(tmp_path):
    sintel(tmp_path, ["alley_1"])
    touch(tmp_path, "training/occlusions/alley_1/frame_0001.png")
    touch(tmp_path, "training/invalid/alley_1/frame_0002.png")
    first, second = layouts.DATASETS["sintel_final"](tmp_path, "all")
    assert first.occlusion == tmp_path / "training/occlusions/alley_1/frame_0001.png"
    assert second.invalid == tmp_path / "training/invalid/alley_1/frame_0002.png"
    assert (first.invalid, second.occlusion) == (None, None)


def test_sintel_holds_whole_scenes_out(tmp_path):
    scenes = [f"scene_{i:02}" for i in range(23)]
    sintel(tmp_path, scenes, num_frames=2)
    assert names("sintel_clean", tmp_path, "validation") == [
        f"{scenes[i]}/frame_0001" for i in (4, 9, 14, 19)
    ]
    train = names("sintel_clean", tmp_path, "train")
    held_out = names("sintel_clean", tmp_path, "validation")
    assert sorted(train + held_out) == names("sintel_clean", tmp_path, "all")


def test_sintel_has_frames_without_truth(tmp_path):
    sintel(tmp_path, ["ambush_1"], part="test")
    pairs = layouts.DATASETS["sintel_clean"](tmp_path, "test")
    assert [pair.name for pair in pairs] == ["ambush_1/frame_0001", "ambush_1/frame_0002"]
    assert all(pair.flow is None for pair in pairs)


@pytest.mark.parametrize(
    "missing",
    [
        "training/clean/alley_1/frame_0001.png",
        "training/clean/alley_1/frame_0003.png",
        "training/clean/alley_1/frame_0005.png",
        "training/flow/alley_1/frame_0001.flo",
        "training/flow/alley_1/frame_0002.flo",
        "training/flow/alley_1/frame_0004.flo",
    ],
)
def test_what_a_scene_of_sintel_lacks_is_named(tmp_path, missing):
    sintel(tmp_path, ["alley_1", "alley_2"], num_frames=5)
    (tmp_path / missing).unlink()
    with pytest.raises(errors.UserError) as raised:
        names("sintel_clean", tmp_path, "all")
    assert str(raised.value) == f"{tmp_path / missing}: it is missing; unpack the data set again"
    if "flow" not in missing:
        assert len(names("sintel_final", tmp_path, "all")) == 8


def test_a_scene_of_sintel_without_any_frame_or_with_one(tmp_path):
    sintel(tmp_path, ["alley_1", "alley_2"])
    for number in (1, 2, 3):
        (tmp_path / f"training/clean/alley_2/frame_000{number}.png").unlink()
    with pytest.raises(errors.UserError, match=r"clean/alley_2/frame_0001\.png: it is missing"):
        names("sintel_clean", tmp_path, "all")
    (tmp_path / "training/clean/alley_2").rmdir()
    with pytest.raises(errors.UserError, match=r"clean/alley_2/frame_0001\.png: it is missing"):
        names("sintel_clean", tmp_path, "all")
    shutil.rmtree(tmp_path / "training/flow/alley_2")
    touch(tmp_path, "training/clean/alley_2/frame_0007.png")
    with pytest.raises(errors.UserError, match=r"clean/alley_2/frame_0008\.png: it is missing"):
        names("sintel_clean", tmp_path, "all")


def test_hidden_folders_are_no_scenes(tmp_path):
    sintel(tmp_path, ["alley_1"])
    touch(tmp_path, "training/clean/.thumbnails/a.png", "training/clean/alley_1/._frame_0001.png")
    assert len(names("sintel_clean", tmp_path, "all")) == 2


@pytest.mark.parametrize(
    ("dataset", "folder"),
    [
        ("kitti2012", "."),
        ("kitti2012", "KITTI_2012"),
        ("kitti2012", "data_stereo_flow"),
        ("kitti2015", "."),
        ("kitti2015", "KITTI_2015"),
        ("kitti2015", "data_scene_flow"),
    ],
)
def test_kitti(tmp_path, dataset, folder):
    base, frames = tmp_path / folder, KITTI_FRAMES[dataset]
    kitti(base, frames, [0, 45])
    kitti(base, frames, [1], "testing")
    touch(base, "training/flow_noc/000045_10.png", "training/obj_map/000000_10.png")
    first, second = layouts.DATASETS[dataset](tmp_path, "all")
    assert (first.name, second.name) == ("000000_10", "000045_10")
    assert second.first == base / f"training/{frames}/000045_10.png"
    assert second.second == base / f"training/{frames}/000045_11.png"
    assert second.flow == base / "training/flow_occ/000045_10.png"
    assert second.matched_flow == base / "training/flow_noc/000045_10.png"
    assert first.objects == base / "training/obj_map/000000_10.png"
    assert (first.matched_flow, second.objects) == (None, None)
    (test,) = layouts.DATASETS[dataset](tmp_path, "test")
    assert (test.first, test.flow) == (base / f"testing/{frames}/000001_10.png", None)


def test_kitti_2012_in_grey_where_there_is_no_colour(tmp_path):
    kitti(tmp_path, "image_0", [3])
    (pair,) = layouts.DATASETS["kitti2012"](tmp_path, "all")
    assert pair.first == tmp_path / "training/image_0/000003_10.png"
    kitti(tmp_path, "colored_0", [3])
    (pair,) = layouts.DATASETS["kitti2012"](tmp_path, "all")
    assert pair.first == tmp_path / "training/colored_0/000003_10.png"


@pytest.mark.parametrize(
    "missing", ["image_2/000001_10.png", "image_2/000001_11.png", "flow_occ/000001_10.png"]
)
def test_what_a_pair_of_kitti_lacks_is_named(tmp_path, missing):
    kitti(tmp_path, "image_2", [0, 1, 2])
    (tmp_path / "training" / missing).unlink()
    with pytest.raises(errors.UserError, match=f"training/{missing}: it is missing; unpack"):
        names("kitti2015", tmp_path, "all")


def test_one_year_of_kitti_is_not_taken_for_the_other(tmp_path):
    kitti(tmp_path / "KITTI_2012", "colored_0", [0])
    with pytest.raises(errors.UserError, match="it has no folder training/image_2; it should hold"):
        names("kitti2015", tmp_path, "all")


@pytest.mark.parametrize("folder", [".", "FlyingChairs_release"])
def test_flyingchairs_without_its_division(tmp_path, folder):
    chairs(tmp_path / folder, range(1, 74))
    assert names("flyingchairs", tmp_path, "validation") == ["00036", "00072"]
    assert len(names("flyingchairs", tmp_path, "train")) == 71
    pair = layouts.DATASETS["flyingchairs"](tmp_path, "all")[72]
    data = tmp_path / folder / "data"
    assert (pair.first, pair.second) == (data / "00073_img1.ppm", data / "00073_img2.ppm")
    assert (pair.name, pair.flow) == ("00073", data / "00073_flow.flo")


def test_few_flyingchairs_are_all_for_evaluation(tmp_path):
    chairs(tmp_path, range(1, 36))
    assert len(names("flyingchairs", tmp_path, "validation")) == 35
    assert names("flyingchairs", tmp_path, "train") == []


@pytest.mark.parametrize("place", [".", "FlyingChairs_release"])
def test_flyingchairs_with_its_division(tmp_path, place):
    chairs(tmp_path / "FlyingChairs_release", [1, 2, 4])
    (tmp_path / place / "FlyingChairs_train_val.txt").write_text("2\n1\n1\n2\n1\n")
    assert names("flyingchairs", tmp_path, "validation") == ["00001", "00004"]
    assert names("flyingchairs", tmp_path, "train") == ["00002"]
    assert names("flyingchairs", tmp_path, "all") == ["00001", "00002", "00004"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1\n2\n", "2 lines, and there is a pair 00003"),
        ("1\n0\n1\n", "line 2: '0', and 1 or 2 is due"),
        ("1\n2\n\x00\n", r"line 3: '\\x00', and 1 or 2"),
        ("1\n1\n1\n", "it has no pairs for the split 'validation'"),
    ],
)
def test_a_broken_division_of_flyingchairs(tmp_path, text, message):
    chairs(tmp_path, [1, 2, 3])
    (tmp_path / "FlyingChairs_train_val.txt").write_text(text)
    with pytest.raises(errors.UserError, match=message):
        names("flyingchairs", tmp_path, "validation")


@pytest.mark.parametrize("frames", ["clean", "final"])
def test_flyingthings3d_in_both_directions_and_cameras(tmp_path, frames):
    things(tmp_path, "TRAIN/A/0000")
    things(tmp_path, "TEST/C/0149", cameras=["left"])
    dataset = f"flyingthings3d_{frames}"
    train = {pair.name: pair for pair in layouts.DATASETS[dataset](tmp_path, "train")}
    assert len(train) == 8
    future = train["TRAIN/A/0000/into_future/left/0006"]
    folder = tmp_path / f"frames_{frames}pass/TRAIN/A/0000/left"
    assert (future.first, future.second) == (folder / "0006.png", folder / "0007.png")
    truth = tmp_path / "optical_flow/TRAIN/A/0000"
    assert future.flow == truth / "into_future/left/OpticalFlowIntoFuture_0006_L.pfm"
    past = train["TRAIN/A/0000/into_past/right/0008"]
    assert (past.first.name, past.second.name) == ("0008.png", "0007.png")
    assert past.flow == truth / "into_past/right/OpticalFlowIntoPast_0008_R.pfm"
    assert names(dataset, tmp_path, "validation") == [
        f"TEST/C/0149/into_{end}"
        for end in ("future/left/0006", "future/left/0007", "past/left/0007", "past/left/0008")
    ]
    assert len(names(dataset, tmp_path, "all")) == 12


@pytest.mark.parametrize(
    "missing",
    [
        "frames_cleanpass/TRAIN/A/0000/left/0007.png",
        "frames_cleanpass/TRAIN/A/0000/right/0008.png",
        "optical_flow/TRAIN/A/0000/into_past/left/OpticalFlowIntoPast_0007_L.pfm",
        "optical_flow/TRAIN/A/0000",
    ],
)
def test_what_a_scene_of_flyingthings3d_lacks_is_named(tmp_path, missing):
    things(tmp_path, "TRAIN/A/0000")
    path = tmp_path / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(errors.UserError, match=f"{missing}: it is missing; unpack"):
        names("flyingthings3d_clean", tmp_path, "train")


def test_hd1k(tmp_path):
    for scene in range(5):
        hd1k(tmp_path, scene)
    assert names("hd1k", tmp_path, "validation") == ["000004_0010", "000004_0011"]
    pair = layouts.DATASETS["hd1k"](tmp_path, "train")[1]
    assert pair.second == tmp_path / "hd1k_input/image_2/000000_0012.png"
    assert pair.flow == tmp_path / "hd1k_flow_gt/flow_occ/000000_0011.png"
    (tmp_path / "hd1k_input/image_2/000002_0011.png").unlink()
    with pytest.raises(errors.UserError, match=r"000002_0011\.png: it is missing"):
        names("hd1k", tmp_path, "train")


def test_autoflow(tmp_path):
    autoflow(tmp_path, 1, 30)
    autoflow(tmp_path, 3, 30)
    assert len(names("autoflow", tmp_path, "train")) == 59
    (pair,) = layouts.DATASETS["autoflow"](tmp_path, "validation")
    folder = tmp_path / "static_40k_png_3_of_4/table_18_batch_0"  # 10th in order of names
    assert (pair.first, pair.second) == (folder / "im0.png", folder / "im1.png")
    assert (pair.name, pair.flow) == (
        "static_40k_png_3_of_4/table_18_batch_0",
        folder / "forward.flo",
    )
    (folder / "im1.png").unlink()
    with pytest.raises(errors.UserError, match=r"table_18_batch_0/im1\.png: it is missing"):
        names("autoflow", tmp_path, "train")


@pytest.mark.parametrize("dataset", layouts.DATASETS)
def test_no_folder_an_empty_one_and_no_such_split(tmp_path, dataset):
    for split in ("train", "validation", "all"):
        with pytest.raises(errors.UserError, match="no such folder; it should hold"):
            names(dataset, tmp_path / "absent", split)
        with pytest.raises(
            errors.UserError, match=r"it has no folder .*; it should hold"
        ) as raised:
            names(dataset, tmp_path, split)
        assert str(raised.value).endswith(f"; it should hold {layouts.LAYOUTS[dataset]}")
    with pytest.raises(errors.UserError, match="split 'dev': this data set has train, validation"):
        names(dataset, tmp_path, "dev")


@pytest.mark.parametrize(
    ("dataset", "place"),
    [
        ("sintel_clean", "training/clean"),
        ("kitti2012", "training/image_0"),
        ("kitti2015", "training/image_2"),
        ("flyingchairs", "data"),
        ("flyingthings3d_final", "frames_finalpass/TRAIN"),
        ("hd1k", "hd1k_input/image_2"),
        ("autoflow", "static_40k_png_2_of_4"),
    ],
)
def test_folders_without_pairs(tmp_path, dataset, place):
    (tmp_path / place).mkdir(parents=True)
    with pytest.raises(errors.UserError, match="it has no pairs for the split 'train'"):
        names(dataset, tmp_path, "train")


def test_too_few_scenes_to_hold_one_out(tmp_path):
    sintel(tmp_path, ["alley_1"])
    with pytest.raises(errors.UserError, match="every 5th scene or pair, and there are 1;"):
        names("sintel_clean", tmp_path, "validation")
