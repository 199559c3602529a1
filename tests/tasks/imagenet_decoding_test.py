# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Files of true format, good and broken, against colours known beforehand."""

import concurrent.futures
import functools
import io
import struct

import hypothesis
import hypothesis.strategies as st
import numpy as np
import PIL.Image
import PIL.ImageFile
import pytest
import simplejpeg
from perceiver_bench.tasks.imagenet import decoding

ADOBE = b"\xff\xee\x00\x0eAdobe\x00d\x00\x00\x00\x00\x00"
END = b"\xff\xd9"
PROTOCOLS = ["original", "pillow"]


@pytest.fixture(params=PROTOCOLS)
def decode(request):
    return functools.partial(decoding.decode, protocol=request.param)


def picture(height=67, width=101, channels=3):
    """A smooth picture that no channel, row or column of which is like another."""
    y, x = np.mgrid[:height, :width] / max(height, width)
    waves = [127 + 120 * np.sin(3 * (c + 1) * x + (5 - c) * y + c) for c in range(channels)]
    return np.stack(waves, axis=-1).astype(np.uint8)


def encoded(pixels, kind="JPEG", mode=None, **options):
    image = PIL.Image.fromarray(pixels if mode != "L" else pixels[..., 0])
    if mode == "CMYK":
        image = PIL.Image.frombytes("CMYK", pixels.shape[1::-1], pixels.tobytes())
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def segment(kind, content):
    return bytes([0xFF, kind]) + struct.pack(">H", len(content) + 2) + content


def with_segment(jpeg, kind, content):
    return jpeg[:2] + segment(kind, content) + jpeg[2:]


def close(found, due, levels=12):
    """JPEG changes colours a little; what is wrongly read changes them a lot."""
    assert found.dtype == np.uint8
    assert found.shape == due.shape
    return np.abs(found.astype(int) - due).max() <= levels


JPEG = encoded(picture(), quality=95)
PROGRESSIVE = encoded(picture(), quality=95, progressive=True)
CMYK = encoded(picture(channels=4), mode="CMYK", quality=95)
PNG = encoded(picture(), "PNG")
KINDS = {"jpeg": JPEG, "progressive": PROGRESSIVE, "cmyk": CMYK, "png": PNG}
every_kind = pytest.mark.parametrize("content", KINDS.values(), ids=KINDS.keys())


@pytest.mark.parametrize(
    "options", [{}, {"subsampling": 0}, {"progressive": True}, {"restart_marker_blocks": 2}]
)
def test_jpegs_have_their_colours(decode, options):
    assert close(decode(encoded(picture(), quality=95, **options)), picture())


def test_pixels_are_those_of_pillow_in_its_protocol_alone():
    due = np.asarray(PIL.Image.open(io.BytesIO(JPEG)))
    np.testing.assert_array_equal(decoding.decode(JPEG, "pillow"), due)
    assert (decoding.decode(JPEG, "original") != due).mean() > 0.2


def test_samplings_that_simplejpeg_does_not_know_are_left_to_pillow(decode):
    # Blue differences finer than all else; one of each colour for 2 x 4 of brightness.
    for sampling in (b"\x11\x22\x11", b"\x24\x11\x11"):
        frame = JPEG.index(b"\xff\xc0")
        changed = bytearray(JPEG)
        changed[frame + 11 : frame + 18 : 3] = sampling
        with pytest.raises(ValueError, match="subsampling"):
            simplejpeg.decode_jpeg(bytes(changed), "RGB", strict=False)
        due = np.asarray(PIL.Image.open(io.BytesIO(changed)))
        np.testing.assert_array_equal(decode(bytes(changed)), due)


def test_stray_bytes_before_the_end_do_not_matter(decode):
    # libjpeg warns of them.
    stray = JPEG[:-2] + b"\x00" * 40 + END
    with pytest.raises(ValueError, match="extraneous"):
        simplejpeg.decode_jpeg(stray, "RGB")
    np.testing.assert_array_equal(decode(stray), decode(JPEG))


def test_images_are_decoded_side_by_side(decode):
    contents = list(KINDS.values()) * 25
    due = [decode(content) for content in KINDS.values()] * 25
    with concurrent.futures.ThreadPoolExecutor(8) as executor:
        for found, expected in zip(executor.map(decode, contents), due, strict=True):
            np.testing.assert_array_equal(found, expected)


def test_grey_jpegs_get_three_equal_channels(decode):
    found = decode(encoded(picture(), mode="L", quality=95))
    assert close(found, np.repeat(picture()[..., :1], 3, axis=-1))
    assert (found[..., :1] == found).all()


def without_black(stored):
    """Adobe's files store how much light every ink lets through."""
    return stored[..., :3].astype(int) * stored[..., 3:] // 255


def test_four_channels_of_adobe_are_stored_inverted(decode):
    # Pillow writes 255 less the ink, and Adobe's mark.
    assert ADOBE in CMYK
    assert close(decode(CMYK), without_black(255 - picture(channels=4)))


def test_four_channels_without_the_mark_of_adobe_are_not_inverted(decode):
    plain = CMYK.replace(ADOBE, b"")
    assert close(decode(plain), without_black(picture(channels=4)))


def test_four_channels_of_light_and_black(decode):
    # The same numbers as luminance and two differences of colour: ITU-R BT.601.
    stored = 255 - picture(channels=4).astype(float)
    luminance, blue, red = stored[..., 0], stored[..., 1] - 128, stored[..., 2] - 128
    colours = [
        luminance + 1.402 * red,
        luminance - 0.344136 * blue - 0.714136 * red,
        luminance + 1.772 * blue,
    ]
    inks = 255 - np.clip(np.stack(colours, axis=-1), 0, 255)
    due = without_black(np.concatenate([inks, stored[..., 3:]], axis=-1).astype(np.uint8))
    ycck = CMYK.replace(ADOBE, ADOBE[:-1] + b"\x02")
    found = decode(ycck)
    assert np.abs(found.astype(int) - due).mean() < 2


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0II*\0\x08\0\0\0\xff\xff",
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x1a\0\x05\0\0\0\x01\0\0\xff\xff\0\0\0\0",
        b"Exif\0\0" + bytes(40),
        b"Exif\0\0",
    ],
)
def test_broken_exif_is_not_read(decode, exif):
    # Warnings are errors here.
    found = decode(with_segment(JPEG, 0xE1, exif))
    np.testing.assert_array_equal(found, decode(JPEG))


def test_metadata_of_all_kinds_change_nothing(decode):
    changed = JPEG
    for kind, content in (
        (0xE2, b"MPF\0" + bytes(30)),
        (0xE2, b"ICC_PROFILE\0\x01\x01" + bytes(200)),
        (0xED, b"Photoshop 3.0\0" + b"8BIM" * 9),
        (0xFE, b"a comment with an end in it" + END),
    ):
        changed = with_segment(changed, kind, content)
    np.testing.assert_array_equal(decode(changed), decode(JPEG))


def test_the_orientation_of_exif_is_ignored(decode):
    exif = PIL.Image.Exif()
    exif[274] = 6
    turned = encoded(picture(), quality=95, exif=exif)
    np.testing.assert_array_equal(decode(turned), decode(JPEG))


@pytest.mark.parametrize(
    "content", [JPEG, PROGRESSIVE, CMYK, PNG], ids=["jpeg", "prog", "cmyk", "png"]
)
def test_bytes_after_the_image_are_allowed(decode, content):
    for more in (b"\0" * 9, b"\r\n", JPEG, END):
        np.testing.assert_array_equal(decode(content + more), decode(content))


@pytest.mark.parametrize(
    "content", [JPEG, PROGRESSIVE, CMYK, PNG], ids=["jpeg", "prog", "cmyk", "png"]
)
@pytest.mark.parametrize("fills", [False, True])
def test_files_cut_anywhere_are_bad(decode, monkeypatch, content, fills):
    # Whatever else in the process has told Pillow.
    monkeypatch.setattr(PIL.ImageFile, "LOAD_TRUNCATED_IMAGES", fills)
    for length in [*range(8, len(content) - 1, 97), len(content) - 2, len(content) - 1]:
        with pytest.raises(decoding.BadImage, match=r"cut (short|off)|damaged"):
            decode(content[:length])


@pytest.mark.parametrize("kind", ["jpeg", "progressive", "cmyk"])
@pytest.mark.parametrize("share", [0.6, 0.75, 0.9])
def test_files_cut_and_closed_are_bad(decode, kind, share):
    content = KINDS[kind]
    with pytest.raises(decoding.BadImage, match=r"cut short|damaged"):
        decode(content[: int(share * len(content))] + END)


def test_a_whole_picture_may_end_in_grey(decode):
    grey = np.full((40, 40, 3), 128, np.uint8)
    for options in ({}, {"progressive": True}):
        np.testing.assert_array_equal(decode(encoded(grey, **options)), grey)


def test_the_end_of_a_thumbnail_is_not_the_end(decode):
    thumbnail = b"Exif\0\0" + encoded(picture(8, 8))
    whole = with_segment(JPEG, 0xE1, thumbnail)
    np.testing.assert_array_equal(decode(whole), decode(JPEG))
    with pytest.raises(decoding.BadImage, match="cut short"):
        decode(whole[: len(whole) // 2])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "^empty$"),
        (b"some text in a file named .JPEG", r"neither JPEG nor PNG \(it begins with b'some tex'"),
        (b"\0" * 100, "neither JPEG nor PNG"),
        (encoded(picture(), "GIF"), "begins with b'GIF8"),
        (encoded(picture(), "BMP"), "begins with b'BM"),
        (encoded(picture(), "WEBP"), "begins with b'RIFF"),
        (b"\xff\xd8\xff", "^cut short$"),
        (JPEG[:2] + JPEG[-2:], "neither|cut short"),
        (b"\xff\xd8" + END + END, "cut short"),
        (PNG[:8], "^cut off in its header$"),
        (PNG[:20], "^cut off in its header$"),
    ],
)
def test_what_is_no_image_is_told(decode, content, reason):
    with pytest.raises(decoding.BadImage, match=reason):
        decode(content)


def claiming(width, height):
    """A JPEG whose header claims another size, and a PNG."""
    frame = JPEG.index(b"\xff\xc0") + 5
    jpeg = JPEG[:frame] + struct.pack(">HH", height, width) + JPEG[frame + 4 :]
    return jpeg, PNG[:16] + struct.pack(">II", width, height) + PNG[24:]


@pytest.mark.parametrize(("width", "height"), [(65535, 65535), (8193, 8192)])
@pytest.mark.parametrize("number", [0, 1])
def test_bombs_are_refused_before_they_are_unpacked(decode, monkeypatch, width, height, number):
    def refuse(*_, **__):
        raise AssertionError("a decoder has seen it")

    monkeypatch.setattr(PIL.Image, "open", refuse)
    monkeypatch.setattr(simplejpeg, "decode_jpeg", refuse)
    with pytest.raises(decoding.BadImage, match=r"larger than 67108864 pixels \(\d+ x \d+\)"):
        decode(claiming(width, height)[number])


def test_a_second_frame_cannot_smuggle_in_another_size(decode):
    begin = JPEG.index(b"\xff\xc0")
    frame = segment(0xC0, struct.pack(">BHH", 8, 60000, 60000) + JPEG[begin + 9 : begin + 19])
    small = JPEG[:begin] + JPEG[begin : begin + 19] + frame + JPEG[begin + 19 :]
    with pytest.raises(decoding.BadImage, match="damaged: frame 2"):
        decode(small)


def test_images_without_pixels_are_refused(decode):
    for content in claiming(0, 5):
        with pytest.raises(decoding.BadImage, match=r"no pixels \(0 x 5\)"):
            decode(content)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@hypothesis.settings(deadline=None, max_examples=150)
@hypothesis.given(
    content=st.sampled_from([JPEG, PROGRESSIVE, CMYK, PNG]),
    changes=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=4
    ),
)
def test_damage_anywhere_gives_an_image_or_is_told(protocol, content, changes):
    damaged = bytearray(content)
    for place, value in changes:
        damaged[int(place * len(damaged))] = value
    pixels, reason = None, ""
    try:
        pixels = decoding.decode(bytes(damaged), protocol)
    except decoding.BadImage as error:
        reason = str(error)
    if pixels is None:
        assert reason
        assert "\n" not in reason
    else:
        assert (pixels.dtype, pixels.ndim, pixels.shape[-1]) == (np.uint8, 3, 3)


@pytest.mark.parametrize(
    "content", [JPEG, PROGRESSIVE, CMYK, PNG], ids=["jpeg", "prog", "cmyk", "png"]
)
def test_whole_files_look_whole(content):
    assert decoding.looks_whole(content[:8], content[-12:])
    assert not decoding.looks_whole(content[:8], content[-13:-1])
    assert not decoding.looks_whole(content[1:9], content[-12:])
    # Which is no verdict: it is whole.
    assert not decoding.looks_whole(content[:8], (content + bytes(9))[-12:])


def test_what_is_no_image_does_not_look_whole():
    assert not decoding.looks_whole(b"", b"")
    assert not decoding.looks_whole(b"some tex", END)
    assert not decoding.looks_whole(PNG[:8], JPEG[-12:])
    assert not decoding.looks_whole(JPEG[:8], PNG[-12:])


def test_real_images_in_both_protocols(shared):
    folder = shared / "data" / "imagenet" / "val"
    if not folder.is_dir():
        pytest.skip(f"needs images of ImageNet in {folder}")
    paths = sorted(folder.glob("*/*.JPEG"))
    assert len(paths) == 100
    num_values = num_unequal = distance = 0
    for path in paths:
        content = path.read_bytes()
        assert decoding.looks_whole(content[:8], content[-12:])
        with PIL.Image.open(io.BytesIO(content)) as image:
            due = np.asarray(image.convert("RGB"))
        np.testing.assert_array_equal(decoding.decode(content, "pillow"), due, err_msg=path.name)
        found = decoding.decode(content, "original").astype(int)
        assert 0 < np.abs(found - due).max() < 30
        num_values += due.size
        num_unequal += np.count_nonzero(found != due)
        distance += np.abs(found - due).sum()
    # What TensorFlow's pixels gave.
    assert num_unequal / num_values == pytest.approx(0.67, abs=0.005)
    assert distance / num_values == pytest.approx(1.2, abs=0.05)
