"""Galleries of environments to search in, and the commands ``kedro search`` (the Kedro side)."""
