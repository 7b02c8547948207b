"""People in videos without boxes: a detector finds them, a tracker joins them.

The detector is torchvision's, with weights from a file or torchvision's own download; the tracker
is ByteTrack of the package trackers (the extra ``detect``). What they find is written as a file of
boxes in MOTChallenge's format, which the reader ``mot`` reads.

See Also
--------
wherewhen.tracklets.readers.mot : Reads videos with boxes.
"""

from wherewhen.detection.detector import DETECTOR, DETECTORS, Detector
from wherewhen.detection.tracking import track_people, tracker_identity

__all__ = ["DETECTOR", "DETECTORS", "Detector", "track_people", "tracker_identity"]
