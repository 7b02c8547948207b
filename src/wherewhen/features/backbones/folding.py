"""Batch norms that are merged into the convolutions before them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from wherewhen.features.backbones.tracing import trace

if TYPE_CHECKING:
    from torch import nn


def fold_batch_norms(module: nn.Module) -> int:
    """Merge every batch norm that follows a convolution into it, in place.

    In evaluation mode both are linear, so the convolution's weights can do the norm's work; the
    results differ in the last digits of float32.

    Parameters
    ----------
    module
        Any network.  Its way is traced; where that can't be done (control flow that depends on the
        image), or a norm follows something else, the norm stays.

    Returns
    -------
    int
        How many were merged.
    """
    from torch import fx, nn
    from torch.nn.utils.fusion import fuse_conv_bn_weights

    module.eval()
    try:
        nodes = list(trace(module)[0].nodes)
    except Exception:  # whatever a network's code raises on a stand-in for a tensor
        return 0
    calls = Counter(node.target for node in nodes if node.op == "call_module")
    folded = 0
    for node in nodes:
        before = node.args[0] if node.op == "call_module" and node.args else None
        if not isinstance(before, fx.Node) or before.op != "call_module":
            continue
        norm, conv = module.get_submodule(node.target), module.get_submodule(before.target)
        alone = len(before.users) == calls[node.target] == calls[before.target] == 1
        if not (isinstance(norm, nn.BatchNorm2d) and isinstance(conv, nn.Conv2d) and alone):
            continue
        conv.weight, conv.bias = fuse_conv_bn_weights(
            conv.weight,
            conv.bias,
            norm.running_mean,
            norm.running_var,
            norm.eps,
            norm.weight,
            norm.bias,
        )
        # timm's norms carry their activation
        module.set_submodule(node.target, getattr(norm, "act", nn.Identity()))
        folded += 1
    return folded
