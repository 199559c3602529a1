# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""ImageNet: the thousand classes of the challenge of 2012, top-1 accuracy."""

from perceiver_bench import api

from . import classes, common, demo, presets, shards, source

CLASSES = tuple(zip(classes.WNIDS, classes.NAMES, strict=True))
"""The wnid and the name of each class, by label."""


@api.register("imagenet/ilsvrc2012")
def ilsvrc2012() -> api.Task:
    """Returns the task."""
    return common.task(
        "imagenet/ilsvrc2012",
        summary="which of 1,000 classes an image shows; top-1 and top-5 accuracy",
        protocol="imagenet-validation/{protocol}",
        layout=(
            "train/<wnid>/*.JPEG and val/<wnid>/*.JPEG; or the official archives or validation"
            " files with the devkit; or Parquet files; or prepared shards"
        ),
        splits=("train", "validation"),
        classes=CLASSES,
        presets=presets.imagenet_presets(),
        demo_presets=("tiny", "tiny_learned", "tiny_convolution"),
        source=source.open_source,
        prepare_data=shards.prepare,
        metrics=api.IMAGE_METRICS,
        write_demo=demo.write_imagenet,
        paper_rows=("imagenet/top1",),
    )
