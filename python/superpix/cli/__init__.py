"""The `superpix` command. `import superpix` does not import this package."""

import sys

__all__ = ["main"]

# Import name -> name on PyPI, of what the commands cannot start without.
_REQUIRED = {"typer": "typer", "rich": "rich", "PIL": "pillow"}


def main() -> None:
    """Run the command line; the entry point of `superpix` and of `python -m superpix`."""
    try:
        from superpix.cli.app import app
    except ModuleNotFoundError as error:
        missing = _REQUIRED.get((error.name or "").partition(".")[0])
        if missing is None:
            raise
        sys.exit(f"superpix: the command line needs {missing}: pip install 'superpix[cli]'")
    app(prog_name="superpix")
