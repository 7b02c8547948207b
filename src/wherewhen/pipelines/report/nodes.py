"""Nodes of `report` that draw nothing."""

import pandas as pd

from wherewhen.reporting.tables import summarise


def summary_table(scores: pd.DataFrame) -> pd.DataFrame:
    """Average the scores over the trials."""
    return summarise(scores)
