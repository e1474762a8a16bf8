"""How Sphinx makes the documentation: `make docs`.

The package is imported as it is installed, in pure Python by that door: plain signatures carry types, which those of
extension modules do not. Drawings are SVG files. As images, which is how a forge shows them, they follow the colours of
the system; here they are put into the page, where they take those of the theme, whatever the reader chose.
"""

from __future__ import annotations

import re
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING

import click
from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective

from jobcore.cli._main import cli

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "jobcore"
author = "jobcore contributors"
copyright = f"the {author}"  # noqa: A001  (the name that Sphinx reads)
release = installed_version("jobcore")
version = release.partition("+")[0]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton"]
exclude_patterns = ["_static"]
default_role = "code"  # docstrings write `name`
nitpick_ignore_regex = [
    # the standard library
    ("py:.*", r"(asyncio|collections|contextlib|datetime|os|typing|uuid)\..*|AbstractAsyncContextManager"),
    ("py:.*", r"UUID|datetime|timedelta"),
    # type variables and literals
    ("py:.*", r"(.*\W)?(T|R|P|CallP|PushP|HandlerT|MiddlewareT|EventKind|Executor)(\..*)?"),
    # other libraries
    ("py:.*", r"taskiq\..*|AckableMessage"),
    # what a signature names and nobody imports
    ("py:.*", r"(jobcore\..*\.)?(Blocking|JobDecorator|JobLogger|JobSpec|Middleware|Pool|Pusher|Record|Stage)"),
]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True

copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True

html_theme = "furo"
html_title = "jobcore"
html_static_path = ["_static"]
html_css_files = ["jobcore.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "source_repository": "https://github.com/jobcore/jobcore",
    "source_branch": "main",
    "source_directory": "docs/",
}


class Drawings(SphinxPostTransform):
    """Puts the drawings into the page."""

    default_priority = 5  # before images are collected
    formats = ("html",)

    def run(self) -> None:
        """Replace each image of a drawing by its text."""
        for image in list(self.document.findall(nodes.image)):
            path = Path(self.app.srcdir, image["uri"])
            if path.parent.name == "drawings":
                drawing = path.read_text("utf-8")
                figure = f'<figure class="drawing" role="img" aria-label="{image["alt"]}">{drawing}</figure>'
                image.replace_self(nodes.raw("", figure, format="html"))


class CommandHelp(SphinxDirective):
    """A section for each subcommand, with what its `--help` says."""

    def run(self) -> list[nodes.Node]:
        """In the order in which the command lists them."""
        return [self._section(name, command) for name, command in cli.commands.items()]

    def _section(self, name: str, command: click.Command) -> nodes.Node:
        words = f"jobcore {name}"
        with click.Context(command, info_name=words, terminal_width=80, **cli.context_settings) as context:
            text = command.get_help(context)
        help_text = nodes.literal_block(text, text, language="text")
        return nodes.section("", nodes.title("", words), help_text, ids=[nodes.make_id(words)], names=[words])


def mark_examples(_app: Sphinx, _kind: str, _name: str, _object: object, _options: object, lines: list[str]) -> None:
    """Indented text in a docstring, after an empty line, is a program."""
    text = re.sub(r"(\n\n)(?=    \S)(?<!::\n\n)", r"\1.. code-block:: python\n\n", "\n".join(lines))
    lines[:] = text.split("\n")


def name_alone(_app: Sphinx, _kind: str, _name: str, named: object, *_: object) -> tuple[str, str] | None:
    """A protocol is not made by calling it."""
    return ("", "") if getattr(named, "_is_protocol", False) else None


def setup(app: Sphinx) -> None:
    """What Sphinx calls."""
    app.add_post_transform(Drawings)
    app.add_directive("command-help", CommandHelp)
    app.connect("autodoc-process-docstring", mark_examples)
    app.connect("autodoc-process-signature", name_alone)
