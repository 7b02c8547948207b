"""The report of experiments as one static HTML file.

``model`` holds the data that it shows, ``plots`` the interactive plots, ``render`` fills
``page.html.jinja`` (with ``page.css`` and ``page.js``). The file loads nothing: plotly.js, pictures
and style are in it, and a content security policy makes the browser refuse everything else.
:mod:`wherewhen.experiments.report` collects the data.
"""
