"""Features: from frames to feature cubes, and the store that keeps them.

- ``weights``: where a backbone's weights come from, checked, without silent substitutes
- ``backbones``: the registry of convolutional networks that turn a frame into a K x K x D cube
- ``augmentation``: other views of a frame, drawn once by seed and name
- ``extraction``: frames in, cubes out, tracklet by tracklet
- ``cube_store``: cubes on disk, whole or not there, read by windows
- ``variants``: augmented cubes under names of their own, for whoever draws clips
- ``pooling``: the baselines that no recurrent network went into

The room may import from ``tracklets`` alone.  torch, torchvision and timm are imported inside
functions; ``cube_store`` and ``pooling`` never need them.
"""
