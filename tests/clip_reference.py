# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""CLIP in PyTorch with the parameter names of OpenAI's release, small and with random weights.

Written after the paper and the names, of PyTorch's own layers. The image tower is there for
its names only.
"""

from collections import OrderedDict

import torch
from torch import nn

WIDTH, HEADS, LAYERS, CONTEXT, PROJECTION = 128, 2, 3, 11, 24


class _QuickGELU(nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(1.702 * x)


class _Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.attn = nn.MultiheadAttention(WIDTH, HEADS)
        self.ln_1 = nn.LayerNorm(WIDTH)
        self.mlp = nn.Sequential(
            OrderedDict(
                c_fc=nn.Linear(WIDTH, 4 * WIDTH),
                gelu=_QuickGELU(),
                c_proj=nn.Linear(4 * WIDTH, WIDTH),
            )
        )
        self.ln_2 = nn.LayerNorm(WIDTH)

    def forward(self, x):
        length = x.shape[0]
        mask = torch.full([length, length], float("-inf"), dtype=x.dtype).triu(1)
        normed = self.ln_1(x)
        x = x + self.attn(normed, normed, normed, need_weights=False, attn_mask=mask)[0]
        return x + self.mlp(self.ln_2(x))


class _Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.resblocks = nn.Sequential(*(_Block() for _ in range(LAYERS)))

    def forward(self, x):
        return self.resblocks(x)


class _Images(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)

    def forward(self, x):
        return self.bn1(self.conv1(x))


class Clip(nn.Module):
    """Gives token embeddings [B, T, WIDTH] and sentence embeddings [B, PROJECTION] of ids."""

    def __init__(self, vocab_size):
        super().__init__()
        self.visual = _Images()
        self.transformer = _Transformer()
        self.token_embedding = nn.Embedding(vocab_size, WIDTH)
        self.positional_embedding = nn.Parameter(torch.empty(CONTEXT, WIDTH))
        self.ln_final = nn.LayerNorm(WIDTH)
        self.text_projection = nn.Parameter(torch.empty(WIDTH, PROJECTION))
        self.logit_scale = nn.Parameter(torch.ones([]))
        sizes = {"input_resolution": 8, "context_length": CONTEXT, "vocab_size": vocab_size}
        for name, size in sizes.items():
            self.register_buffer(name, torch.tensor(size))
        randomise(self)

    def forward(self, text):
        x = self.token_embedding(text) + self.positional_embedding
        x = self.transformer(x.permute(1, 0, 2)).permute(1, 0, 2)
        x = self.ln_final(x)
        return x, x[torch.arange(x.shape[0]), text.argmax(dim=-1)] @ self.text_projection


def randomise(module):
    """Fills all parameters, so that no layer is small beside another and no bias is zero."""
    generator = torch.Generator().manual_seed(0)
    for name, parameter in module.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        is_gain = name.endswith("weight") and parameter.ndim == 1
        parameter.data = 1 + 0.2 * noise if is_gain else noise * 0.15
