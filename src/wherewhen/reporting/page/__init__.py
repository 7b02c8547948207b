"""The report of experiments as one static HTML file without scripts.

``model`` holds the data that it shows, ``render`` fills ``page.html.jinja`` (with ``page.css``).
The file loads nothing: pictures and style are in it, and a content security policy makes the
browser refuse everything else.
"""
