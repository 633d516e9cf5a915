"""`superpix evaluate`: scores of superpixel methods on BSDS500."""

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from superpix import evaluation
from superpix.cli import console, reports
from superpix.cli.options import check_positive
from superpix.cli.plot import plot
from superpix.data.bsds import BSDS500, BSDSError
from superpix.peers import CLASSICAL, LEARNED, METHODS, Method, MissingPackageError, load_method

REFERENCE = "superpix"


def evaluate(
    bsds: Annotated[
        Path,
        typer.Option(
            envvar="SUPERPIX_BSDS500",
            metavar="DIR",
            help="BSDS500 in its original layout: JPEGs in images/SPLIT, .mat files in "
            "groundTruth/SPLIT.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder for CSV files and plot; made if missing.")
    ] = Path(),
    split: Annotated[str, typer.Option(help="train, val or test.")] = "test",
    counts: Annotated[
        str, typer.Option(metavar="LIST", help="Numbers of superpixels to ask for.")
    ] = "100,300,600,1000",
    methods: Annotated[
        str,
        typer.Option(
            metavar="LIST",
            help=f"Some of {', '.join(METHODS)}; weights of one's own as ssn:FILE.",
        ),
    ] = ",".join(CLASSICAL),
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N images.")] = None,
    compactness: Annotated[
        float | None,
        typer.Option(
            help="One value for all methods, whose scales differ.",
            callback=check_positive,
            show_default="each method's own",
        ),
    ] = None,
    threads: Annotated[
        int, typer.Option(min=1, help="Threads of every method (scikit-image has only one).")
    ] = 2,
    match: Annotated[
        bool,
        typer.Option(
            "--match",
            help="Compare each peer with superpix at the peer's actual counts, where superpix is "
            "interpolated between counts just below and above.",
        ),
    ] = False,
) -> None:
    """Measure superpixel methods on the Berkeley segmentation data.

    Prints the mean scores over all (image, annotator) pairs and writes scores.csv (a line for each
    method and count), images.csv (a line for each image too), scores.png (accuracy, boundary
    recall and compactness over the actual count, boundary precision over recall) and, with --match,
    matched.csv. ASA is achievable segmentation accuracy, BR and BP are boundary recall and
    precision, UE undersegmentation error, EV explained variation, CO compactness; ms is the time of
    the method alone.
    """
    wanted_counts = parse_counts(counts)
    names = parse_methods(methods)
    if match and (REFERENCE not in names or len(names) < 2):
        raise typer.BadParameter(
            f"needs {REFERENCE} and a peer among --methods", param_hint="--match"
        )
    if importlib.util.find_spec("matplotlib") is None:  # said now, not after an hour's work
        console.error("the plot needs matplotlib: pip install 'superpix[cli]'")
        raise typer.Exit(1)
    try:
        output.mkdir(parents=True, exist_ok=True)
        samples = BSDS500(bsds, split, limit)
        loaded = [load_method(name, compactness=compactness, num_threads=threads) for name in names]
        rows = _run("evaluating", samples, loaded, wanted_counts)
        if match:
            rows += _run_between(samples, loaded, wanted_counts, rows)
        _report(rows, wanted_counts, output, f"BSDS500 {split}, {len(samples)} images", match=match)
    except (BSDSError, MissingPackageError, OSError, ValueError) as error:
        console.error(str(error))
        raise typer.Exit(1) from None


def parse_counts(text: str) -> list[int]:
    """Read the value of --counts."""
    try:
        counts = sorted({int(part) for part in text.split(",")})
    except ValueError:
        counts = []
    if not counts or counts[0] < 1:
        raise typer.BadParameter(
            f"{text!r} is no list of numbers >= 1 like 100,300,600", param_hint="--counts"
        )
    return counts


def parse_methods(text: str) -> list[str]:
    """Read the value of --methods."""
    names = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    unknown = [
        name for name in names if name not in METHODS and name.partition(":")[0] not in LEARNED
    ]
    if unknown or not names:
        raise typer.BadParameter(
            f"{', '.join(unknown) or 'nothing'} cannot be measured; "
            f"give one or more of {', '.join(METHODS)}, separated by commas",
            param_hint="--methods",
        )
    return names


def _run(
    what: str, samples: BSDS500, methods: list[Method], counts: list[int]
) -> list[evaluation.ImageRow]:
    with console.progress() as bar:
        task = bar.add_task(what, total=len(samples) * len(methods) * len(counts))
        return evaluation.evaluate(samples, methods, counts, lambda _row: bar.advance(task))


def _run_between(
    samples: BSDS500, methods: list[Method], counts: list[int], rows: list[evaluation.ImageRow]
) -> list[evaluation.ImageRow]:
    peers = [row.superpixels for row in evaluation.summarize(rows) if row.method != REFERENCE]
    reference = [method for method in methods if method.name == REFERENCE]
    return _run(
        "evaluating superpix between",
        samples,
        reference,
        evaluation.bracketing_counts(counts, peers),
    )


def _report(
    rows: list[evaluation.ImageRow], counts: list[int], folder: Path, title: str, *, match: bool
) -> None:
    means = evaluation.summarize(rows)
    reports.write_csv(folder / "scores.csv", means)
    reports.write_csv(folder / "images.csv", rows)
    plot(means, folder / "scores.png", title)
    written = ["scores.csv", "images.csv", "scores.png"]
    asked = [row for row in means if row.requested in counts]
    console.out.print(reports.means_table(asked, title))
    if match:
        matches = evaluation.match_counts(means, REFERENCE)
        reports.write_matches(folder / "matched.csv", matches)
        written.append("matched.csv")
        console.out.print(reports.matches_table(matches))
    console.line("written: " + ", ".join(str(folder / name) for name in written))
