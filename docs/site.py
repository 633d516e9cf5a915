"""What MkDocs does to pages: those that lie above docs/ become part of the site.

Links in the repository's files are right there; here they are made right for the site.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]

# Pages, and the files of the repository that they are.
FILES = {
    "architecture.md": "ARCHITECTURE.md",
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
}


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Return the text of a page; MkDocs calls it for each."""
    file = FILES.get(page.file.src_uri)
    if file is not None:
        markdown = (ROOT / file).read_text(encoding="utf-8").replace("](docs/", "](")
    # What is code of the repository is no page of the site: the link's text has its name.
    return re.sub(r"\[([^]]+)\]\(\.\./(?:cpp|examples|tests)/[^)]*\)", r"\1", markdown)
