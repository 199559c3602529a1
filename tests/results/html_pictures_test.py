# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What a results folder holds to look at, and how the page shows it."""

import base64
import os
import pathlib
import zlib

import html_made
import numpy as np
import pytest
from html_page import check
from perceiver_bench.tasks.imagenet import confusion

from perceiver_bench.results.html import page, pictures

ROOT = pathlib.Path(__file__).resolve().parents[2]
_SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 30.2 20"><path d="M0 0"/></svg>'


@pytest.fixture
def folder(tmp_path):
    """Where the pictures of glue/sst2 are, in an otherwise empty results folder."""
    found = tmp_path / "pictures" / "glue" / "sst2"
    found.mkdir(parents=True)
    return found


def _gallery(results_dir):
    return pictures.galleries(results_dir)["glue/sst2"]


def _shown_page(records, results_dir):
    out = results_dir / "report.html"
    page.write_html(records, html_made.paper_rows, out, results_dir=results_dir)
    return check(out.read_text(encoding="utf-8"))


def test_gallery_shows_files_and_says_what_it_leaves_out(tmp_path, monkeypatch):
    html_made.fill(tmp_path)
    folder = tmp_path / "pictures" / "glue" / "sst2"
    os.symlink("/etc/hostname", folder / "link.txt")
    (folder / "latin.txt").write_bytes(b"\xff")
    (folder / "no.mp4").write_bytes(b"no film here")
    (folder / "no.webm").write_bytes(b"no film here")
    (folder / "wrong.jpg").write_bytes(html_made.picture())
    (folder / "large.md").write_bytes(b" " * (pictures.MOST_TEXT_BYTES + 1))
    found = _gallery(tmp_path)
    assert [(one.name, one.kind) for one in found.shown] == [
        ("words.md", "text"),
        ("deeper/one.png", "picture"),
        ("film.mp4", "video"),
        ("two.jpg", "picture"),
    ]
    one = found.shown[1]
    assert (one.width, one.height) == (8, 4)
    content = base64.b64decode(one.content.removeprefix("data:image/png;base64,"))
    assert content == html_made.picture()
    assert dict(found.left_out) == {
        "broken.png": "not a PNG file",
        "large.md": "65,537 bytes, more than 65,536",
        "latin.txt": "not text in UTF-8",
        "link.txt": "not a plain file",
        "no.mp4": "not MP4 video",
        "no.webm": "not WEBM video",
        "wrong.jpg": "not a JPEG file",
    }
    size = found.shown[0].size
    monkeypatch.setattr(pictures, "MOST_BYTES_OF_PAGE", size)
    assert [one.name for one in _gallery(tmp_path).shown] == ["words.md"]
    monkeypatch.setattr(pictures, "MOST_FILES", 0)
    assert not _gallery(tmp_path).shown


def test_a_picture_of_too_many_pixels_is_left_out(tmp_path, folder):
    content = bytearray(html_made.picture())
    content[16:24] = (60_000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    (folder / "bomb.png").write_bytes(content)
    assert _gallery(tmp_path).left_out == (("bomb.png", "too many pixels"),)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (_SVG, (30, 20)),
        (_SVG.replace("0 0 30.2 20", "0,0,3,4"), (3, 4)),
        (_SVG.replace(' viewBox="0 0 30.2 20"', ""), (0, 0)),
        (_SVG.replace(' 20"', ' nan"'), (0, 0)),
        (_SVG.replace(' 20"', ' 1e999"'), (0, 0)),
        (f'<?xml version="1.0" encoding="utf-8"?><!DOCTYPE svg>{_SVG}', (30, 20)),
    ],
    ids=["spaces", "commas", "no box", "no number", "infinite", "with a document type"],
)
def test_drawings_are_shown_with_the_size_of_their_view_box(make, tmp_path, folder, text, size):
    (folder / "drawing.svg").write_text(text)
    (one,) = _gallery(tmp_path).shown
    assert (one.kind, one.width, one.height) == ("picture", *size)
    (image,) = _shown_page([make(0)], tmp_path).all("img")
    assert image["src"].startswith("data:image/svg+xml;base64,")
    assert ("width" in image) == (size != (0, 0))


_LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "ha"}">' for n in range(12))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<svg/>",
        "<html xmlns='http://www.w3.org/1999/xhtml'/>",
        _SVG[:-3],
        '<?xml version="1.0" encoding="no-such"?>' + _SVG,
        f"<!DOCTYPE svg [{_LAUGHS}]>{_SVG.replace('<path', '&l11;<path')}",
    ],
    ids=["empty", "no namespace", "another root", "cut short", "encoding", "entities"],
)
def test_what_is_no_drawing_is_left_out(tmp_path, folder, text):
    (folder / "drawing.svg").write_text(text)
    assert _gallery(tmp_path).left_out == (("drawing.svg", "not an SVG file"),)


def test_a_video_stands_beside_its_film_strip(tmp_path, folder):
    films = {"mp4": b"\0\0\0\x18ftypisom", "webm": b"\x1a\x45\xdf\xa3"}
    for name, kind in (("b_seed1", "mp4"), ("a_seed2", "webm"), ("alone", "mp4")):
        (folder / "videos").mkdir(exist_ok=True)
        (folder / "videos" / f"{name}.{kind}").write_bytes(films[kind] + bytes(64))
    for name in ("b_seed1", "a_seed2"):
        (folder / "strips").mkdir(exist_ok=True)
        (folder / "strips" / f"{name}.png").write_bytes(html_made.picture(30, 8))
    (folder / "success.md").write_text("| task | success |\n")
    (folder / "episodes.csv").write_text("task,success\n")
    found = _gallery(tmp_path).shown
    assert [one.name for one in found] == [
        "success.md",
        *("strips/a_seed2.png", "videos/a_seed2.webm"),
        *("strips/b_seed1.png", "videos/b_seed1.mp4"),
        "videos/alone.mp4",
    ]
    assert found[2].content.startswith("data:video/webm;base64,")


def test_frames_of_one_name_stay_in_the_order_of_their_folders(tmp_path, folder):
    names = [f"{scene}/frame_{number}.png" for scene in ("ambush", "cave") for number in (1, 2)]
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(html_made.picture())
    assert [one.name for one in _gallery(tmp_path).shown] == names


def test_the_first_dozen_is_open_and_the_rest_folded(make, tmp_path, folder):
    for number in range(14):
        (folder / f"{number:02}.png").write_bytes(html_made.picture())
    found = _shown_page([make(0)], tmp_path)
    images = [parents for tag, _, parents in found.tags if tag == "img"]
    assert ["details" in parents for parents in images] == [False] * 12 + [True] * 2
    assert "2 more to look at" in found.text


def test_a_task_without_a_record_shows_its_pictures_and_says_so(make, tmp_path):
    folder = tmp_path / "pictures" / "rlbench" / "embedded<i>"
    folder.mkdir(parents=True)
    (folder / "strip.png").write_bytes(html_made.picture())
    for records, tasks in (([make(0)], "1 run of 1 task,"), ([], "holds no record yet")):
        found = _shown_page(records, tmp_path)
        assert tasks in found.text
        assert found.text.count("No record yet.") == 1
        assert len(found.all("img")) == 1
        assert {"href": "#task/rlbench/embedded<i>"} in found.all("a")


def test_a_confusion_matrix_is_shown_as_it_is_written(make, tmp_path, folder):
    labels, predicted = [0, 0, 1], [0, 1, 1]
    content = confusion.picture(np.array(labels), np.array(predicted), ["cat", "dog"])
    (folder / "confusion.png").write_bytes(content)
    (image,) = _shown_page([make(0)], tmp_path).all("img")
    assert image["alt"] == "confusion.png, a picture of glue/sst2"
    assert base64.b64decode(image["src"].partition(",")[2]) == content
    assert int(image["width"]) >= 400


def test_the_committed_pictures_are_all_shown_and_small():
    found = pictures.galleries(ROOT / "results")
    files = [path for path in (ROOT / "results" / "pictures").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 500_000
    assert sum(len(gallery.shown) for gallery in found.values()) == len(files) > 0
    assert not any(gallery.left_out for gallery in found.values())
    (blanks,) = found["language/sentencepiece"].shown
    assert "[, | monster]" in blanks.content
