"""The list of commands."""

from typing import Annotated

import typer

import superpix
from superpix.cli.evaluate import evaluate
from superpix.cli.info import info
from superpix.cli.segment import segment
from superpix.cli.train import train

app = typer.Typer(
    help="Superpixels: segment pictures, measure segmentations, train models, describe this "
    "installation.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",  # which joins the lines of a docstring's paragraph
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(segment)
app.command()(evaluate)
app.command()(train)
app.command()(info)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(superpix.__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    pass
