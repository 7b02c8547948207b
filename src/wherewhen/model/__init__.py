"""The network: a Siamese attention ConvGRU put together from parts, in torch alone.

A part is a module with one job: ``projection`` (cubes to inputs), ``attention`` (Eqs 3, 4),
``initial_state`` (Eq 7), ``conv_gru`` (Eq 5), ``temporal_pooling`` (Eq 6), ``similarity`` (Eq 8),
``loss`` (Eq 9); ``siamese`` puts them together as ``config`` says, ``convolution`` says how their
products are computed, ``encode`` runs whole tracklets. ``fisher`` pools the frames of a trained
network by the ``fisher_vector`` (Eq 10) of scikit-learn's mixtures. The room imports
``tracklets``, and ``fisher_vector`` the PCA of ``metric_learning``; ``config`` and
``fisher_vector`` import without torch.
"""
