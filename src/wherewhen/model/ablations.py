"""A trained network with one of its parts taken out, all other weights as they are.

What the part contributes shows in what the same network does without it. A network that was trained
without the part from the start has learned other weights.
"""

from __future__ import annotations

import copy

from wherewhen.model.attention import MutedAttention
from wherewhen.model.heads.siamese_attention import SiameseAttentionNetwork
from wherewhen.model.siamese import SiameseNetwork
from wherewhen.model.temporal_pooling import AveragePooling


def with_averaged_frames(network: SiameseNetwork) -> SiameseNetwork:
    """Return a copy that averages the frames' states instead of weighting them (Eq 6, V-B).

    See Also
    --------
    with_muted_attention : Takes out the other kind of weights.
    """
    changed = copy.deepcopy(network)
    changed.config = network.config.model_copy(update={"temporal_pooling": "average"})
    changed.temporal_pooling = AveragePooling()
    return changed


def with_muted_attention(network: SiameseNetwork) -> SiameseNetwork:
    """Return a copy whose attention is uniform in every frame (Eq 3, V-C)."""
    changed = copy.deepcopy(network)
    if isinstance(changed, SiameseAttentionNetwork):  # that of other heads is uniform
        changed.config = network.config.model_copy(update={"attention": "muted"})
        changed.attention = MutedAttention(network.grid)
    return changed
