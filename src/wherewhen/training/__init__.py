"""The room where the network learns: pairs drawn online, the loop, checkpoints.

It may import ``model`` and ``tracklets`` and nothing above; ``config`` imports without torch.
"""
