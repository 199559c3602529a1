# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Training pairs for optical flow, drawn in the manner of AutoFlow (Sun et al. 2021).

Textured polygons move over a textured background. Their motions are formulas in both
directions, so the flow, the occlusions and both frames agree exactly.
"""

from .scene import generate
from .source import GeneratedSource
from .textures import Textures

__all__ = ["GeneratedSource", "Textures", "generate"]
