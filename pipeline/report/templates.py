"""The texts that lie in templates/ to be filled in: the report's page, its sections, the model card."""

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, select_autoescape

from pipeline.report import status


@cache
def environment() -> Environment:
    """Where templates come from; what is put into HTML is escaped, what is missing is an error."""
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {
        "percent": status.percent,
        "span": status.span,
        "told": status.told,
        "count": lambda value: f"{value:,}",
        "fixed": lambda value, decimals=2: f"{value:.{decimals}f}",
        "signed": lambda value, decimals=2: f"{value:+.{decimals}f}",
        "digits": lambda value, figures=3: f"{value:.{figures}g}",
    }
    return made


def template(name: str) -> Template:
    """A template by its file's name."""
    return environment().get_template(name)
