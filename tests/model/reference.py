"""The network as Eqs 2 to 9 say it: one clip, frame, layer and gate at a time, nothing fused.

Slow and plain on purpose. It takes the tensors of a built network's state_dict and its
configuration, and knows nothing else of it. Only valid frames are given to it.
"""

import math

import torch
from torch import nn


def conv(x, kernel):
    """Sum over the kernel of shifted, zero-padded inputs: a convolution written out."""
    out, _, k1, k2 = kernel.shape
    _, height, width = x.shape
    padded = nn.functional.pad(x, (k2 // 2, k2 // 2, k1 // 2, k1 // 2))
    y = x.new_zeros(out, height, width)
    for i in range(k1):
        for j in range(k2):
            if abs(i - k1 // 2) >= height or abs(j - k2 // 2) >= width:
                continue  # sees nothing but padding
            y = y + torch.einsum(
                "oc,chw->ohw", kernel[:, :, i, j], padded[:, i : i + height, j : j + width]
            )
    return y


def perceptron(weights, prefix, x):
    hidden = torch.tanh(weights[f"{prefix}.0.weight"] @ x + weights[f"{prefix}.0.bias"])
    return weights[f"{prefix}.2.weight"] @ hidden + weights[f"{prefix}.2.bias"]


def gru(weights, layer, x, h):
    """Eq 5: six convolutions."""
    w_z, w_r, w = weights[f"gru.layers.{layer}.input_weight"].chunk(3)
    u_z, u_r = weights[f"gru.layers.{layer}.gate_weight"].chunk(2)
    u = weights[f"gru.layers.{layer}.candidate_weight"]
    biases = weights.get(f"gru.layers.{layer}.bias", x.new_zeros(3 * len(u)))
    b_z, b_r, b = biases[:, None, None].chunk(3)
    z = torch.sigmoid(conv(x, w_z) + conv(h, u_z) + b_z)
    r = torch.sigmoid(conv(x, w_r) + conv(h, u_r) + b_r)
    candidate = torch.tanh(conv(x, w) + conv(r * h, u) + b)
    return (1 - z) * h + z * candidate


def attention_weights(config, weights, state, frame):
    """Eq 3: m [H, W] from the state of the layer that is looked at, and the frame X(t)."""
    height, width = frame.shape[1:]
    if config.attention == "muted":
        return torch.full((height, width), 1 / (height * width), dtype=frame.dtype)
    seen = state.flatten() if config.attention_state == "flattened" else state.mean((1, 2))
    scores = perceptron(weights, "attention.perceptron", seen).view(height, width)
    if config.conditioned_on_features:
        place = "attention.by_features"
        told = weights[f"{place}.from_state.weight"] @ seen + weights[f"{place}.from_state.bias"]
        look = weights[f"{place}.from_features.weight"][:, :, 0, 0]
        value = weights[f"{place}.score.weight"].flatten()
        found = [
            [value @ torch.tanh(told + look @ frame[:, i, j]) for j in range(width)]
            for i in range(height)
        ]
        scores = scores + torch.stack([torch.stack(row) for row in found])
    scores = torch.exp(scores / config.attention_temperature)
    return scores / scores.sum()


def glimpse(config, frame, m):
    """Eq 4, or its sum over the locations."""
    if config.glimpse == "expectation":
        return (frame * m).sum((1, 2))[:, None, None]
    return frame * m * (frame[0].numel() if config.attention_rescale else 1)


def normalise(config, weights, layer, x):
    """Mean 0 and deviation 1 of what enters a layer, then scaled and shifted."""
    if config.normalisation == "none":
        return x
    cells = x.flatten(1).unbind(1)  # a location at a time
    cells = [(cell - cell.mean()) / (cell.var(correction=0) + 1e-5).sqrt() for cell in cells]
    x = torch.stack(cells, 1).view_as(x)
    scale, shift = (weights[f"gru.norms.{layer - 1}.{name}"] for name in ("weight", "bias"))
    return x * scale[:, None, None] + shift[:, None, None]


def skip(weights, layer, x):
    """What passes a layer by."""
    projection = weights.get(f"gru.skips.{layer - 1}.weight")
    return x if projection is None else conv(x, projection)


def pool_between(kind, x):
    if kind == "max_3x3":
        return nn.functional.max_pool2d(x[None], 3, 1, 1)[0]
    if kind == "max_2x2":
        return nn.functional.max_pool2d(x[None], 2, 2)[0]
    return x


def inputs_of(config, weights, cube):
    """The cube [H, W, D] as the network sees it, [C, H, W]."""
    if config.standardise != "none":
        cube = (cube - weights["input.mean"]) / weights["input.deviation"]
    if config.basis is not None:
        cube = torch.einsum("bd,hwd->hwb", weights["input.basis"], cube)
    if config.projection is not None:
        cube = torch.einsum("cd,hwd->hwc", weights["input.weight"], cube)
    return cube.permute(2, 0, 1)


def encode(config, weights, cubes):
    """Embedding [E], attention [T, H, W] and frame weights [T] of a clip [T, H, W, D]."""
    frames = [inputs_of(config, weights, cube) for cube in cubes]
    layers = len(config.channels)
    grids = [(1, 1) if config.glimpse == "expectation" else cubes.shape[1:3]]
    for _ in range(layers - 1):
        height, width = grids[-1]
        halved = config.between_layers == "max_2x2"
        grids.append((height // 2, width // 2) if halved else (height, width))

    mean_slice = sum(frame.mean((1, 2)) for frame in frames) / len(frames)  # Eq 7
    initial = []
    for layer, (channels, grid) in enumerate(zip(config.channels, grids, strict=True)):
        start = mean_slice.new_zeros(channels)
        if config.initial_state == "learned":
            start = torch.tanh(
                weights[f"initial_state.heads.{layer}.weight"] @ mean_slice
                + weights[f"initial_state.heads.{layer}.bias"]
            )
        initial.append(start[:, None, None].expand(channels, *grid))

    attention, history, states = [], [], initial
    for frame in frames:
        if config.recurrence == "none":
            states = initial
        m = attention_weights(
            config, weights, states[(config.attention_layer or layers) - 1], frame
        )
        attention.append(m)
        x = glimpse(config, frame, m)
        now, up = [], [x]  # h^0 = x in Eq 5
        for layer in range(layers):
            if layer == 0:
                now.append(gru(weights, layer, x, states[layer]))
                up.append(now[-1])
                continue
            below = pool_between(config.between_layers, up[-1])
            seen = normalise(config, weights, layer, below)
            now.append(gru(weights, layer, seen, states[layer]))
            up.append(now[-1] + skip(weights, layer, below) if config.residual else now[-1])
        states = now
        history.append(up)

    lowest = {"with_input": 0, "concatenated": 1, "top": layers}[config.readout]
    read = range(lowest, layers + 1)
    if config.temporal_pooling == "attention":  # Eq 6
        scores = torch.cat(
            [
                perceptron(
                    weights,
                    "temporal_pooling.perceptron",
                    torch.cat([frame[layer].mean((1, 2)) for layer in read]),
                )
                for frame in history
            ]
        ).exp()
        alpha = scores / scores.sum()
    else:
        alpha = torch.full((len(frames),), 1 / len(frames), dtype=cubes.dtype)
    parts = []
    for layer in read:
        if config.temporal_pooling == "max":
            pooled = torch.stack([frame[layer] for frame in history]).amax(0)
        else:
            pooled = sum(a * frame[layer] for a, frame in zip(alpha, history, strict=True))
        if config.location == "rows":
            pooled = pooled.mean(2)
        if config.location == "mean":
            pooled = pooled.mean((1, 2))
        parts.append(pooled.flatten())
    embedding = torch.cat(parts)
    if config.normalise:
        embedding = embedding / embedding.square().sum().sqrt()
    return embedding, torch.stack(attention), alpha


def logit(config, weights, a, b):
    """Eq 8, or the scaled cosine."""
    if config.similarity == "weighted":
        return (weights["similarity.weight"] * a * b).sum() + weights["similarity.offset"]
    cosine = (a * b).sum() / (a.square().sum().sqrt() * b.square().sum().sqrt())
    return weights["similarity.log_scale"].exp() * cosine + weights["similarity.offset"]


def loss(config, weights, clips, pairs, penalty_weight, reachable, balanced):
    """Eq 9 of clips (each [T_n, H, W, D]) and pairs (left, right, same)."""
    encoded = [encode(config, weights, clip) for clip in clips]
    terms = {True: [], False: []}
    for left, right, same in pairs:
        x = logit(config, weights, encoded[left][0], encoded[right][0])
        # -log s and -log(1 - s), with s of Eq 8 put in: 1 - s itself would lose digits
        terms[same].append(torch.log1p(torch.exp(-x if same else x)))
    if balanced:
        kinds = [sum(kind) / len(kind) for kind in terms.values() if kind]
        cross_entropy = sum(kinds) / len(kinds)
    else:
        cross_entropy = sum(terms[True] + terms[False]) / len(pairs)
    penalty = 0.0
    for _, attention, _ in encoded:
        spent, locations = attention.sum(0).flatten(), math.prod(attention.shape[1:])
        if reachable:
            penalty = penalty + ((len(attention) / locations - spent) ** 2).mean()
        else:
            penalty = penalty + ((1 - spent) ** 2).sum()
    return cross_entropy + penalty_weight * penalty / len(encoded)
