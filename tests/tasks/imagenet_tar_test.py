# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import io
import os
import tarfile

import hypothesis
import imagenet_made_files as made
import pytest
from hypothesis import strategies as st
from perceiver_bench.tasks.imagenet import classes, layouts, tar_files

from perceiver_bench import errors

LABELS = (7, 0, 999, 7)
KINDS = {
    "ustar": tarfile.USTAR_FORMAT,
    "GNU": tarfile.GNU_FORMAT,
    "pax": tarfile.PAX_FORMAT,
}


@pytest.fixture(scope="module")
def images():
    return made.training_images(LABELS)


def train(folder, content):
    path = folder / "ILSVRC2012_img_train.tar"
    path.write_bytes(content)
    return tar_files.open_train(path)


def refused(folder, content, match):
    with pytest.raises(errors.UserError, match=match) as caught:
        train(folder, content)
    assert str(caught.value).isprintable()
    return str(caught.value)


def contents(opened):
    return {name: (int(opened.labels[i]), opened.read(i)) for i, name in enumerate(opened.names)}


def tar_with(*members):
    """A tar of headers as they are given, each with its content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def header(name, size=0, **values):
    info = tarfile.TarInfo(name)
    info.size = size
    for key, value in values.items():
        setattr(info, key, value)
    return info


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_header_is_read(tmp_path, images, kind):
    long = [
        image._replace(name=f"{image.wnid}_{'long' * 50}_ü_{i}.JPEG")
        for i, image in enumerate(images)
    ]
    used = images if kind == "ustar" else long
    opened = train(tmp_path, made.training_tar(used, KINDS[kind]))
    assert contents(opened) == {
        f"{image.wnid}/{image.name}": (label, image.content)
        for image, label in zip(used, LABELS, strict=True)
    }
    assert opened.sizes.tolist() == [len(opened.read(i)) for i in range(len(LABELS))]


def test_the_order_is_that_of_class_folders_whatever_the_order_of_the_tar(tmp_path, images):
    opened = train(tmp_path, made.training_tar(images[::-1]))
    made.write_class_folders(tmp_path / "train", images)
    folders = layouts.open_images(tmp_path, "train")
    assert folders.layout == "folders"
    assert list(opened.names) == list(folders.names)
    assert opened.labels.tolist() == folders.labels.tolist()
    assert opened.sizes.tolist() == folders.sizes.tolist()


def test_the_tar_that_the_tool_writes_is_read(tmp_path, images):
    """Folders, hidden files and what is no image are no members that count."""
    made.write_class_folders(tmp_path / "made", images)
    (tmp_path / "made" / "n01440764" / "._n01440764_10.JPEG").write_bytes(b"hidden")
    (tmp_path / "made" / "n01440764" / "list.txt").write_bytes(b"text")
    inner = {}
    for wnid in sorted(os.listdir(tmp_path / "made")):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            tar.add(tmp_path / "made" / wnid, arcname=".")
        inner[f"./{wnid}.tar"] = buffer.getvalue()
    opened = train(tmp_path, made.tar_of(inner))
    assert sorted(opened.names) == sorted(f"{image.wnid}/{image.name}" for image in images)


def test_nothing_is_written_whatever_the_names_are(tmp_path):
    evil = {"../../evil.JPEG": b"one", "/evil2.JPEG": b"two"}
    before = sorted(tmp_path.parent.iterdir())
    opened = train(tmp_path, made.tar_of({"n01440764.tar": made.tar_of(evil)}))
    assert contents(opened) == {
        "n01440764/evil.JPEG": (0, b"one"),
        "n01440764/evil2.JPEG": (0, b"two"),
    }
    assert sorted(tmp_path.parent.iterdir()) == before


def test_every_cut_is_told(tmp_path, images):
    """A tar without its end never gives fewer images: not at one of all blocks."""
    content = made.training_tar([image._replace(content=image.content[:600]) for image in images])
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        end = max(info.offset_data + info.size for info in tar)
        places = {info.name: info.offset_data for info in tar}
    for length in [*range(512, end, 512), *range(700, end, 512), end]:
        refused(tmp_path, content[:length], r"cut short or damaged after \d whole files")
    # The end of a tar is two blocks of zeros, of which one is enough.
    assert len(train(tmp_path, content[: end + 512]).names) == len(images)
    second = places[f"{classes.WNIDS[0]}.tar"]
    message = refused(tmp_path, content[: second + 700], "download or copy it again")
    assert message.startswith(f"{tmp_path}/ILSVRC2012_img_train.tar: cut short or damaged after 1 ")


def test_a_tar_inside_that_is_cut_short_is_named(tmp_path, images):
    whole = made.tar_of({image.name: image.content for image in images})
    cut = {"n01440764.tar": whole[:-10_240], "n01443537.tar": made.tar_of({"a.JPEG": b"a"})}
    refused(tmp_path, made.tar_of(cut), r"img_train.tar/n01440764.tar: cut short .* after \d whole")


def test_a_validation_tar_cut_short_is_told(tmp_path):
    images = made.validation_images(LABELS)
    made.write_devkit(tmp_path, images)
    content = made.validation_tar(images)
    path = tmp_path / "ILSVRC2012_img_val.tar"
    path.write_bytes(content)
    with tarfile.open(path) as tar:
        starts = [info.offset for info in tar]
    for count, start in enumerate(starts):
        path.write_bytes(content[: start + 100])
        with pytest.raises(errors.UserError, match=f"val.tar: .* after {count} whole files"):
            layouts.open_images(tmp_path, "validation")


def test_a_tar_that_was_cut_after_it_was_opened(tmp_path, images):
    content = made.training_tar(images)
    opened = train(tmp_path, content)
    os.truncate(tmp_path / "ILSVRC2012_img_train.tar", 1024)
    with pytest.raises(errors.UserError, match=r"n15075141_20.JPEG is cut short"):
        opened.read(len(images) - 1)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({}, "it has no images"),
        ({"cats.tar": b"", "dogs.tar": b"", "n01440764.tar": b""}, "cats and 1 more are no wnid"),
        ({"n00004475.tar": b""}, "n00004475 is none of ImageNet's 1,000"),
        ({"n01440764_10.JPEG": b"image"}, "'n01440764_10.JPEG' is no tar of a class"),
        ({"n01440764.tar": b"", "a/n01440764.tar": b""}, "or is there twice"),
        ({"n01440764.tar": b"text"}, r"n01440764.tar: cut short or damaged after 0 whole files"),
        ({"n01440764.tar": made.tar_of({})}, "it has no images"),
        ({"n01440764.tar": made.tar_of({"a/1.JPEG": b"", "b/1.JPEG": b""})}, "are there again"),
        ({"n01440764.tar": made.tar_of({"a\nb.JPEG": b""})}, "that can be printed"),
    ],
    ids=[
        "empty",
        "no wnids",
        "other wnid",
        "image",
        "twice",
        "text",
        "empty inside",
        "name twice",
        "line break",
    ],
)
def test_what_is_no_training_tar_is_refused(tmp_path, members, message):
    refused(tmp_path, made.tar_of(members), message)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_other_things_are_refused(tmp_path, kind):
    link = header("b.JPEG", type=kind, linkname="/etc/passwd")
    inner = tar_with((header("a.JPEG", 1), b"a"), (link, b""))
    refused(tmp_path, made.tar_of({"n01440764.tar": inner}), "'b.JPEG' is a link or no plain file")


def with_size(content, start, field):
    """The tar with another size in the header at `start`, and its checksum."""
    block = bytearray(content[start : start + 512])
    block[124:136] = field
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return content[:start] + bytes(block) + content[start + 512 :]


@pytest.mark.parametrize("kind", [b"0", b"L", b"x", b"S"], ids=["file", "name", "pax", "sparse"])
@pytest.mark.parametrize(
    "field",
    [b"77777777777\0", b"\x80" + b"\x7f" * 11, b"\xff" * 10 + b"\xfe\x00", b"\xff" * 12],
    ids=["8 GB", "huge", "-512", "-1"],
)
def test_sizes_that_lie_are_refused(tmp_path, kind, field):
    content = made.tar_of({"a.JPEG": b"a" * 600, "b.JPEG": b"b" * 600})
    content = content[: 1536 + 156] + kind + content[1536 + 157 :]
    lying = with_size(content, 1536, field)
    refused(tmp_path, made.tar_of({"n01440764.tar": lying}), "n01440764.tar: ")


@hypothesis.settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
@hypothesis.given(st.lists(st.tuples(st.integers(0, 1 << 14), st.binary(max_size=20)), max_size=3))
def test_damage_is_refused_or_keeps_every_image(tmp_path, images, changes):
    """Damage of headers is found; that of contents is for those who decode them."""
    content = bytearray(made.training_tar(images))
    for start, some in changes:
        start %= len(content)
        content[start : start + len(some)] = some[: len(content) - start]
    try:
        opened = train(tmp_path, bytes(content))
    except errors.UserError:
        return
    assert len(opened.names) == len(images)
