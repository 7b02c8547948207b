"""The page to look: a gallery in the browser, its tracklets playing (the Kedro side).

`web` draws it; the rest needs no web library.
"""
