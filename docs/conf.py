"""Settings of Sphinx, which builds the documents' site: see CONTRIBUTING.md."""

import re
from typing import Any

project = "wherewhen"
copyright = "the authors of wherewhen, Apache-2.0"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "results"]
myst_heading_anchors = 4  # with -W, a link or an anchor that leads nowhere stops the build
html_theme = "furo"
html_title = "wherewhen"
html_static_path = ["_static"]
html_css_files = ["wide.css"]
html_show_sphinx = False
html_copy_source = False

default_role = "literal"  # docstrings have names in single backticks
autodoc_typehints = "none"  # numpydoc's sections have the types
autodoc_member_order = "bysource"
autodoc_default_options = {
    "members": True,
    "exclude-members": "set_fit_request, set_score_request, set_transform_request",
}
napoleon_google_docstring = False
napoleon_use_rtype = False


def escape_formulas(*event: Any) -> None:
    """Escape what docstrings mean as a formula, and reStructuredText as markup: `|x|`, `a_`."""
    lines = event[-1]
    for number, line in enumerate(lines):
        parts = re.split(r"(`+[^`]*`+)", line)
        is_name = re.fullmatch(r"\s*[\w, ]+( : .*)?", line)  # of an attribute, for napoleon
        if not is_name and not line.lstrip().startswith((">>>", "...", ".. ")):
            parts[::2] = [re.sub(r"\||(?<=\w)_(?!\w)", r"\\\g<0>", part) for part in parts[::2]]
        lines[number] = "".join(parts)


def setup(app: Any) -> None:
    """Register what Sphinx calls, before napoleon reads the docstrings."""
    app.connect("autodoc-process-docstring", escape_formulas, priority=100)
