"""Heads: what stands between the inputs of a frame and the embedding of a clip, by name.

Each is a subclass of `wherewhen.model.siamese.SiameseNetwork` in a module of its own. To add one,
write its module, and name it here and in `wherewhen.model.config.NetworkConfig.head`.
"""

HEADS = {
    "siamese_attention": "wherewhen.model.heads.siamese_attention:SiameseAttentionNetwork",
    "average": "wherewhen.model.heads.average:AverageNetwork",
    "temporal_attention": "wherewhen.model.heads.temporal_attention:TemporalAttentionNetwork",
    "transformer": "wherewhen.model.heads.transformer:TransformerNetwork",
}
