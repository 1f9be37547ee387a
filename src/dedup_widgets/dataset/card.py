"""The dataset card, ``README.md``: for people, and for the loaders that read its header."""

import hashlib
from collections import Counter
from collections.abc import Mapping

import polars as pl

from dedup_widgets._text import counted
from dedup_widgets._version import __version__
from dedup_widgets.dataset.spec import DatasetSpec
from dedup_widgets.dataset.tables import as_parquet
from dedup_widgets.frame.schema import COLUMNS, as_markdown

# The loaders for folders know these names only; others they need to be told.
_COMMON_SPLITS = {"train", "validation", "test"}
_SIZE_CATEGORIES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M")


def dataset_card(
    job: DatasetSpec,
    placed: Mapping[str, int],
    fingerprints: list[str],
    *,
    description: str,
    project: str,
    project_description: str,
    allow_duplicates: bool,
) -> str:
    """Return the card as Markdown with a YAML header."""
    bytes_of = Counter[str]()
    for item in job.items:
        bytes_of[item.split] += item.size
    return "\n".join(
        [
            "---",
            _header(job, fingerprints),
            "---",
            "",
            f"# {job.name}",
            "",
            *([description, ""] if description else []),
            *([f"Project: {project or job.name}", ""] if project or project_description else []),
            *([project_description, ""] if project_description else []),
            "## Contents",
            "",
            "| split | images | bytes |",
            "|---|---:|---:|",
            *(f"| {split} | {n:,} | {bytes_of[split]:,} |" for split, n in job.splits.items()),
            "",
            *_removed(job),
            "## Load",
            "",
            "```python",
            f"from datasets import {'Image, ' * (job.mode == 'paths')}load_dataset",
            "",
            "dataset = " + "\n".join(_loader(job)),
            "```",
            "",
            "## How it was made",
            "",
            *_making(job, placed, allow_duplicates),
            "",
            *_columns(job),
        ]
    )


def _header(job: DatasetSpec, fingerprints: list[str]) -> str:
    from huggingface_hub import DatasetCardData

    digits = len(str(len(job.items)))
    contents = hashlib.sha256(as_parquet(job.metadata) + "".join(fingerprints).encode())
    data = DatasetCardData(
        pretty_name=job.name,
        size_categories=[_SIZE_CATEGORIES[min(max(digits - 3, 0), len(_SIZE_CATEGORIES) - 1)]],
        tags=["image", "deduplicated"],
        configs=[
            {
                "config_name": "default",
                # `load_dataset("path/to/name")` caches by name and configuration: without this,
                # another dataset of the same name would be taken for this one.
                "description": f"sha256 {contents.hexdigest()}",
                "data_files": [
                    {"split": split, "path": f"{split}/{_files(job)}"} for split in job.splits
                ],
            }
        ],
    )
    return data.to_yaml()


def _removed(job: DatasetSpec) -> list[str]:
    if job.removed.is_empty():
        return ["Nothing was left out; `removed.parquet` is empty.", ""]
    reasons = Counter(reason or "no reason given" for reason in job.removed["reason"])
    return [
        f"{counted(len(job.removed), 'image')} left out, as `removed.parquet` tells:",
        "",
        *(f"- {_cell(reason)}: {count:,}" for reason, count in sorted(reasons.items())),
        "",
    ]


def _making(job: DatasetSpec, placed: Mapping[str, int], allow_duplicates: bool) -> list[str]:
    texts = {
        "hardlink": "hardlinks to the source files: to edit one in place changes both",
        "copy": "copies",
        "symlink": "symbolic links to the source files",
        "paths": "not in this folder: `source_path` says where they are",
        "shard": "copies in tar files; all have one extension, whatever their format",
    }
    source = f" from the collection “{_cell(job.collection)}”" if job.collection else ""
    checked = "Each picture was decoded again after it was placed"
    return [
        f"With dedup_widgets {__version__}{source}.",
        "",
        *(f"- Scored with {_cell(made.about)}." for made in job.scored_with),
        *(f"- {counted(count, 'picture')}: {texts[how]}." for how, count in placed.items()),
        f"- {checked}."
        if allow_duplicates
        else f"- {checked}: no two are exact duplicates of each other.",
        *(
            [f"- Columns that were left out: {', '.join(map(_cell, job.left_out_columns))}."]
            if job.left_out_columns
            else []
        ),
    ]


_OWN_COLUMNS = {
    "file_name": "the file in the folder of the split; becomes `image` when loaded",
    "source_path": "where the picture came from",
}


def _columns(job: DatasetSpec) -> list[str]:
    rows = ((_cell(c.name), _cell(str(c.dtype)), _meaning(c)) for c in job.metadata)
    return ["## Columns", "", *as_markdown(rows), ""]


def _meaning(column: pl.Series) -> str:
    """Return what a column means, nothing for one that is the user's own."""
    known = COLUMNS.get(column.name)
    if known is not None and known.fits(column):
        return known.meaning
    return _OWN_COLUMNS.get(column.name, "")


def _files(job: DatasetSpec) -> str:
    if job.mode == "paths":
        return "metadata.parquet"
    return "*.tar" if job.format == "webdataset" else "**"


def _loader(job: DatasetSpec) -> list[str]:
    """Return the lines of Python that load the dataset, whatever its splits and formats.

    The loader is named, since it is guessed wrong for suffixes such as ``.avif``.
    """
    place = f"path/to/{job.name}"
    if job.mode != "paths" and set(job.splits) <= _COMMON_SPLITS:
        return [f'load_dataset("{job.format}", data_dir="{place}")']
    return [
        f'load_dataset("{"parquet" if job.mode == "paths" else job.format}", data_files={{',
        *(f'    "{split}": "{place}/{split}/{_files(job)}",' for split in job.splits),
        '}).cast_column("source_path", Image())' if job.mode == "paths" else "})",
    ]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
