"""Reporting: figures and tables of a run.

``style`` names and colours, ``checks`` guards the tables that come in, ``tables`` summarises
scores, ``figures`` draws. Everything is a function of tables and arrays and returns a pandas table,
a rich table or a :class:`matplotlib.figure.Figure` (never pyplot's state, so it works headless and
in threads). Nothing is written to disk here.

May import from ``tracklets``, ``metric_learning``, ``retrieval``, ``features`` and ``model`` (so
far it needs none of them). This file stays light: matplotlib is imported by ``figures`` alone.
"""
