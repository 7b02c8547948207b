"""Features: from frames to feature cubes, and the store that keeps them.

- ``weights``: where a backbone's weights come from, without silent substitutes
- ``checkpoint_files``: files of weights, of which no code runs
- ``fitting``: tensors of a file into a network, by name
- ``backbones``: the registry of convolutional networks that turn a frame into an H x W x D cube
- ``trunk``: the layers of a backbone that are trained with the network that stands on them
- ``augmentation``: other views of a frame, drawn once by seed and name
- ``extraction``: frames in, cubes out, tracklet by tracklet
- ``cube_files``: a tracklet's cubes in one file, in float16 or 8 bits
- ``cube_store``: cubes on a disk, whole or not there, read by windows
- ``pooling``: cubes averaged over time and space, which need no recurrent network

This package may import from ``tracklets`` alone.  torch, torchvision and timm are imported inside
functions; ``cube_files``, ``cube_store`` and ``pooling`` never need them.
"""
