# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""CIFAR-10: ten classes in pictures of 32x32 pixels. The paper has no row for it."""

from perceiver_bench import api

from . import cifar_files, common, demo, presets

# None of them may lack a class, so that none is optional but the labels that CIFAR-10 has not.
_METRICS = {name: one for name, one in api.IMAGE_METRICS.items() if name != "real_accuracy"}


@api.register("imagenet/cifar10")
def cifar10() -> api.Task:
    """Returns the task."""
    return common.task(
        "imagenet/cifar10",
        summary="which of ten classes a small picture shows; accuracy",
        protocol="cifar10-test/{protocol}",
        layout="cifar-10-batches-bin or cifar-10-batches-py",
        splits=("train", "test"),
        classes=cifar_files.CLASSES,
        presets=presets.cifar10_presets(),
        demo_presets=("tiny",),
        source=cifar_files.open_source,
        metrics=_METRICS,
        write_demo=demo.write_cifar10,
        paper_rows=(),
    )
