"""Where the commands print: results to stdout, everything else to stderr."""

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

out = Console(highlight=False)
err = Console(highlight=False, stderr=True)


def line(text: str) -> None:
    """Print one line of results, as it is: not wrapped, brackets not read as markup."""
    out.print(Text(text), soft_wrap=True)


def error(text: str) -> None:
    """Print one line that says what failed and why."""
    err.print(Text.assemble(("error: ", "bold red"), text), soft_wrap=True)


def note(text: str) -> None:
    """Print one line that the user should know and need not act on."""
    err.print(Text.assemble(("note: ", "bold yellow"), text), soft_wrap=True)


def progress() -> Progress:
    """Return a progress bar with the time left; silent where stderr is no terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
        # Redirecting would send piped results to the bar's terminal.
        redirect_stdout=False,
    )
