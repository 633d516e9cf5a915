"""Which pictures a command line means, and what their results are called."""

import glob
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

# What a folder is searched for; a file that is named may have any format that Pillow reads.
SUFFIXES = frozenset(
    [
        *(".avif", ".bmp", ".gif", ".jfif", ".jp2", ".jpeg", ".jpg", ".pbm", ".pgm", ".png"),
        *(".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp"),
    ]
)

_RESULT_STEM = re.compile(r"(?P<stem>.+?)(-\d+)?_(overlay|mean|labels)")


def find_images(arguments: Iterable[str]) -> tuple[list[Path], list[str]]:
    """Turn files, folders and glob patterns into files.

    Parameters
    ----------
    arguments : iterable of str
        As the user typed them. A folder stands for the pictures directly in it, without those
        that `superpix segment` wrote there itself for another picture of the folder.

    Returns
    -------
    files : list of Path
        In the order of the arguments, sorted within a folder or pattern, each file once.
    problems : list of str
        One line for each argument that stands for nothing.
    """
    files: dict[Path, Path] = {}
    problems = []
    for argument in arguments:
        try:
            found = _expand(argument)
        except OSError as error:
            problems.append(f"{argument}: {error.strerror or error}")
            continue
        for path in found:
            files.setdefault(path.resolve(), path)
    return list(files.values()), problems


def choose_stems(
    paths: Sequence[Path], outputs: Callable[[str], Iterable[Path]]
) -> tuple[list[str], list[str]]:
    """Choose a stem for the results of each picture, so that nothing is overwritten.

    Parameters
    ----------
    paths : sequence of Path
        The pictures.
    outputs : callable
        Gives the files that a stem would write.

    Returns
    -------
    stems : list of str
        The picture's own stem; where an earlier picture has it, or where a result would
        replace a picture that is read, with "-2", "-3" ... behind it.
    notes : list of str
        One line for each stem that is not the picture's own.
    """
    # Folded, because a/Cat.png and b/cat.png are one result on Windows and macOS.
    own = {path.stem.casefold() for path in paths}
    inputs = {path.resolve() for path in paths}
    taken: set[str] = set()

    def is_free(stem: str) -> bool:
        return stem.casefold() not in taken and inputs.isdisjoint(
            output.resolve() for output in outputs(stem)
        )

    stems, notes = [], []
    for path in paths:
        stem, number = path.stem, 1
        while not is_free(stem) or (number > 1 and stem.casefold() in own):
            number += 1
            stem = f"{path.stem}-{number}"
        if number > 1:
            notes.append(f"{path}: the name {path.stem} is taken, results are called {stem}_*")
        taken.add(stem.casefold())
        stems.append(stem)
    return stems, notes


def _expand(argument: str) -> list[Path]:
    path = Path(argument)
    if path.is_dir():
        found = _images_of_folder(path)
        if not found:
            raise OSError("the folder holds no pictures")
        return found
    if path.exists():
        return [path]
    if glob.has_magic(argument):
        matches = [Path(match) for match in sorted(glob.glob(argument, recursive=True))]
        found = [match for match in matches if match.is_file()]
        if not found:
            raise OSError("no file matches the pattern")
        return found
    raise OSError("no such file or folder")


def _images_of_folder(folder: Path) -> list[Path]:
    images = sorted(
        path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file()
    )
    stems = {path.stem for path in images}

    def is_result(path: Path) -> bool:
        match = _RESULT_STEM.fullmatch(path.stem)
        return match is not None and match["stem"] in stems

    return [path for path in images if not is_result(path)]
