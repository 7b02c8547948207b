"""Settings of Sphinx, which builds the documents' site: see CONTRIBUTING.md."""

project = "wherewhen"
copyright = "the authors of wherewhen, Apache-2.0"
extensions = ["myst_parser"]
exclude_patterns = ["_build", "results"]
nitpicky = True  # with -W, a link or an anchor that leads nowhere stops the build
myst_heading_anchors = 4
html_theme = "furo"
html_title = "wherewhen"
html_static_path = ["_static"]
html_css_files = ["wide.css"]
html_show_sphinx = False
html_copy_source = False
