"""Backbones of the features room: convolutional networks that turn a frame into a feature cube.

One registry, `build_backbone`, for the paper's two networks (GoogLeNet and VGG16, from torchvision)
and for any network of timm.  A backbone is frozen, knows how its images are prepared, and carries a
record of everything that its cubes depend on; that record is part of the cube store's key.
"""

from __future__ import annotations

import difflib
import logging
import os
import urllib.error
import urllib.request
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wherewhen.features.weights import (
    PACKAGES,
    WeightsError,
    WeightsInput,
    WeightsSource,
    checkpoint_path,
    in_order_of,
    load_into,
    read_checkpoint,
    state_sha256,
    ways_out,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

INPUT_SIZE = 224
"""Height and width of a backbone's input in pixels, where the network leaves the choice."""
PATIENCE = 5.0
"""Seconds to wait for a sign of life from a download host."""
HALF = (0.5, 0.5, 0.5)
POOLED = ":pool"
"""What follows a backbone's name where its grid is averaged into one cell."""

log = logging.getLogger(__name__)

Precision = Literal["float32", "bfloat16"]
"""What a backbone multiplies in."""


@dataclass(frozen=True)
class Preprocessing:
    """How frames become a network's input.

    The resize works on whole batches of uint8 with torch (not PIL: the two differ slightly), with
    antialiasing, and does not keep the aspect ratio: a 64 x 128 crop fills the square, so that the
    grid's cells divide the person evenly.

    Parameters
    ----------
    size
        Height and width of the input in pixels.
    mean, std
        Per channel, in the order of `channels`, of values in 0..1.
    interpolation
        ``bilinear`` or ``bicubic``.
    channels
        Order of the colours in the network's input.
    """

    size: int = INPUT_SIZE
    mean: tuple[float, float, float] = HALF
    std: tuple[float, float, float] = HALF
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    channels: Literal["RGB", "BGR"] = "RGB"

    def for_input(self, given: WeightsInput | None) -> Preprocessing:
        """Return the preprocessing of a network that was trained on another input."""
        if given is None:
            return self
        mean, std = self.mean, self.std
        if given.channels != self.channels:
            mean, std = mean[::-1], std[::-1]
        if given.mean is not None and given.deviation is not None:
            low, width = given.bounds
            mean = tuple((value - low) / width for value in given.mean)
            std = tuple(value / width for value in given.deviation)
        return replace(self, mean=mean, std=std, channels=given.channels)

    @property
    def record(self) -> dict[str, Any]:
        """What cubes depend on; the usual order of colours is not said, nor was it before."""
        fields = {**asdict(self), "resize": "torch, uint8, antialias"}
        if self.channels == "RGB":
            del fields["channels"]
        return fields

    def __call__(self, images: NDArray[np.uint8]) -> Tensor:
        """Prepare images.

        Parameters
        ----------
        images
            uint8, shape [N, H, W, 3], red first.

        Returns
        -------
        Tensor
            float32, shape [N, 3, size, size], channels last in memory.

        Raises
        ------
        ValueError
            If shape or type are others.
        """
        import torch
        from torch.nn.functional import interpolate

        images = np.ascontiguousarray(images)
        if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8:
            raise ValueError(
                f"images: expected uint8 [N, H, W, 3], got {images.dtype} {list(images.shape)}"
            )
        if not images.flags.writeable:  # torch would warn, though nothing is written
            images = images.copy()
        pixels = torch.from_numpy(images).permute(0, 3, 1, 2)
        if self.channels == "BGR":
            pixels = pixels.flip(1)
        if pixels.shape[-2:] != (self.size, self.size):
            size = (self.size, self.size)
            pixels = interpolate(pixels, size, mode=self.interpolation, antialias=True)
        # (pixel / 255 - mean) / std in two passes.  It could not all go into the first convolution:
        # that pads with zeros, which stand for the mean after normalising and for black before.
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in (self.mean, self.std))
        prepared = pixels.to(torch.float32, memory_format=torch.channels_last)
        return prepared.mul_(1 / (255 * std)).sub_(mean / std)


class Backbone:
    """A frozen convolutional network: frames in, feature cubes out.

    Parameters
    ----------
    name
        Its name in the registry.
    module
        Maps float32 [N, 3, H, W] to [N, D, K, K].
    preprocess
        Maps uint8 [N, H, W, 3] to the module's input.
    record
        What identifies it: library, weights, preprocessing; `grid` and `channels` are added.
    device
        Where it computes, e.g. ``cpu`` or ``cuda``.
    precision
        ``float32``, or ``bfloat16`` for multiplications in bfloat16.
    compiled
        Compile the network (``torch.compile``, weights frozen).  It needs a C++ compiler and, on a
        CPU, a minute at every start for 1.1 (float32) to 1.4 times (bfloat16) the speed of one
        thread.  An extraction runs a compiled network in one thread only, so that on a CPU it pays
        only where there is one processor.  Cubes differ in their last digits: a part of the record.

    Attributes
    ----------
    grid : int
        K, cells along a side.
    channels : int
        D.
    """

    def __init__(
        self,
        name: str,
        module: nn.Module,
        preprocess: Preprocessing,
        record: dict[str, Any],
        device: str = "cpu",
        precision: Precision = "float32",
        compiled: bool = False,
    ):
        import torch

        self.precision = precision
        self.name = name
        self.preprocess = preprocess
        self.device = torch.device(device)
        self.module = module.eval().requires_grad_(False)
        self.module.to(device=self.device, memory_format=torch.channels_last)
        self.compiled = compiled
        self.grid, self.channels = self._probe()
        if compiled:
            self.module = torch.compile(self.module, dynamic=False, options={"freezing": True})
        self.record = {
            **record,
            "name": name,
            "preprocessing": preprocess.record,
            "grid": self.grid,
            "channels": self.channels,
            "precision": precision,
            "compiled": compiled,
            "device": self.device.type,
        }

    def _probe(self) -> tuple[int, int]:
        import torch

        size = self.preprocess.size
        cubes = self.compute(torch.zeros(1, 3, size, size))
        if cubes.ndim != 4 or cubes.shape[1] != cubes.shape[2]:
            raise ValueError(
                f"backbone {self.name}: expected a square grid of features from a {size} x {size} "
                f"input, got {list(cubes.shape[1:])}; choose a convolutional network"
            )
        return cubes.shape[1], cubes.shape[3]

    def compute(self, prepared: Tensor) -> Tensor:
        """Compute the cubes of prepared images.

        Parameters
        ----------
        prepared
            float32, shape [N, 3, size, size], on any device.

        Returns
        -------
        Tensor
            float32, shape [N, K, K, D], on the backbone's device; the first K is the height.
        """
        import torch

        low = self.precision == "bfloat16"
        with (
            torch.inference_mode(),
            torch.autocast(self.device.type, torch.bfloat16, enabled=low),
        ):
            cubes = self.module(prepared.to(self.device, non_blocking=True))
        return cubes.permute(0, 2, 3, 1).float()

    def __call__(self, images: NDArray[np.uint8]) -> Tensor:
        """Compute the cubes of images.

        Parameters
        ----------
        images
            uint8, shape [N, H, W, 3], red first.

        Returns
        -------
        Tensor
            float32, shape [N, K, K, D].
        """
        return self.compute(self.preprocess(images))


def build_backbone(
    name: str,
    weights: WeightsSource,
    device: str = "cpu",
    precision: Precision = "float32",
    fold: bool = True,
    compiled: bool = False,
) -> Backbone:
    """Build a backbone by name.

    Parameters
    ----------
    name
        ``googlenet``: up to the last inception block (5b), 7 x 7 x 1024, the paper's choice.
        ``vgg16``: up to and with the last max-pooling, 7 x 7 x 512 (conv5_3 before it is 14 x 14).
        ``vgg16:fc7``: up to and with the second fully connected layer, rectified, 1 x 1 x 4096.
        ``timm:NAME``: any network of timm, up to the features that its pooling sees.
        ``NAME:pool``: the mean of any of these over its grid; ``googlenet:pool`` is GoogLeNet's
        last pooled layer, 1 x 1 x 1024.
    weights
        Where its weights come from.
    device
        Where it computes.
    precision
        ``bfloat16`` multiplies in bfloat16: nearly twice as fast on processors that have it, for
        cubes that differ by some 7 % (lite0). A part of the record, and so of the cubes' key.
    fold
        Merge batch norms into the convolutions before them (`fold_batch_norms`): a tenth faster,
        in bfloat16 a third.  False keeps the layers as they were published.
    compiled
        See `Backbone`.

    Returns
    -------
    Backbone
        Frozen, in evaluation mode.

    Raises
    ------
    ValueError
        If the name is unknown.
    WeightsError
        If the weights can't be had or don't fit; the message names the ways out.

    Notes
    -----
    Source: "Where-and-When to Look", sections V-B (GoogLeNet's and VGG16's last convolution) and
    V-C (VGG16's fc7 and GoogLeNet's last layer, for the FC-GRU baselines (1) and (2)).
    torch's own random state is left as it was.
    """
    import torch

    whole = name.removesuffix(POOLED)
    trunk = _trunk_of(whole)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(weights.seed or 0)
        module = trunk.build()
        if weights.source == "random":
            trunk.initialise(module)
        elif weights.source == "imagenet":
            module.load_state_dict(_without(trunk.heads, trunk.download()), strict=False)
        else:
            _load_checkpoint(whole, module, trunk, weights)
    record = {
        "library": trunk.library,
        "weights": {"source": weights.source, "sha256": state_sha256(module)},
    }
    if weights.source == "random":
        record["weights"]["seed"] = weights.seed
    record["folded_batch_norms"] = fold_batch_norms(module) if fold else 0
    network = trunk.wrap(module)
    if name != whole:
        network = torch.nn.Sequential(network, torch.nn.AdaptiveAvgPool2d(1))
    preprocessing = trunk.preprocessing.for_input(weights.input)
    if weights.source == "file":
        log.info(
            "weights of %s: pixels in 0..1, %s, mean %s, deviation %s (extract.weights.input)",
            name,
            preprocessing.channels,
            list(preprocessing.mean),
            list(preprocessing.std),
        )
    return Backbone(name, network, preprocessing, record, device, precision, compiled)


def usable_device(device: str) -> str:
    """Resolve ``auto``: a GPU if torch sees one, else the processor."""
    import torch

    return ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device


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

    class Tracer(fx.Tracer):
        def is_leaf_module(self, part: nn.Module, name: str) -> bool:
            # also those that other libraries derived, e.g. a norm with an activation in it
            kinds = (nn.Conv2d, nn.BatchNorm2d)
            return isinstance(part, kinds) or super().is_leaf_module(part, name)

    module.eval()
    try:
        nodes = list(Tracer().trace(module).nodes)
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


class _Trunk(NamedTuple):
    """How one architecture is built, filled and prepared for; `heads` are left out of files."""

    library: str
    preprocessing: Preprocessing
    heads: tuple[str, ...]
    build: Callable[[], nn.Module]
    download: Callable[[], dict[str, Tensor]]
    initialise: Callable[[nn.Module], None]
    wrap: Callable[[nn.Module], nn.Module]


def _trunk_of(name: str) -> _Trunk:
    if name.startswith("timm:"):
        return _timm_trunk(name)
    trunks = {"googlenet": _googlenet_trunk, "vgg16": _vgg16_trunk, "vgg16:fc7": _fc7_trunk}
    if name not in trunks:
        raise ValueError(
            f"backbone `{name}` is not known; known: {', '.join(trunks)} and `timm:NAME` with a "
            "name from timm.list_models(), e.g. timm:tf_efficientnet_lite0; each also with "
            f"`{POOLED}` behind it"
        )
    return trunks[name]()


def _release(version: str) -> str:
    return version.split("+")[0]  # the same cubes with a CPU's and a GPU's build


def _load_checkpoint(name: str, module: nn.Module, trunk: _Trunk, weights: WeightsSource) -> None:
    path = checkpoint_path(name, weights)
    state = read_checkpoint(path)
    if weights.package is not None:  # names of another library, tensors in the same order
        state = in_order_of(module, _without((PACKAGES[weights.package].head,), state))
    load_into(module, state, name, path, trunk.heads, weights.key)


def _without(prefixes: tuple[str, ...], state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in state.items() if not name.startswith(prefixes)}


# --- torchvision ---------------------------------------------------------------------------------


def _googlenet_trunk() -> _Trunk:
    """GoogLeNet up to inception 5b.

    Its published weights were trained on values scaled to -1..1.  torchvision takes images
    normalised with ImageNet's mean and deviation and undoes that inside (``transform_input``); here
    the preprocessing scales to -1..1 at once, which is the same.  A network trained without
    ``transform_input`` says what it was trained on in `WeightsSource.input`.
    """

    def build() -> nn.Module:
        from torch import nn
        from torchvision.models import googlenet

        whole = googlenet(weights=None, aux_logits=False, init_weights=False, num_classes=1)
        parts = OrderedDict(whole.named_children())  # in the order in which they run
        return nn.Sequential(
            OrderedDict((k, v) for k, v in parts.items() if k not in {"avgpool", "dropout", "fc"})
        )

    heads = ("fc.", "aux1.", "aux2.")
    return _torchvision_trunk("googlenet", Preprocessing(), heads, build)


def _vgg16_trunk() -> _Trunk:
    def build() -> nn.Module:
        from torch import nn
        from torchvision.models.vgg import cfgs, make_layers

        # the convolutions alone: the classifier would be 90 % of the parameters
        return nn.Sequential(OrderedDict(features=make_layers(cfgs["D"])))

    return _torchvision_trunk("vgg16", _imagenet_preprocessing(), ("classifier.",), build)


def _fc7_trunk() -> _Trunk:
    """VGG16 up to the vector that its last layer classifies, on a grid of one cell."""

    def build() -> nn.Module:
        from torch import nn
        from torch.nn.utils import skip_init
        from torchvision.models.vgg import cfgs, make_layers

        # initialised or loaded below: a start for 120 million weights would be drawn in vain
        fc6, fc7 = skip_init(nn.Linear, 512 * 7 * 7, 4096), skip_init(nn.Linear, 4096, 4096)
        parts = {
            "features": make_layers(cfgs["D"]),
            "avgpool": nn.AdaptiveAvgPool2d(7),
            "flatten": nn.Flatten(),
            "classifier": nn.Sequential(fc6, nn.ReLU(), nn.Dropout(), fc7, nn.ReLU()),
            "grid": nn.Unflatten(1, (4096, 1, 1)),
        }
        return nn.Sequential(OrderedDict(parts))

    return _torchvision_trunk("vgg16", _imagenet_preprocessing(), ("classifier.6.",), build)


def _imagenet_preprocessing() -> Preprocessing:
    return Preprocessing(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


def _torchvision_trunk(
    name: str, preprocessing: Preprocessing, heads: tuple[str, ...], build: Callable
) -> _Trunk:
    import torchvision

    return _Trunk(
        library=f"torchvision {_release(torchvision.__version__)}",
        preprocessing=preprocessing,
        heads=heads,
        build=build,
        download=lambda: _torchvision_download(name),
        initialise=_initialise_he,
        wrap=lambda module: module,
    )


def _torchvision_download(name: str) -> dict[str, Tensor]:
    import torch
    from torchvision.models import get_model_weights

    weights = get_model_weights(name).DEFAULT
    cached = Path(torch.hub.get_dir(), "checkpoints", Path(weights.url).name)
    if not cached.exists():
        _require_host(weights.url, name, f"they would be kept as {cached}")
    try:
        return weights.get_state_dict(progress=True, check_hash=True)
    except Exception as error:  # network, disk, hash: the ways out are the same
        raise _no_download(name, weights.url, error) from error


def _initialise_he(module: nn.Module) -> None:
    """Initialise so that activations keep their size through a frozen, never trained network.

    torchvision's own initialisation counts on batch normalisation in training mode; frozen, its
    activations would vanish below what float16 can hold.  Source: He et al. 2015, Eq. 10.
    """
    from torch import nn

    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(part.weight, mode="fan_in", nonlinearity="relu")
            if part.bias is not None:
                nn.init.zeros_(part.bias)


# --- timm ----------------------------------------------------------------------------------------


def _timm_trunk(name: str) -> _Trunk:
    import timm

    model = name.removeprefix("timm:")
    if not timm.is_model(model):
        # the tag after the dot names weights, e.g. resnet18.a1_in1k
        near = difflib.get_close_matches(model.split(".")[0], timm.list_models(), n=5)
        raise ValueError(
            f"backbone `{name}`: timm {timm.__version__} has no model `{model}`"
            + (f"; close: {', '.join(near)}" if near else "; see timm.list_models()")
        )
    config = timm.get_pretrained_cfg(model)
    config = config.to_dict() if config is not None else {}
    size = config.get("input_size", (3, INPUT_SIZE, INPUT_SIZE))[-1]
    classifier = config.get("classifier") or ()
    return _Trunk(
        library=f"timm {_release(timm.__version__)}",
        preprocessing=Preprocessing(
            size=size if config.get("fixed_input_size") else INPUT_SIZE,
            mean=tuple(config.get("mean", HALF)),
            std=tuple(config.get("std", HALF)),
            interpolation="bilinear" if config.get("interpolation") == "bilinear" else "bicubic",
        ),
        heads=tuple(f"{h}." for h in ([classifier] if isinstance(classifier, str) else classifier)),
        build=lambda: timm.create_model(model, pretrained=False, num_classes=0),
        download=lambda: _timm_download(name, model, config),
        initialise=lambda module: None,  # timm initialises at construction, under the seed
        wrap=_grid_of_timm,
    )


def _timm_download(name: str, model: str, config: dict[str, Any]) -> dict[str, Tensor]:
    import timm

    repository = config.get("hf_hub_id")
    if not repository and not config.get("url"):
        raise WeightsError(f"timm publishes no weights for `{model}`.\n{ways_out(name)}")
    overlay = None
    if repository:
        from huggingface_hub import constants, try_to_load_from_cache

        files = ("model.safetensors", "pytorch_model.bin")
        cached = [try_to_load_from_cache(repository, file) for file in files]
        found = [path for path in cached if isinstance(path, str)]
        if found:  # without asking the hub, which offline would be asked for a minute
            overlay = {"file": found[0]}
        else:
            where = f"they would be kept under {constants.HF_HUB_CACHE}"
            _require_host(f"{constants.ENDPOINT}/{repository}", name, where)
    try:
        pretrained = timm.create_model(
            model, pretrained=True, num_classes=0, pretrained_cfg_overlay=overlay
        )
    except Exception as error:  # network, disk, hash: the ways out are the same
        raise _no_download(name, repository or config["url"], error) from error
    return pretrained.state_dict()


def _grid_of_timm(module: nn.Module) -> nn.Module:
    """Wrap a timm network so that its forward pass ends in a [N, D, K, K] grid."""
    import torch
    from torch import nn

    class Grid(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = module

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            features = self.network.forward_features(images)
            if features.ndim == 4 and features.shape[1] == self.network.num_features:
                return features
            # tokens, or channels last: timm knows how to lay them out as a grid
            (features,) = self.network.forward_intermediates(
                images, indices=1, norm=True, output_fmt="NCHW", intermediates_only=True
            )
            return features

    return Grid()


# --- downloads -----------------------------------------------------------------------------------


def _require_host(url: str, backbone: str, where: str) -> None:
    """Fail within seconds where the libraries would try for a minute."""
    if os.environ.get("HF_HUB_OFFLINE", "0").upper() in {"1", "TRUE", "YES", "ON"}:
        raise _no_download(backbone, url, "HF_HUB_OFFLINE is set", where)
    try:
        request = urllib.request.Request(url, method="HEAD")
        urllib.request.urlopen(request, timeout=PATIENCE).close()
    except urllib.error.HTTPError:
        pass  # somebody answers: whatever is wrong, the library will say it
    except OSError as error:
        raise _no_download(backbone, url, error, where) from error


def _no_download(backbone: str, url: str, reason: object, where: str = "") -> WeightsError:
    kept = f" ({where})" if where else ""
    return WeightsError(
        f"ImageNet weights of {backbone} can't be downloaded from {url}{kept}: {reason}.\n"
        + ways_out(backbone)
    )
