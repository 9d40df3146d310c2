"""The documentation site: `sphinx-build -W docs site`. The reference is read from docstrings."""

from importlib import import_module as _import
from importlib.metadata import version as _version

# autodoc sees only what is loaded, and these modules load their names where they are first used.
for _module in (_import("pika_async"), _import("pika_async.callbacks")):
    for _name in _module.__all__:
        getattr(_module, _name)

project = "pika_async"
author = "The developers of pika_async"
copyright = author  # noqa: A001
version = release = _version("pika-async")

extensions = ["myst_parser", "sphinx.ext.autodoc"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4
default_role = "code"
nitpicky = False
exclude_patterns = ["site"]

autodoc_default_options = {"members": True, "member-order": "bysource", "show-inheritance": True}
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88

html_theme = "furo"
html_title = "pika_async"
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}


def _as_code(_app, _what, _name, _obj, _options, lines):
    """Show what a docstring indents as code, and its tree drawings as they are drawn."""
    text, inside = [], False
    for before, line in zip(["", *lines], lines, strict=False):
        drawn = line.startswith(("    ", "├", "│", "└"))
        if drawn and not inside and (not before.strip() or line.startswith("├")):
            text += ["", "::", ""] if before.strip() else ["::", ""]
            inside = True
        elif line.strip() and not drawn:
            text += [""] if inside and text[-1].strip() else []
            inside = False
        text.append(f"    {line}" if inside and line.strip() else line)
    lines[:] = text


def setup(app):
    """Register the hook above."""
    app.connect("autodoc-process-docstring", _as_code)
