# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The pairs of every data set, from the layout it was released in.

The splits are `train`, `validation`, `all` (both: what truth was published for) and, where
there are frames without truth, `test`. A division that the makers released is taken; where
there is none, whole scenes are held out, since neighbouring frames are nearly the same.

| data set | validation | test |
|---|---|---|
| sintel_clean, sintel_final | every 5th scene: 4 of 23, 196 of 1,041 pairs | test/ |
| kitti2012, kitti2015 | every 5th pair | testing/ |
| flyingchairs | by FlyingChairs_train_val.txt; without it every 36th pair, all of fewer | |
| flyingthings3d_clean, flyingthings3d_final | TEST/, which has truth | |
| hd1k | every 5th sequence | |
| autoflow | every 40th pair: 1,000 of 40,000 | |
"""

import functools
import itertools
import pathlib
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from perceiver_bench import api

from . import listing
from .listing import Pair

_SINTEL = (
    "MPI-Sintel/training/{clean,final}/SCENE/frame_0001.png with training/flow/SCENE/"
    "frame_0001.flo, and test/{clean,final}/ for the split test"
)
_KITTI = (
    "training/IMAGES/000000_10.png and 000000_11.png with training/flow_occ/000000_10.png,"
    " and testing/IMAGES/ for the split test; IMAGES is "
)
_KITTI2012 = _KITTI + "colored_0 or image_0"
_KITTI2015 = _KITTI + "image_2"
_FLYINGCHAIRS = "FlyingChairs_release/data/ with 00001_img1.ppm, 00001_img2.ppm, 00001_flow.flo"
_FLYINGTHINGS3D = (
    "frames_{cleanpass,finalpass}/{TRAIN,TEST}/A/0000/left/0006.png with"
    " optical_flow/TRAIN/A/0000/into_future/left/OpticalFlowIntoFuture_0006_L.pfm"
)
_HD1K = "hd1k_input/image_2/000000_0010.png with hd1k_flow_gt/flow_occ/000000_0010.png"
_AUTOFLOW = "static_40k_png_1_of_4/table_0_batch_0/ with im0.png, im1.png, forward.flo"

_CHAIRS_SPLIT = "FlyingChairs_train_val.txt"
_CHAIRS_SPLIT_BYTES = 1 << 20
_CHAIRS_EVERY = 36  # as large a part as the official one, 640 of 22,872


def _sintel(frames: str, root: pathlib.Path, split: str) -> tuple[Pair, ...]:
    listing.check_split(split, listing.SPLITS_WITH_TEST)
    part = "test" if split == "test" else "training"
    names = ("MPI-Sintel", "MPI-Sintel-complete")
    _, folder = listing.base_folder(root, names, [f"{part}/{frames}"], _SINTEL)
    scenes = listing.subfolders(folder) | listing.subfolders(folder.parent / "flow")
    groups = [_sintel_scene(folder, scene, split != "test") for scene in sorted(scenes)]
    return listing.divided(groups, split, 5, folder)


def _sintel_scene(folder: pathlib.Path, scene: str, has_truth: bool) -> list[Pair]:
    truth = folder.parent / "flow"
    truths = listing.numbers(truth / scene, r"frame_(\d{4})\.flo")
    found = listing.numbers(folder / scene, r"frame_(\d{4})\.png")
    found |= truths | {number + 1 for number in truths}
    frames = listing.sequence(folder / scene, "frame_{:04}.png", found)
    pairs = []
    for number in list(frames)[:-1]:
        name = f"{scene}/frame_{number:04}"
        maps = {}
        if has_truth:
            maps = {
                "flow": listing.due(truth / f"{name}.flo"),
                "occlusion": listing.optional(folder.parent / "occlusions" / f"{name}.png"),
                "invalid": listing.optional(folder.parent / "invalid" / f"{name}.png"),
            }
        pairs.append(Pair(name=name, first=frames[number], second=frames[number + 1], **maps))
    return pairs


def _kitti(
    names: Sequence[str], images: Sequence[str], layout: str, root: pathlib.Path, split: str
) -> tuple[Pair, ...]:
    listing.check_split(split, listing.SPLITS_WITH_TEST)
    has_truth = split != "test"
    part = "training" if has_truth else "testing"
    places = [f"{part}/{name}" for name in images]
    base, folder = listing.base_folder(root, names, places, layout)
    found = listing.numbers(folder, r"(\d{6})_1[01]\.png")
    if has_truth:
        found |= listing.numbers(base / part / "flow_occ", r"(\d{6})_10\.png")
    groups = []
    for number in sorted(found):
        name = f"{number:06}_10"
        maps = {}
        first, second = (listing.due(folder / f"{number:06}_{i}.png") for i in (10, 11))
        if has_truth:
            maps = {
                "flow": listing.due(base / part / "flow_occ" / f"{name}.png"),
                "matched_flow": listing.optional(base / part / "flow_noc" / f"{name}.png"),
                "objects": listing.optional(base / part / "obj_map" / f"{name}.png"),
            }
        groups.append([Pair(name=name, first=first, second=second, **maps)])
    return listing.divided(groups, split, 5, folder)


def _flyingchairs(root: pathlib.Path, split: str) -> tuple[Pair, ...]:
    listing.check_split(split, listing.SPLITS)
    names = ("FlyingChairs_release", "FlyingChairs")
    base, folder = listing.base_folder(root, names, ["data"], _FLYINGCHAIRS)
    found = sorted(listing.numbers(folder, r"(\d{5})_(?:img[12]\.ppm|flow\.flo)"))
    groups = [
        [
            Pair(
                name=f"{number:05}",
                first=listing.due(folder / f"{number:05}_img1.ppm"),
                second=listing.due(folder / f"{number:05}_img2.ppm"),
                flow=listing.due(folder / f"{number:05}_flow.flo"),
            )
        ]
        for number in found
    ]
    for path in (base / _CHAIRS_SPLIT, root / _CHAIRS_SPLIT):
        if split != "all" and path.is_file():
            mark = "1" if split == "train" else "2"
            marks = _chairs_marks(path, max(found, default=0))
            groups = [
                group
                for number, group in zip(found, groups, strict=True)
                if marks[number - 1] == mark
            ]
            return listing.joined(groups, split, folder)
    if 0 < len(groups) < _CHAIRS_EVERY and split != "all":
        return () if split == "train" else listing.joined(groups, split, folder)
    return listing.divided(groups, split, _CHAIRS_EVERY, folder)


def _chairs_marks(path: pathlib.Path, last: int) -> list[str]:
    """Returns the marks of the pairs from number 1: `1` for training, `2` for validation."""
    try:
        with path.open("rb") as file:
            marks = file.read(_CHAIRS_SPLIT_BYTES).decode(errors="replace").split()
    except OSError as error:
        raise api.UserError(f"{path}: cannot be read: {error.strerror or error}") from error
    for line, mark in enumerate(marks, 1):
        if mark not in ("1", "2"):
            raise api.UserError(f"{path}, line {line}: {mark[:40]!r}, and 1 or 2 is due")
    if len(marks) < last:
        raise api.UserError(f"{path}: {len(marks):,} lines, and there is a pair {last:05}")
    return marks


def _flyingthings3d(frames: str, root: pathlib.Path, split: str) -> tuple[Pair, ...]:
    listing.check_split(split, listing.SPLITS)
    parts = {"train": ["TRAIN"], "validation": ["TEST"], "all": ["TRAIN", "TEST"]}[split]
    groups = []
    for part in parts:
        place = f"frames_{frames}pass/{part}"
        base, folder = listing.base_folder(root, ("FlyingThings3D",), [place], _FLYINGTHINGS3D)
        for letter in sorted(listing.subfolders(folder)):
            for scene in sorted(listing.subfolders(folder / letter)):
                truth = base / "optical_flow" / part / letter / scene
                pairs = _things_scene(folder / letter / scene, truth, f"{part}/{letter}/{scene}")
                groups.append(pairs or listing.missing(truth))
    return listing.joined(groups, split, root)


def _things_scene(folder: pathlib.Path, truth: pathlib.Path, scene: str) -> list[Pair]:
    """Returns the pairs of those cameras and directions that have truth."""
    pairs = []
    for camera in ("left", "right"):
        for direction, step in (("Future", 1), ("Past", -1)):
            flows = truth / f"into_{direction.lower()}" / camera
            name = f"OpticalFlowInto{direction}_{{:04}}_{camera[0].upper()}.pfm"
            found = listing.numbers(flows, name.replace("{:04}", r"(\d{4})"))
            if not found:
                continue
            found |= listing.numbers(folder / camera, r"(\d{4})\.png")
            frames = listing.sequence(folder / camera, "{:04}.png", found)
            # The truth of the last frame leads to one that was not released.
            pairs += [
                Pair(
                    name=f"{scene}/into_{direction.lower()}/{camera}/{number:04}",
                    first=path,
                    second=frames[number + step],
                    flow=listing.due(flows / name.format(number)),
                )
                for number, path in frames.items()
                if number + step in frames
            ]
    return pairs


def _hd1k(root: pathlib.Path, split: str) -> tuple[Pair, ...]:
    listing.check_split(split, listing.SPLITS)
    base, folder = listing.base_folder(root, ("HD1K", "hd1k"), ["hd1k_input/image_2"], _HD1K)
    truth = base / "hd1k_flow_gt" / "flow_occ"
    pattern = r"(\d{6})_\d{4}\.png"
    groups = []
    for scene in sorted(listing.numbers(folder, pattern) | listing.numbers(truth, pattern)):
        pattern_of_scene = rf"{scene:06}_(\d{{4}})\.png"
        found = listing.numbers(folder, pattern_of_scene) | listing.numbers(truth, pattern_of_scene)
        frames = list(listing.sequence(folder, f"{scene:06}_{{:04}}.png", found).values())
        # The truth of the last frame leads to one that was not released.
        groups.append(
            [
                Pair(
                    name=first.stem,
                    first=first,
                    second=second,
                    flow=listing.due(truth / first.name),
                )
                for first, second in itertools.pairwise(frames)
            ]
        )
    return listing.divided(groups, split, 5, folder)


def _autoflow(root: pathlib.Path, split: str) -> tuple[Pair, ...]:
    listing.check_split(split, listing.SPLITS)
    parts = [f"static_40k_png_{i}_of_4" for i in (1, 2, 3, 4)]
    base, _ = listing.base_folder(root, ("AutoFlow", "autoflow"), parts, _AUTOFLOW)
    groups = [
        [
            Pair(
                name=f"{part}/{name}",
                first=listing.due(base / part / name / "im0.png"),
                second=listing.due(base / part / name / "im1.png"),
                flow=listing.due(base / part / name / "forward.flo"),
            )
        ]
        for part in parts
        for name in sorted(listing.subfolders(base / part))
    ]
    return listing.divided(groups, split, 40, base)


List = Callable[[pathlib.Path, str], tuple[Pair, ...]]
DATASETS: Mapping[str, List] = MappingProxyType(
    {
        "sintel_clean": functools.partial(_sintel, "clean"),
        "sintel_final": functools.partial(_sintel, "final"),
        "kitti2012": functools.partial(
            _kitti, ("KITTI_2012", "data_stereo_flow"), ("colored_0", "image_0"), _KITTI2012
        ),
        "kitti2015": functools.partial(
            _kitti, ("KITTI_2015", "data_scene_flow"), ("image_2",), _KITTI2015
        ),
        "flyingchairs": _flyingchairs,
        "flyingthings3d_clean": functools.partial(_flyingthings3d, "clean"),
        "flyingthings3d_final": functools.partial(_flyingthings3d, "final"),
        "hd1k": _hd1k,
        "autoflow": _autoflow,
    }
)
"""`(data_dir, split) -> pairs` by name. Raises UserError for what is missing."""
LAYOUTS: Mapping[str, str] = MappingProxyType(
    {
        "sintel_clean": _SINTEL,
        "sintel_final": _SINTEL,
        "kitti2012": _KITTI2012,
        "kitti2015": _KITTI2015,
        "flyingchairs": _FLYINGCHAIRS,
        "flyingthings3d_clean": _FLYINGTHINGS3D,
        "flyingthings3d_final": _FLYINGTHINGS3D,
        "hd1k": _HD1K,
        "autoflow": _AUTOFLOW,
    }
)
"""What `--data_dir` should hold for each, for messages."""
