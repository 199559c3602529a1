# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The pixels of small JPEGs in the protocol `original` are those that TensorFlow gave."""

import base64
import hashlib

import numpy as np
import pytest
from perceiver_bench.tasks.imagenet import decoding

# Of 24 rows and 16 columns, the odd one of 11 and 13. Bytes, for what encoders write differs.
FILES = {
    "4:4:4": (
        "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIs"
        "IxwcKDcpLDAxNDQ0Hyc5PTgyPC4zNDL/2wBDAQkJCQwLDBgNDRgyIRwhMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIy"
        "MjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjL/wAARCAAYABADAREAAhEBAxEB/8QAFwABAAMAAAAAAAAAAAAAAAAA"
        "BgMEBf/EACgQAAEDAQcCBwAAAAAAAAAAAAECAxEEAAUGEiExUUGREyIyYaGx8P/EABcBAAMBAAAAAAAAAAAAAAAA"
        "AAQFBgf/xAAsEQABAQUFBwUBAAAAAAAAAAABAwACBAURBiExQfBRYYGhscHRExQVkfFx/9oADAMBAAIRAxEAPwC9"
        "ja/Wg8KKkcLZE+kiBCogknbvZZJIJ+ZTQrPC4HW39LVUrQRl6Dyr434V488y0F0JWy0HXWUqRGcq13kHvpOvPvYm"
        "1a/uYtyEcOeX5hlwvaAtLaUrKemhXHrrMMGw6ivxLeztY8pavPmMfMGdtek2pZMinL4J5Z4Cpr4wptzu7sTP5uXX"
        "AkldlrQ8O71CqOn8NBCRkEaTmPJG+3U2lJG58lNTEPCoB+t3PVWV2cs+9Gqeo/hz1eezbGGcMs4Zw0mpfQILZVKh"
        "IMmeY46WLnkwLkGEEzjsuPTv1ZlDyn30VUjho5G6/LexevrBed5FTYcXrAlOUjSPuPwszs3DfGyx6IUpUgnX9bRX"
        "DDymEFKAftPP3Rv/2Q=="
    ),
    "4:2:2": (
        "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIs"
        "IxwcKDcpLDAxNDQ0Hyc5PTgyPC4zNDL/2wBDAQkJCQwLDBgNDRgyIRwhMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIy"
        "MjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjL/wAARCAAYABADASEAAhEBAxEB/8QAFwABAAMAAAAAAAAAAAAAAAAA"
        "BgMEBf/EACgQAAEDAQcCBwAAAAAAAAAAAAECAxEEAAUGEiExUUGREyIyYaGx8P/EABcBAAMBAAAAAAAAAAAAAAAA"
        "AAEEBgX/xAAmEQABAwMCBQUAAAAAAAAAAAABAgMEAAXwBhESITJRgSJBkaGx/9oADAMBAAIRAxEAPwC9ja/Wg8KK"
        "kcLZE+kiBCogknbvaC6ErZaDrrKVIjOVa7yD30nXn3sglBRZXHDyLy9vvznim9QT0Wy1IjN9RznhoNh1FfiW9nax"
        "5S1efMY+YM7a9Js7vUKo6fw0EJGQRpOY8kb7dTbVlNpBgwQPfiP7nap6Q0q73hDI6U1sYZwyzhnDSal9AgtlUqEg"
        "yZ5jjpYvX1gvO8ipsOL1gSnKRpH3H4WEVwu3cvb+lpBzPmqrTsVuKl2e4O9f/9k="
    ),
    "4:2:0": (
        "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIs"
        "IxwcKDcpLDAxNDQ0Hyc5PTgyPC4zNDL/2wBDAQkJCQwLDBgNDRgyIRwhMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIy"
        "MjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjL/wAARCAAYABADASIAAhEBAxEB/8QAGAAAAgMAAAAAAAAAAAAAAAAA"
        "AAYDBAX/xAAoEAABAwIGAQMFAAAAAAAAAAABAgMRAAQFBhIhMVFBEyKRMmGhsfD/xAAVAQEBAAAAAAAAAAAAAAAA"
        "AAADBf/EACIRAAEEAQMFAQAAAAAAAAAAAAMBAgQFABEhIhMjMUFhcf/aAAwDAQACEQMRAD8AvZ2x1oPCytHC2RP0"
        "kQIVEEk8fNQYQlbLQddZSpEayrfmQfnad+/vSNl1F/mXFnbx5S1e/UY/MGeN/E094qFWdv6aCEjQI2nUeyOePJoy"
        "ROlDFBRe4d2rvzCtLE8pzKmuTRPapmxlnLLOWctJuX0CC2VSoSDJnuOvFK9/eDE8SKmw4veBKdJG0fuP4UUU0B7i"
        "WJTu8jZx+Zepwjiwyyxpz33z/9k="
    ),
    "odd size": (
        "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIs"
        "IxwcKDcpLDAxNDQ0Hyc5PTgyPC4zNDL/2wBDAQkJCQwLDBgNDRgyIRwhMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIy"
        "MjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjL/wAARCAALAA0DASIAAhEBAxEB/8QAFgABAQEAAAAAAAAAAAAAAAAA"
        "BAYH/8QAJRAAAQQCAAQHAAAAAAAAAAAAAQIDBBEAIQUGQZESExQxMlGB/8QAFAEBAAAAAAAAAAAAAAAAAAAABP/E"
        "ACARAAEDAgcAAAAAAAAAAAAAAAEAAgQDBQYSEyEiQXH/2gAMAwEAAhEDEQA/AHc7cdaDwhRHC2RfxIoUqqJJ9u+A"
        "hsSPTJIYKvEbJSop39a7/uRIkvSeZX1POqWrzk7J3u7zQpri4iWEsKLYU2Ca6muuFlNdDs7NM86ziSfN0fEV6rRQ"
        "yBFGUDtf/9k="
    ),
    "progressive": (
        "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIs"
        "IxwcKDcpLDAxNDQ0Hyc5PTgyPC4zNDL/2wBDAQkJCQwLDBgNDRgyIRwhMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIy"
        "MjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjL/wgARCAAYABADASIAAhEBAxEB/8QAFwAAAwEAAAAAAAAAAAAAAAAA"
        "AAMFBP/EABUBAQEAAAAAAAAAAAAAAAAAAAIE/9oADAMBAAIQAxAAAAF64d0jZLB3/wD/xAAcEAACAgIDAAAAAAAA"
        "AAAAAAADBAECERITISL/2gAIAQEAAQUCdPGRdQvuyUviqy0LLXvyE//EABkRAAMBAQEAAAAAAAAAAAAAAAIDBAAB"
        "Mf/aAAgBAwEBPwGqg295JPowFSSaPu//xAAbEQACAgMBAAAAAAAAAAAAAAABAgADBCFCEv/aAAgBAgEBPwFqvNK0"
        "dOdyglshnPI1P//EABoQAAMAAwEAAAAAAAAAAAAAAAABEQISIVH/2gAIAQEABj8C0xcK0PNkNn4cp//EAB0QAAIC"
        "AQUAAAAAAAAAAAAAAAERACExUXGBkaH/2gAIAQEAAT8h8lN4JUSMuCaSbcZCq7g8HVcu2cKf/9oADAMBAAIAAwAA"
        "ABBX3//EABgRAQADAQAAAAAAAAAAAAAAAAEAEUEh/9oACAEDAQE/EBlo1IA2+z//xAAZEQACAwEAAAAAAAAAAAAA"
        "AAAAMQERcYH/2gAIAQIBAT8QpqWsDzuI/8QAHxABAQACAgIDAQAAAAAAAAAAAREhMQBRQZFhobHw/9oACAEBAAE/"
        "EBhyLsQkRV174VmN5bo+8XPfzzboqfcbrPi8NCCZi12m9eXgF4qhRre5144TBlhaGJ+z+Of/2Q=="
    ),
    "grey": (
        "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIs"
        "IxwcKDcpLDAxNDQ0Hyc5PTgyPC4zNDL/wAALCAAYABABAREA/8QAFwABAAMAAAAAAAAAAAAAAAAABgMEBf/EACgQ"
        "AAEDAQcCBwAAAAAAAAAAAAECAxEEAAUGEiExUUGREyIyYaGx8P/aAAgBAQAAPwC9ja/Wg8KKkcLZE+kiBCogknbv"
        "aC6ErZaDrrKVIjOVa7yD30nXn3sGw6ivxLeztY8pavPmMfMGdtek2d3qFUdP4aCEjII0nMeSN9uptsYZwyzhnDSa"
        "l9AgtlUqEgyZ5jjpYvX1gvO8ipsOL1gSnKRpH3H4W//Z"
    ),
    "cmyk": (
        "/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwAIBgYHBgUIBwcHCQkICgwUDQwLCwwZEhMPFB0aHx4dGhwcICQuJyAiLCMc"
        "HCg3KSwwMTQ0NB8nOT04MjwuMzQy/8AAFAgAGAAQBEMRAE0RAFkRAEsRAP/EABsAAAEFAQEAAAAAAAAAAAAAAAcB"
        "AgMFBgQA/8QALRAAAQMCBgEDBAEFAAAAAAAAAQIDEQQhBQYHEjFBABNRYRQigZFxFTIzQqH/2gAOBEMATQBZAEsA"
        "AD8AFtJQYpmrEmipJWFLSiAvbIKbJCQIHHQ7mOfOvSbKv0wexjEWEOpEK3OJJUrcmd1gbwYMwZ8t8SeRkbSNplW9"
        "x91kFCSJMwI5SI6uek8dF2p7hqMbypl6mO9LW0hKUldtwEqESbhI/PuT4a8kaZNUtMXq15oOhACTAUqwgKmJA6+0"
        "9c8TmNVc2pxTFEYdQVDqTv8ATCBF0qBH6Mx7n5iPOTSPD04RlfEMfdStLykSr1Rt2wDtgkgz2R8iDa/tRWP6jqVl"
        "rLrLhUhlKUuIUsWiCLdcH9kearAMo4dgNIj6hDRVc7pA2yAE2tewP8/sk7O+MYdk3LLdBSJQgen6aN4meQJSBzI5"
        "MeVusuJor8fw7L9ItxLbbaEq2yqO/wC6bqAMAfPMnyRBYzPr6D64dYpU7toNtqU3TBPRmfa0dRR501FYwlkMNJV6"
        "wUQVEwkDsSBBggSP2R4I9NsuHNOYFV1SkupDpJAUAUgzZJ4iSeD+r+Xed6hGUdLmcIaeU286kAkpVcxII9z9sRaB"
        "PtdcIQ/jWuNY86qaaiSoyo/5IEBVhzEkSYuOreYzO+qby1GipahwK3kFaDB7FvtkgiTYxJ9vIc2Yu/nbNiqOmIJS"
        "4EbEq2lJAA5N7Gf9v+keZHLjK846s1Na8iPSUN3qGUgJPUnqOIsT8eQ6ZOKex/NOY3iICTJUkqg8wfzFhE+Dumoc"
        "VzLiS0OklySSQdySSQpXvyLR8ifkz5boKbImSw46WGUlEq+6dwBPP83P4NpJHj9Uas5n1Bo8CppDTS0oUEKG3u5P"
        "cQb8X8XTEtsUWasxVJUhbQW2gOWBA94uY3Ae3J78/9k="
    ),
}
JPEGS = {kind: base64.b64decode(text) for kind, text in FILES.items()}
ADOBE = b"\xff\xee\x00\x0eAdobe\x00d\x00\x00\x00\x00\x00"
JPEGS["cmyk without adobe"] = JPEGS["cmyk"].replace(ADOBE, b"")
JPEGS["ycck"] = JPEGS["cmyk"].replace(ADOBE, ADOBE[:-1] + b"\x02")

# The first three pixels and the digest of all, from tf.io.decode_jpeg(content, channels=3) of
# TensorFlow 2.21.
TENSORFLOW = {
    "4:4:4": (
        [[164, 173, 238], [119, 250, 154], [150, 242, 133]],
        "94249af2821bb9f5004ad1fa9dd0bc711c84077ef38445f258312c19da8a9aac",
    ),
    "4:2:2": (
        [[132, 201, 180], [164, 224, 170], [185, 229, 105]],
        "415e3ccfa76f78074579ce9eba93973e9b091ef65573080d545695c36101ecbd",
    ),
    "4:2:0": (
        [[129, 206, 164], [164, 226, 159], [191, 226, 108]],
        "22402107830c2a074058622da86ed57e3efca42295a08ba93ee6bd62abc6d887",
    ),
    "odd size": (
        [[126, 202, 192], [165, 223, 175], [202, 221, 103]],
        "6c8df299286b9266d2735ce1155929b5f559291166c77a38f07d0478fb9ed466",
    ),
    "progressive": (
        [[129, 206, 164], [164, 226, 159], [191, 226, 108]],
        "22402107830c2a074058622da86ed57e3efca42295a08ba93ee6bd62abc6d887",
    ),
    "grey": (
        [[178, 178, 178], [200, 200, 200], [202, 202, 202]],
        "90ee62fdacdcbce0f6bce5ccc03ab512cafeb0c5f3d8a36b07f171fd7ad8d9b3",
    ),
    "cmyk": (
        [[37, 56, 5], [95, 10, 98], [111, 0, 126]],
        "a70a262d15628ef69d4e85876ab93f6d4d1ec8795f7c7e67f307650afb02c07b",
    ),
    "cmyk without adobe": (
        [[87, 70, 117], [26, 46, 25], [0, 0, 0]],
        "dc6c7b2ca85f5569213670859313a5dfa26db85b08f24d6e702c786612d342ea",
    ),
    "ycck": (
        [[132, 47, 111], [117, 75, 206], [147, 99, 255]],
        "22036247893b17831f394f5f4a56195af203fffa3d3b60dcdd3572b6559ea0a4",
    ),
}


@pytest.mark.parametrize("kind", TENSORFLOW)
def test_pixels_are_those_of_tensorflow(kind):
    pixels = decoding.decode(JPEGS[kind], "original")
    assert pixels.shape == ((11, 13, 3) if kind == "odd size" else (24, 16, 3))
    first, digest = TENSORFLOW[kind]
    assert pixels[0, :3].tolist() == first
    assert hashlib.sha256(pixels.tobytes()).hexdigest() == digest


@pytest.mark.parametrize("kind", TENSORFLOW)
def test_pixels_of_pillow_are_near_and_others(kind):
    original, pillow = (
        decoding.decode(JPEGS[kind], protocol).astype(int) for protocol in ("original", "pillow")
    )
    assert (original != pillow).mean() > 0.3
    assert np.abs(original - pillow).mean() < 2
