"""Training of the network: sampling of pairs, losses, the loop, checkpoints.

It may import ``model`` and ``tracklets`` and nothing above; ``config`` imports without torch.
"""
