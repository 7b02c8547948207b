"""The network: a Siamese attention ConvGRU put together from parts, in torch alone.

A part is a module with one job: ``projection`` (cubes to inputs), ``attention`` (Eqs 3, 4),
``initial_state`` (Eq 7), ``conv_gru`` (Eq 5), ``temporal_pooling`` (Eq 6), ``similarity`` (Eq 8),
``loss`` (Eq 9); ``siamese`` puts them together as ``config`` says, ``encode`` runs whole tracklets.
The room may import ``tracklets`` and no other; ``config`` imports without torch.
"""
