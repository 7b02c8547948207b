"""Backbone and network as ONNX files, which run without Python and without torch.

The files take batches of any size and clips of any length: the recurrence over the frames (Eqs 3 to
5) is ONNX's operator Scan. Their metadata say what they were made of and what they take.

See Also
--------
wherewhen.onnx_files : The command ``kedro export``; ``docs/how-to/export.md`` runs what it wrote.
"""

from wherewhen.export.files import (
    LAYOUT,
    ExportError,
    export_backbone,
    export_both,
    export_network,
)

__all__ = ["LAYOUT", "ExportError", "export_backbone", "export_both", "export_network"]
