"""The command line: score a folder, explore what came out, try the demo."""

import json
import os
import secrets
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import polars as pl
import typer

from dedup_widgets._version import __version__
from dedup_widgets.errors import DedupError, InputError

if TYPE_CHECKING:
    from dedup_widgets.images.decode import Decoding
    from dedup_widgets.models.base import Precision
    from dedup_widgets.review.session import Session

app = typer.Typer(
    help="Find duplicate and near-duplicate images, and decide what to keep.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Lab = Annotated[bool, typer.Option("--lab/--no-lab", help="Open JupyterLab, or stop before it.")]


Exclude = Annotated[
    list[str] | None,
    typer.Option(help="A pattern of what is left out, such as thumbs or '*.gif'; repeatable."),
]


Against = Annotated[
    str | None,
    typer.Option(help="An older set, a folder or a scored .parquet: its images stay."),
]


Within = Annotated[
    str | None,
    typer.Option(help="folder, or a column: only images of one value may be duplicates."),
]


@contextmanager
def _exit_codes(kept: str = "nothing was lost", code: int = 1) -> Iterator[None]:
    """Turn errors into one readable line and an exit code, an interrupt into 130.

    Parameters
    ----------
    kept
        What an interrupt leaves, for people to read.
    code
        The exit code of an error.
    """
    try:
        yield
    except DedupError as error:
        typer.secho(f"error: {error}", err=True, fg=typer.colors.RED)
        raise typer.Exit(code) from error
    except KeyboardInterrupt as error:
        typer.secho(
            f"\ninterrupted; {kept}",
            err=True,
            fg=typer.colors.YELLOW,
        )
        raise typer.Exit(130) from error


def _kept_in(store: Path | None) -> str:
    from dedup_widgets.store.open import store_paths

    return (
        f"the images read and embedded by now are kept in {store_paths(store).cache}, and the same "
        "command goes on from there"
    )


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dedup-widgets {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    pass


@app.command()
def score(
    photos: Annotated[
        list[str],
        typer.Argument(metavar="PHOTOS", help="A folder, a quoted glob, or image files."),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            help="Where to write: .parquet; or without embeddings .csv, .jsonl, .json, .txt.",
        ),
    ] = Path("scores.parquet"),
    model: Annotated[
        str,
        typer.Option(
            help="A sentence-transformers model, by name or folder, or efficientnet-lite0 or "
            "perceptual, which need no model hub."
        ),
    ] = "clip-ViT-B-32",
    near: Annotated[
        float, typer.Option(min=0, max=1, help="Near-duplicate boundary, on the uniqueness scale.")
    ] = 0.05,
    store: Annotated[
        Path | None,
        typer.Option(
            envvar="DEDUP_WIDGETS_STORE",
            help="The folder to remember in, or the file; the user's own unless said.",
        ),
    ] = None,
    device: Annotated[str | None, typer.Option(help="Torch device, such as cuda.")] = None,
    precision: Annotated[
        str, typer.Option(help="fast, or exact: as the model's reference computes it.")
    ] = "fast",
    decoding: Annotated[
        str,
        typer.Option(help="full, or reduced: large JPEGs at an eighth to a half of their sides."),
    ] = "full",
    batch_size: Annotated[int | None, typer.Option(min=1, help="Images a network pass.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Threads that decode, processes that compare.")
    ] = None,
    exclude: Exclude = None,
    against: Against = None,
    within: Within = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress, no summary.")] = False,
) -> None:
    """Score images by how unlike the others they are, and write the frame."""
    with _exit_codes(_kept_in(store)):
        from dedup_widgets.frame.export import writer
        from dedup_widgets.scale.score import score as score_images

        write = writer(output)
        start = time.perf_counter()
        frame = score_images(
            _images(photos),
            exclude=exclude or (),
            against=against,
            within=within,
            model=model,
            near=near,
            store=store,
            device=device,
            precision=cast("Precision", precision),
            decoding=cast("Decoding", decoding),
            batch_size=batch_size,
            workers=workers,
            progress=not quiet,
        )
        if frame.is_empty():
            raise InputError(f"no images in {', '.join(photos)}")
        write(frame)
        if not quiet:
            _report(frame, time.perf_counter() - start, near)
            hint = f"; look at it with: dedup-widgets explore {shlex.quote(str(output))}"
            typer.echo(f"written to {output}{hint if output.suffix == '.parquet' else ''}")
        if frame["error"].null_count() == 0:
            raise InputError(f"none of the {len(frame)} files could be read; see column 'error'")


@app.command()
def check(
    data: Annotated[
        list[str],
        typer.Argument(metavar="DATA", help="A folder, a quoted glob, image files, or scores."),
    ],
    fail_on: Annotated[
        str,
        typer.Option(
            help="What must not be found: exact, near, leakage, label-conflict, unreadable."
        ),
    ] = "exact,near,leakage,label-conflict",
    against: Against = None,
    within: Within = None,
    exclude: Exclude = None,
    label: Annotated[str | None, typer.Option(help="The column of labels.")] = None,
    split: Annotated[str | None, typer.Option(help="The column of splits.")] = None,
    output: Annotated[
        Path | None, typer.Option("--json", help="Where to write JSON; else it is printed.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Where to write a report, one HTML file.")
    ] = None,
    model: Annotated[str, typer.Option(help="As for score.")] = "clip-ViT-B-32",
    near: Annotated[float, typer.Option(min=0, max=1, help="As for score.")] = 0.05,
    store: Annotated[
        Path | None, typer.Option(envvar="DEDUP_WIDGETS_STORE", help="As for score.")
    ] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress, no summary.")] = False,
) -> None:
    """Check images before they are trained on: exit code 1 if something is found, 2 for errors.

    By default it fails on each of these that can be told; leakage and label conflicts need
    columns, which folders may name.
    """
    with _exit_codes(_kept_in(store), code=2):
        from dedup_widgets.review.report import FINDINGS, failed, findings
        from dedup_widgets.review.session import Session
        from dedup_widgets.scale.score import score as score_images

        _require_writable(report, ".html", ".htm")
        _require_writable(output, ".json")
        wanted = [name.strip() for name in fail_on.split(",") if name.strip()]
        failed(dict.fromkeys(FINDINGS, 0), wanted)
        frame = _scored(data) if against is None and within is None else None
        if frame is None:
            frame = score_images(
                _images(data),
                model=model,
                near=near,
                store=store,
                exclude=exclude or (),
                against=against,
                within=within,
                progress=not quiet,
            )
        if frame.is_empty():
            raise InputError(f"no images in {', '.join(data)}")
        review = Session(frame, label=label, split=split, near=near, store=store)
        found = findings(review)
        if fail_on == _EVERYTHING:
            wanted = [name for name in wanted if found[name] is not None]
        bad = failed(found, wanted)
        text = _as_json(review, found, bad)
        if output is None:
            typer.echo(text)
        else:
            output.write_text(text + "\n", encoding="utf-8")
        if report is not None:
            review.report(report)
        if not quiet:
            lines = [f"{FINDINGS[name]}: {count:,}" for name, count in found.items() if count]
            typer.echo("; ".join(lines) or "nothing was found", err=True)
            if report is not None:
                typer.echo(f"report: {report}", err=True)
        if bad:
            raise typer.Exit(1)


def _require_writable(file: Path | None, *suffixes: str) -> None:
    if file is not None and file.suffix.lower() not in suffixes:
        raise InputError(f"cannot write {file.name}: its name must end in {suffixes[0]}")
    if file is not None and not file.absolute().parent.is_dir():
        raise InputError(f"there is no folder {file.absolute().parent} to write to")


def _as_json(review: "Session", found: Mapping[str, int | None], bad: Sequence[str]) -> str:
    """Return what a check found, and what can go."""
    goes = pl.DataFrame() if review.plan is None else review.plan
    rows = (
        goes.filter(pl.col("action") == "remove").select("path", "keeper", "kind", "reason")
        if goes.width
        else goes
    )
    return json.dumps(
        {
            "images": len(review),
            "found": found,
            "failed": bad,
            "not_taken": review.summary.not_taken,
            "can_go": rows.to_dicts(),
        },
        indent=1,
        ensure_ascii=False,
    )


_EVERYTHING = "exact,near,leakage,label-conflict"


def _scored(data: list[str]) -> pl.DataFrame | None:
    """Return the scores that a file holds; None where there are none yet."""
    if len(data) != 1 or Path(data[0]).suffix.lower() != ".parquet" or not Path(data[0]).is_file():
        return None
    try:
        frame = pl.read_parquet(data[0])
    except pl.exceptions.PolarsError as error:
        raise InputError(f"{data[0]} is no Parquet file: {error}") from error
    return frame if {"path", "uniqueness", "keep"} <= set(frame.columns) else None


@app.command()
def explore(
    scores: Annotated[Path, typer.Argument(help="A Parquet file that `score` wrote.")],
    lab: Lab = True,
) -> None:
    """Open JupyterLab on a notebook that shows scored images in the Explorer."""
    with _exit_codes():
        if not scores.is_file():
            raise InputError(f"there is no file {scores}; make it with: dedup-widgets score")
        try:
            columns = pl.read_parquet_schema(scores)
        except pl.exceptions.PolarsError as error:
            raise InputError(
                f"{scores} is no Parquet file; make one with: dedup-widgets score -o scores.parquet"
            ) from error
        if "path" not in columns:
            raise InputError(f"{scores} has no column 'path'; make one with: dedup-widgets score")
        notebook = scores.with_suffix(".ipynb")
        if notebook.exists():
            typer.echo(f"opening {notebook}, which is there already")
        else:
            notebook.write_text(json.dumps(_explore_notebook(scores.name), indent=1))
            typer.echo(f"made {notebook}")
        _open_lab(scores.parent, notebook.name, lab)


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="Where to put photos and notebooks.")] = Path(
        "dedup-widgets-demo"
    ),
    lab: Lab = True,
) -> None:
    """Make a set of demo photos, score it, and open the quickstart notebook."""
    with _exit_codes(_kept_in(None)):
        from dedup_widgets.demo import demo_photos
        from dedup_widgets.scale.score import score as score_images

        photos = demo_photos(folder / "photos")
        start = time.perf_counter()
        frame = score_images(photos, model="efficientnet-lite0")
        _report(frame, time.perf_counter() - start)
        for problem in frame.filter(pl.col("error").is_not_null()).iter_rows(named=True):
            typer.echo(f"  unreadable: {Path(problem['path']).name}: {problem['error']}")
        notebooks = folder / "notebooks"
        notebooks.mkdir(exist_ok=True)
        for notebook in _notebooks():
            if not (notebooks / notebook.name).exists():
                shutil.copyfile(notebook, notebooks / notebook.name)
        typer.echo(f"photos and notebooks are in {folder}")
        _open_lab(folder, "notebooks/quickstart.ipynb", lab)


def _images(given: list[str]) -> str | list[str]:
    """Return what is to be scored: one folder means more than a list of its images."""
    from dedup_widgets._paths import absolute
    from dedup_widgets.images.listing import find_images

    if len(given) == 1:
        return given[0]
    return [absolute(path) for where in given for path in find_images(where)]


def _report(frame: pl.DataFrame, seconds: float, near: float = 0.05) -> None:
    from dedup_widgets._text import counted
    from dedup_widgets.frame.summary import summarize

    summary = summarize(frame, near=near)
    rows = {
        "images": summary.images,
        "exact groups": f"{summary.exact_groups:,} ({counted(summary.exact, 'image')} can go)",
        "near groups": f"{summary.near_groups:,} ({counted(summary.near, 'near-duplicate')})",
        "unreadable": summary.unreadable,
        "seconds": f"{seconds:.1f}",
    }
    if summary.left_out:
        rows["looked at"] = summary.about_left_out
    if summary.old:
        rows["there before"] = summary.old
    if summary.further_names:
        rows["same files"] = summary.about_further_names
    if summary.from_folders:
        rows["columns"] = summary.about_folders
    if summary.annotations:
        rows["annotations"] = summary.about_annotations
    if summary.not_taken:
        rows["not taken"] = summary.about_not_taken
    for name, value in rows.items():
        typer.echo(f"{name:>14}  {value}")


def _notebooks() -> list[Path]:
    """Return the notebooks that ship with the package, or lie in the checkout it runs from."""
    package = Path(str(files("dedup_widgets")))
    for place in (package / "notebooks", package.parents[1] / "notebooks"):
        if found := sorted(place.glob("*.ipynb")):
            return found
    raise InputError("this installation has no notebooks; install dedup-widgets again")


def _explore_notebook(scores: str) -> dict[str, object]:
    cells = [
        f"import polars as pl\nimport dedup_widgets as dw\n\ndf = pl.read_parquet({scores!r})",
        "ex = dw.Explorer(df)\nex",
        "ex.selection",
    ]
    return {
        "cells": [
            {
                "cell_type": "code",
                "id": f"cell-{number}",
                "metadata": {},
                "execution_count": None,
                "outputs": [],
                "source": source,
            }
            for number, source in enumerate(cells)
        ],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _open_lab(root: Path, notebook: str, wanted: bool) -> None:
    """Run JupyterLab on 127.0.0.1 until it is ended."""
    if not wanted:
        return
    try:
        import jupyterlab  # type: ignore[import-untyped]  # noqa: F401
    except ImportError as error:
        raise InputError('this needs JupyterLab: pip install "dedup-widgets[demo]"') from error
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_urlsafe(16)
    typer.echo(f"\nJupyterLab: http://127.0.0.1:{port}/lab/tree/{notebook}?token={token}")
    typer.echo("Ctrl-C ends it.\n")
    subprocess.run(
        [
            *(sys.executable, "-m", "jupyterlab", notebook),
            f"--ServerApp.root_dir={root.resolve()}",
            "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.port={port}",
            "--ServerApp.port_retries=0",
            f"--IdentityProvider.token={token}",
            "--Application.log_level=WARN",
            *(["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
        ],
        cwd=root,
        check=False,
    )
