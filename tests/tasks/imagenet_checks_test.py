# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import hashlib
import logging
import threading

import imagenet_made_files as made
import pytest
from perceiver_bench.tasks.imagenet import checks, classes, decoding, ends, layouts, threads

from perceiver_bench import errors

LABELS = [0, 3, 3, 7, 999, 7, 0]
# Longer than what is looked at, so that there is a middle.
PICTURES = made.pictures(len(LABELS), size=(120, 160))
assert min(map(len, PICTURES)) > 2 * checks.END_BYTES


def write(data_dir, contents, labels=LABELS):
    made.write_class_folders(data_dir / "val", made.validation_images(labels, contents))
    return layouts.open_images(data_dir, "validation")


def name_of(index):
    return f"{classes.WNIDS[LABELS[index]]}/ILSVRC2012_val_{index + 1:08}.JPEG"


def changed(**contents):
    """The pictures, but for those given as p0, p1, ..."""
    return [contents.get(f"p{index}", content) for index, content in enumerate(PICTURES)]


def check(files, skip_bad=0, split="validation"):
    return checks.check(files, split, skip_bad)


def bad_names(files, checked):
    return {files.names[index]: reason for index, reason in checked.bad.items()}


def test_good_files_pass_in_silence(tmp_path, caplog):
    files = write(tmp_path, PICTURES)
    assert check(files).bad == {}
    assert not caplog.records


CUT = PICTURES[1][: len(PICTURES[1]) // 2]
NO_IMAGE = b"<html><body>404 Not Found</body></html>\n" * 30
BAD = {
    "cut short": ("p1", CUT, "cut short"),
    "without its last byte": ("p1", PICTURES[1][:-1], "cut short"),
    "cut short in its header": ("p1", PICTURES[1][:12], "cut short"),
    "empty": ("p4", b"", "empty"),
    "a text": ("p6", NO_IMAGE, "neither JPEG nor PNG"),
    "a copy": ("p5", PICTURES[2], f"a copy of {name_of(2)}"),
    "one byte": ("p3", b"\xff", "neither JPEG nor PNG"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_named_and_refused_or_skipped(tmp_path, caplog, kind):
    place, content, reason = BAD[kind]
    index = int(place[1])
    files = write(tmp_path, changed(**{place: content}))
    with pytest.raises(errors.UserError) as caught:
        check(files)
    message = str(caught.value)
    start = f"--data_dir: 1 of 7 validation images is bad: {name_of(index)} ({reason}"
    assert message.startswith(start)
    assert message.endswith("; mend it or go on without with --skip_bad=1")
    assert "\n" not in message
    assert not caplog.records
    checked = check(files, skip_bad=1)
    ((name, found),) = bad_names(files, checked).items()
    assert name == name_of(index)
    assert found.startswith(reason)
    assert f"1 of 7 validation images is bad and skipped: {name_of(index)} ({reason}" in caplog.text


def test_all_bad_files_are_found_and_counted(tmp_path):
    contents = changed(p1=CUT, p3=b"", p4=NO_IMAGE, p6=PICTURES[0])
    files = write(tmp_path, contents)
    for too_few in range(4):
        with pytest.raises(errors.UserError, match=r"4 of 7 .* are bad: .*; mend them or .*=4$"):
            check(files, too_few)
    assert set(bad_names(files, check(files, 4))) == {name_of(index) for index in (1, 3, 4, 6)}
    assert check(files, 5).bad == check(files, 4).bad


def test_of_many_bad_files_the_first_are_named(tmp_path, caplog):
    labels = [0] * 40
    contents = [b""] * 30 + made.pictures(10)
    files = write(tmp_path, contents, labels)
    with pytest.raises(errors.UserError) as caught:
        check(files)
    assert str(caught.value).count("(empty)") == 5
    assert ", ... and 25 more; mend them" in str(caught.value)
    checked = check(files, 30)
    assert len(checked.bad) == 30
    assert caplog.text.count("(empty)") == 20
    assert ", ... and 10 more" in caplog.text
    facts = checks.with_skipped(checked.facts, files, checked.bad)
    assert facts["num_skipped"] == 30
    assert facts["skipped"] == files.names[:20]


def test_nothing_is_left_to_go_on_with(tmp_path):
    files = write(tmp_path, [b"", NO_IMAGE, CUT], [0, 1, 2])
    with pytest.raises(errors.UserError, match=r"3 of 3 .* are bad: .*; copy the data again"):
        check(files, 100)


def test_two_empty_files_are_no_copies_and_three_equal_ones_are_two(tmp_path):
    contents = changed(p0=b"", p1=b"", p3=PICTURES[2], p6=PICTURES[2])
    files = write(tmp_path, contents)
    found = bad_names(files, check(files, 4))
    # By name, as the folders are: index 6 lies in the first class.
    first = name_of(6)
    assert found == {
        name_of(0): "empty",
        name_of(1): "empty",
        name_of(2): f"a copy of {first}",
        name_of(3): f"a copy of {first}",
    }


def test_files_with_equal_ends_are_no_copies(tmp_path):
    content = bytearray(PICTURES[0])
    content[len(content) // 2 - 40] ^= 1
    assert decoding.looks_whole(content[:8], content[-12:])
    files = write(tmp_path, changed(p2=bytes(content)))
    assert check(files).bad == {}


def test_copies_in_training_and_in_the_whole_official_set_are_told(tmp_path, caplog, monkeypatch):
    images = made.training_images(LABELS, changed(p5=PICTURES[2], p6=PICTURES[2]))
    made.write_class_folders(tmp_path / "train", images)
    files = layouts.open_images(tmp_path, "train")
    checked = check(files, split="train")
    assert checked.bad == {}
    assert checked.facts["num_copies"] == 2
    assert "2 of 7 train images are copies of others, such as" in caplog.text
    official = {"train": 9, "validation": len(LABELS)}
    monkeypatch.setattr("perceiver_bench.tasks.imagenet.files.OFFICIAL_NUM_EXAMPLES", official)
    whole = write(tmp_path, changed(p5=PICTURES[2]))
    assert check(whole).facts["num_copies"] == 1
    monkeypatch.setitem(official, "validation", len(LABELS) + 1)
    with pytest.raises(errors.UserError, match="a copy of"):
        check(layouts.open_images(tmp_path, "validation"))


def test_bytes_after_an_image_are_no_fault(tmp_path):
    files = write(tmp_path, changed(p2=PICTURES[2] + b"appended"))
    assert check(files).bad == {}


def test_only_the_ends_of_good_files_are_read(tmp_path, monkeypatch):
    files = write(tmp_path, changed(p1=CUT))
    read = []
    whole = type(files).read
    monkeypatch.setattr(
        type(files), "read", lambda self, index: (read.append(index), whole(self, index))[1]
    )
    checked = check(files, 1)
    assert read == list(checked.bad)


@pytest.mark.parametrize("count", [1, 100, checks.END_BYTES])
def test_ends_are_those_of_the_content(tmp_path, count):
    contents = changed(p1=b"x" * 99, p2=b"y" * 100, p3=b"")
    images = made.validation_images(LABELS, contents)
    made.write_class_folders(tmp_path / "folders/val", images)
    made.write_devkit(tmp_path, images)
    (tmp_path / "ILSVRC2012_img_val.tar").write_bytes(made.validation_tar(images))
    made.write_parquet(tmp_path / "parquet", "validation", images)
    for folder in (tmp_path / "folders", tmp_path, tmp_path / "parquet"):
        files = layouts.open_images(folder, "validation")
        for index in range(len(LABELS)):
            content = files.read(index)
            assert ends.read(files, index, count) == (content[:count], content[-count:])


def test_the_digest_is_of_the_content_whatever_the_layout_and_the_names(tmp_path):
    images = made.validation_images(LABELS, PICTURES)
    made.write_class_folders(tmp_path / "a/val", images)
    for name in ("b", "c"):
        (tmp_path / name).mkdir()
        made.write_devkit(tmp_path / name, images)
    made.write_flat(tmp_path / "b/val", images)
    (tmp_path / "c/ILSVRC2012_img_val.tar").write_bytes(made.validation_tar(images))
    facts = [
        check(layouts.open_images(tmp_path / name, "validation")).facts for name in ("a", "b", "c")
    ]
    assert [one["layout"] for one in facts] == ["folders", "flat", "tar"]
    assert len({one["sha256"] for one in facts}) == 1
    pieces = sorted(
        len(content).to_bytes(8, "big") + hashlib.sha256(content[-4096:]).digest()
        for content in PICTURES
    )
    assert facts[0]["sha256"] == hashlib.sha256(b"".join(pieces)).hexdigest()
    assert facts[1]["names_digest"] == facts[2]["names_digest"] != facts[0]["names_digest"]
    assert facts[0]["num_examples"] == len(LABELS)
    assert facts[0]["num_classes"] == len(set(LABELS))
    assert facts[0]["official_num_examples"] == 50_000


def test_any_change_changes_a_digest(tmp_path):
    first = check(write(tmp_path / "a", PICTURES)).facts
    renamed = [LABELS[0], 4, *LABELS[2:]]
    relabelled = check(write(tmp_path / "b", PICTURES, renamed)).facts
    assert relabelled["sha256"] == first["sha256"]
    assert relabelled["labels_digest"] != first["labels_digest"]
    other = made.pictures(1, seed=9)[0]
    replaced = check(write(tmp_path / "c", changed(p3=other))).facts
    assert replaced["sha256"] != first["sha256"]
    assert replaced["labels_digest"] == first["labels_digest"]


def test_files_of_unknown_size_are_not_read(tmp_path, monkeypatch):
    images = made.validation_images(LABELS, changed(p1=CUT))
    made.write_parquet(tmp_path, "validation", images)
    files = layouts.open_images(tmp_path, "validation")
    monkeypatch.setattr(type(files), "read", lambda *_: pytest.fail("read"))
    checked = check(files)
    assert checked.bad == {}
    assert len(checked.facts["sha256"]) == 64


def test_threads_give_results_in_order_and_at_the_same_time():
    both = threading.Barrier(2, timeout=30)

    def wait(index):
        if index in (0, 16):
            both.wait()  # never passes unless two threads come to it
        return index * index

    count = 5003
    assert list(threads.in_order(wait, count, "")) == [i * i for i in range(count)]
    assert list(threads.in_order(wait, 0, "")) == []


def test_threads_run_ahead_by_a_bounded_number():
    seen = []
    results = threads.in_order(seen.append, 100_000, "")
    next(results)
    assert len(seen) <= 1000
    results.close()
    assert len(seen) <= 1000


def test_long_work_tells_how_far_it_is(monkeypatch, caplog):
    list(threads.in_order(abs, 100, "checking images"))
    assert not caplog.records
    monkeypatch.setattr(threads, "_SECONDS_BETWEEN_LINES", -1)
    with caplog.at_level(logging.INFO, logger="absl"):
        list(threads.in_order(abs, 1000, "checking images"))
    assert "checking images: 512 of 1,000 images" in caplog.text


def test_threads_pass_faults_on():
    def fail(index):
        if index == 70:
            raise errors.UserError("seventy")
        return index

    with pytest.raises(errors.UserError, match="seventy"):
        list(threads.in_order(fail, 10_000, ""))
