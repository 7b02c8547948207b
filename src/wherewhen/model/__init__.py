"""The Siamese attention ConvGRU network and its rivals, in PyTorch.

Parts of the network: ``projection`` (cubes to inputs), ``attention`` (Eqs 3, 4), ``initial_state``
(Eq 7), ``conv_gru`` (Eq 5), ``temporal_pooling`` (Eq 6) and ``similarity`` (Eq 8). ``siamese``
builds the network from a ``config``, with one of the ``heads``, ``convolution`` computes its
products, ``encode`` embeds tracklets, ``files`` reads and writes networks. ``fisher`` and
``fisher_vector`` pool the frames of a trained network (Eq 10). ``config`` and ``fisher_vector``
import without torch.
"""
