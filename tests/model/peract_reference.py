# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""PerAct's network as its paper and release have it, in PyTorch, from the arrays of a state dict.

Written for the tests alone: every convolution is spelled out, and nothing is rewritten.
"""

import numpy as np
import torch
from torch.nn import functional


def voxel_grid(points, colours, bounds, size):
    """Returns [V, V, V, 10] in float64 of points [n, 3], point after point."""
    points, colours, bounds = (np.asarray(a, np.float32) for a in (points, colours, bounds))
    width = (bounds[3:] - bounds[:3]) / np.float32(size)
    grid = np.zeros((size,) * 3 + (10,))
    count = np.zeros((size,) * 3)
    with np.errstate(invalid="ignore"):
        cells = np.floor((points - (bounds[:3] - width)) / width)
    for cell, point, colour in zip(cells, points, colours, strict=True):
        if not (np.isfinite(cell).all() and (cell >= 1).all() and (cell <= size).all()):
            continue
        place = tuple(int(index) - 1 for index in cell)
        grid[place][:3] += point
        grid[place][3:6] += colour
        count[place] += 1
    grid[..., :6] /= np.maximum(count, 1)[..., None]
    grid[..., 6:9] = np.moveaxis(np.indices((size,) * 3), 0, -1) / size
    grid[..., 9] = count > 0
    return grid


def _norm(arrays, name, x):
    return functional.layer_norm(x, x.shape[-1:], arrays[f"{name}.weight"], arrays[f"{name}.bias"])


def _attention(arrays, name, x, context, heads):
    query = x @ arrays[f"{name}.to_q.weight"].T
    key, value = (context @ arrays[f"{name}.to_kv.weight"].T).chunk(2, dim=-1)
    query, key, value = (a.unflatten(-1, (heads, -1)).transpose(0, 1) for a in (query, key, value))
    scores = query @ key.transpose(1, 2) / query.shape[-1] ** 0.5
    found = (scores.softmax(-1) @ value).transpose(0, 1).flatten(1)
    return found @ arrays[f"{name}.to_out.weight"].T + arrays[f"{name}.to_out.bias"]


def _mlp(arrays, name, x):
    hidden = x @ arrays[f"{name}.net.0.weight"].T + arrays[f"{name}.net.0.bias"]
    hidden, gates = hidden.chunk(2, dim=-1)
    hidden = hidden * functional.gelu(gates)
    return hidden @ arrays[f"{name}.net.2.weight"].T + arrays[f"{name}.net.2.bias"]


def _convolution(arrays, name, x, stride=1):
    kernel = arrays[f"{name}.conv3d.weight"]
    padded = functional.pad(x, (kernel.shape[-1] // 2,) * 6, mode="replicate")
    return functional.conv3d(padded, kernel, arrays[f"{name}.conv3d.bias"], stride=stride)


def _leaky(x):
    return functional.leaky_relu(x, 0.02)


def _linear(arrays, name, x):
    return x @ arrays[f"{name}.weight"].T + arrays[f"{name}.bias"]


def _pool(x):
    """Returns expected positions of [1, C, D, H, W] at temperature 0.01, then the maxima."""
    _, channels, depth, height, width = x.shape
    axes = [np.linspace(-1.0, 1.0, size) for size in (depth, height, width)]
    grids = [torch.from_numpy(grid.ravel()).to(x) for grid in np.meshgrid(*axes)]
    weights = (x.reshape(channels, -1) / 0.01).softmax(-1)
    expected = torch.stack([(weights * grid).sum(-1) for grid in grids], dim=-1)
    return [expected.ravel(), x.amax(dim=(0, 2, 3, 4))]


def forward(arrays, voxels, proprio, language, heads, dtype=torch.float64):
    """Returns translation [V, V, V], rotation and grip [218], collision [2] of one example."""
    arrays = {name: torch.from_numpy(np.array(a)).to(dtype) for name, a in arrays.items()}
    voxels, proprio, language = (
        torch.from_numpy(np.array(a)).to(dtype) for a in (voxels, proprio, language)
    )
    own = _leaky(_convolution(arrays, "input_preprocess", voxels.permute(3, 0, 1, 2)[None]))
    features = _pool(own)
    patch = arrays["patchify.conv3d.weight"].shape[-1]
    patches = _leaky(_convolution(arrays, "patchify", own, stride=patch))
    grid = patches.shape[2:]
    known = _leaky(_linear(arrays, "proprio_preprocess.linear", proprio))
    known = known[None, :, None, None, None].expand(patches.shape)
    inputs = torch.cat([patches, known], dim=1)[0].permute(1, 2, 3, 0)
    positions = arrays["pos_encoding"][0]
    words = _linear(arrays, "lang_preprocess", language)
    if positions.ndim == 4:
        inputs = torch.cat([words, (inputs + positions).flatten(0, 2)])
    else:
        inputs = torch.cat([words, inputs.flatten(0, 2)]) + positions
    x = arrays["latents"]
    cross = "cross_attend_blocks"
    context = _norm(arrays, f"{cross}.0.norm_context", inputs)
    x = x + _attention(arrays, f"{cross}.0.fn", _norm(arrays, f"{cross}.0.norm", x), context, 1)
    x = x + _mlp(arrays, f"{cross}.1.fn", _norm(arrays, f"{cross}.1.norm", x))
    layer = 0
    while f"layers.{layer}.0.norm.weight" in arrays:
        normed = _norm(arrays, f"layers.{layer}.0.norm", x)
        x = x + _attention(arrays, f"layers.{layer}.0.fn", normed, normed, heads)
        x = x + _mlp(arrays, f"layers.{layer}.1.fn", _norm(arrays, f"layers.{layer}.1.norm", x))
        layer += 1
    name = "decoder_cross_attn"
    context = _norm(arrays, f"{name}.norm_context", x)
    found = _attention(arrays, f"{name}.fn", _norm(arrays, f"{name}.norm", inputs), context, 1)
    found = found[len(words) :].unflatten(0, grid).permute(3, 0, 1, 2)[None]
    features += _pool(found)
    upsampled = _leaky(_convolution(arrays, "up0.conv_up.0", found))
    upsampled = functional.interpolate(
        upsampled, scale_factor=patch, mode="trilinear", align_corners=False
    )
    upsampled = _leaky(_convolution(arrays, "up0.conv_up.2", upsampled))
    joint = _leaky(_convolution(arrays, "final", torch.cat([own, upsampled], dim=1)))
    translation = _convolution(arrays, "trans_decoder", joint)[0, 0]
    features += _pool(joint)
    hidden = _leaky(_linear(arrays, "dense0.linear", torch.cat(features)))
    hidden = _leaky(_linear(arrays, "dense1.linear", hidden))
    logits = _linear(arrays, "rot_grip_collision_ff.linear", hidden)
    return {
        "translation": translation.numpy(),
        "rotation_grip": logits[:-2].numpy(),
        "collision": logits[-2:].numpy(),
    }
