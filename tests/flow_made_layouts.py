# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The layouts of benchmarks of optical flow, of empty files."""

KITTI_FRAMES = {"kitti2012": "colored_0", "kitti2015": "image_2"}


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def sintel(root, scenes, num_frames=3, part="training"):
    for scene in scenes:
        for number in range(1, num_frames + 1):
            for frames in ("clean", "final"):
                touch(root, f"{part}/{frames}/{scene}/frame_{number:04}.png")
            if part == "training" and number < num_frames:
                touch(root, f"training/flow/{scene}/frame_{number:04}.flo")


def kitti(root, frames, numbers, part="training"):
    for number in numbers:
        touch(root, f"{part}/{frames}/{number:06}_10.png", f"{part}/{frames}/{number:06}_11.png")
        if part == "training":
            touch(root, f"training/flow_occ/{number:06}_10.png")


def chairs(root, numbers):
    for number in numbers:
        for end in ("img1.ppm", "img2.ppm", "flow.flo"):
            touch(root, f"data/{number:05}_{end}")


def things(root, scene, numbers=(6, 7, 8), cameras=("left", "right")):
    for camera in cameras:
        for number in numbers:
            for frames in ("clean", "final"):
                touch(root, f"frames_{frames}pass/{scene}/{camera}/{number:04}.png")
            for word in ("Future", "Past"):
                name = f"OpticalFlowInto{word}_{number:04}_{camera[0].upper()}.pfm"
                touch(root, f"optical_flow/{scene}/into_{word.lower()}/{camera}/{name}")


def hd1k(root, scene, numbers=(10, 11, 12)):
    for number in numbers:
        touch(root, f"hd1k_input/image_2/{scene:06}_{number:04}.png")
        touch(root, f"hd1k_flow_gt/flow_occ/{scene:06}_{number:04}.png")


def autoflow(root, part, count):
    for i in range(count):
        for name in ("im0.png", "im1.png", "forward.flo"):
            touch(root, f"static_40k_png_{part}_of_4/table_{i}_batch_0/{name}")
