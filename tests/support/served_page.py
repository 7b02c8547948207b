"""Serve the page of a gallery whose vectors a random recogniser made: a process of its own.

Arguments: the gallery's folder, the folder of its frames, the file of marks, the port.
"""

import sys
import tempfile
from pathlib import Path

from recognisers import random_backbone, random_parts, random_recogniser

from wherewhen.galleries.marks import MarksFile
from wherewhen.galleries.page.desk import Desk
from wherewhen.galleries.page.web import serve
from wherewhen.recogniser.gallery import Gallery

if __name__ == "__main__":
    folder, root, marks, port = sys.argv[1:]
    parts = random_parts(random_backbone(), Path(tempfile.mkdtemp()) / "files")
    recogniser = random_recogniser(parts, "cosine")
    opening = lambda: Gallery.open(Path(folder), Path(root))  # noqa: E731
    serve(Desk("site", opening, recogniser, MarksFile(Path(marks)), 4), "127.0.0.1", int(port))
