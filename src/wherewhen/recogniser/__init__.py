"""A trained model in use: from frames of people to "who is this?".

Examples
--------
>>> from wherewhen.recogniser import Recogniser
>>> recogniser = Recogniser.from_pretrained("wherewhen")
>>> recogniser.card.data.environment
'population'

See Also
--------
wherewhen.pretrained : The folder of a model, and its card.
"""

from wherewhen.recogniser.frames import frames_in
from wherewhen.recogniser.recogniser import Comparison, Recogniser

__all__ = ["Comparison", "Recogniser", "frames_in"]
