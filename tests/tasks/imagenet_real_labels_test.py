# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import json

import pytest
from perceiver_bench.tasks.imagenet import real_labels

from perceiver_bench import errors

LABELS = [[n % 1000, 3] if n % 5 else [] for n in range(50_000)]


def written(folder, content):
    path = folder / "real.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def test_labels_are_read(tmp_path):
    labels = real_labels.read(written(tmp_path, LABELS))
    assert [list(one) for one in labels] == LABELS


@pytest.mark.parametrize(
    "name",
    [
        "n01440764/ILSVRC2012_val_00000007.JPEG",
        "ILSVRC2012_val_00000007.JPEG",
        "ILSVRC2012_val_00000007_n01751748.JPEG",
        "val/n01440764/ILSVRC2012_val_00000007.jpg",
    ],
)
def test_names_give_the_number(name):
    labels = [(n,) for n in range(50_000)]
    assert real_labels.of_images(labels, [name]) == [(6,)]


def test_the_first_and_the_last_number():
    labels = [(n,) for n in range(50_000)]
    names = ["ILSVRC2012_val_00050000.JPEG", "ILSVRC2012_val_00000001.JPEG"]
    assert real_labels.of_images(labels, names) == [(49_999,), (0,)]


@pytest.mark.parametrize(
    "name",
    [
        "n01440764/n01440764_10026.JPEG",
        "ILSVRC2012_val_00000000.JPEG",
        "ILSVRC2012_val_00050001.JPEG",
        "ILSVRC2012_val_99999999.JPEG",
        "ILSVRC2012_test_00000001.JPEG",
        "ILSVRC2012_val_1.JPEG",
        "ILSVRC2012_val_000000011.JPEG",
        "xILSVRC2012_val_00000001.JPEG",
        "ILSVRC2012_val_00000001",
    ],
)
def test_names_without_a_number_are_named(name):
    with pytest.raises(errors.UserError) as caught:
        real_labels.of_images(LABELS, ["ILSVRC2012_val_00000001.JPEG", name])
    assert f"the image {name} has no number" in str(caught.value)


WRONG = {
    "no list": {"labels": LABELS},
    "too few": LABELS[:-1],
    "too many": [*LABELS, []],
    "not JSON": b"\x89PNG not JSON",
    "not text": b"\xff\xfe\x00",
    "empty": b"",
    "cut short": json.dumps(LABELS).encode()[:-5],
    "deeply nested": b"[" * 100_000,
}


@pytest.mark.parametrize("kind", WRONG)
def test_other_files_are_refused(tmp_path, kind):
    path = written(tmp_path, WRONG[kind])
    with pytest.raises(errors.UserError) as caught:
        real_labels.read(path)
    assert str(caught.value).startswith(f"--set=data.real_labels={path}: no ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "labels", [[1000], [-1], [1.0], [True], ["1"], [None], 5, None, "12", {"0": 1}, [[1]]], ids=repr
)
def test_other_labels_are_refused(tmp_path, labels):
    path = written(tmp_path, [*LABELS[:41_233], labels, *LABELS[41_234:]])
    with pytest.raises(errors.UserError, match="entry 41,234 is no list of labels from 0 to 999"):
        real_labels.read(path)


def test_a_huge_file_is_not_read(tmp_path, monkeypatch):
    path = tmp_path / "real.json"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    monkeypatch.setattr(json, "loads", lambda *_: pytest.fail("read"))
    with pytest.raises(errors.UserError, match="1,099,511,627,776 bytes are too many"):
        real_labels.read(path)


def test_a_missing_file_is_named(tmp_path):
    for path in (tmp_path / "nothing.json", tmp_path):
        with pytest.raises(errors.UserError, match=f"{path}: no such file; give real.json"):
            real_labels.read(path)
