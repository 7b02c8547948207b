"""Search: a gallery of tracklets that is kept in a folder, and asked for the nearest of a query.

An `Index` holds a table of tracklets and a vector of each. Tracklets are added and removed, filters
choose by person, camera and time, and vectors of another model are refused. Search compares with
all vectors, or takes a short cut by FAISS's inverted lists or graph. It needs numpy, pandas and
faiss, and neither Kedro nor torch.
"""

from wherewhen.search.gallery import GalleryError
from wherewhen.search.index import Index

__all__ = ["GalleryError", "Index"]
