"""The dataset card, ``README.md``: for people, and for the loaders that read its header."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from html import escape

import polars as pl

from dedup_widgets._text import counted
from dedup_widgets._version import __version__
from dedup_widgets.dataset.spec import DatasetSpec
from dedup_widgets.dataset.tables import as_parquet
from dedup_widgets.frame.schema import COLUMNS, as_markdown

# The loaders for folders know these names only; others must be given to them.
_COMMON_SPLITS = {"train", "validation", "test"}
_SIZE_CATEGORIES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M")


def dataset_card(
    spec: DatasetSpec,
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
    for item in spec.items:
        bytes_of[item.split] += item.size
    return "\n".join(
        [
            "---",
            _header(spec, fingerprints),
            "---",
            "",
            f"# {spec.name}",
            "",
            *([description, ""] if description else []),
            *([f"Project: {project or spec.name}", ""] if project or project_description else []),
            *([project_description, ""] if project_description else []),
            "## Contents",
            "",
            "| split | images | bytes |",
            "|---|---:|---:|",
            *(f"| {split} | {n:,} | {bytes_of[split]:,} |" for split, n in spec.splits.items()),
            "",
            *_removed(spec),
            "## Load",
            "",
            "```python",
            f"from datasets import {'Image, ' * (spec.mode == 'paths')}load_dataset",
            "",
            "dataset = " + "\n".join(_loader(spec)),
            "```",
            "",
            "## How it was made",
            "",
            *_making(spec, placed, allow_duplicates),
            "",
            *_columns(spec),
        ]
    )


def _header(spec: DatasetSpec, fingerprints: list[str]) -> str:
    from huggingface_hub import DatasetCardData

    digits = len(str(len(spec.items)))
    contents = hashlib.sha256(as_parquet(spec.metadata) + "".join(fingerprints).encode())
    data = DatasetCardData(
        pretty_name=spec.name,
        size_categories=[_SIZE_CATEGORIES[min(max(digits - 3, 0), len(_SIZE_CATEGORIES) - 1)]],
        tags=["image", "deduplicated"],
        configs=[
            {
                "config_name": "default",
                # `load_dataset("path/to/name")` caches by name and configuration: without this,
                # another dataset of the same name would be taken for this one.
                "description": f"sha256 {contents.hexdigest()}",
                "data_files": [
                    {"split": split, "path": f"{split}/{_files(spec)}"} for split in spec.splits
                ],
            }
        ],
    )
    return data.to_yaml()


def _removed(spec: DatasetSpec) -> list[str]:
    if spec.removed.is_empty():
        return ["Nothing was left out; `removed.parquet` is empty.", ""]
    reasons = Counter(reason or "no reason given" for reason in spec.removed["reason"])
    return [
        f"{counted(len(spec.removed), 'image')} left out, as `removed.parquet` tells:",
        "",
        *(f"- {_cell(reason)}: {count:,}" for reason, count in sorted(reasons.items())),
        "",
    ]


def _making(spec: DatasetSpec, placed: Mapping[str, int], allow_duplicates: bool) -> list[str]:
    texts = {
        "hardlink": "hardlinks to the source files: to edit one in place changes both",
        "copy": "copies",
        "symlink": "symbolic links to the source files",
        "paths": "not in this folder: `source_path` says where they are",
        "shard": "copies in tar files; all have one extension, whatever their format",
    }
    source = f" from the collection “{_cell(spec.collection)}”" if spec.collection else ""
    checked = "Each picture was decoded again after it was placed"
    return [
        f"With dedup_widgets {__version__}{source}.",
        "",
        *(f"- Scored with {_cell(made.about)}." for made in spec.scored_with),
        *(f"- {counted(count, 'picture')}: {texts[how]}." for how, count in placed.items()),
        *_companions(spec),
        f"- {checked}."
        if allow_duplicates
        else f"- {checked}: no two are exact duplicates of each other.",
        *(
            [f"- Columns that were left out: {', '.join(map(_cell, spec.left_out_columns))}."]
            if spec.left_out_columns
            else []
        ),
    ]


_OWN_COLUMNS = {
    "file_name": "the file in the folder of the split; becomes `image` when loaded",
    "source_path": "where the picture came from",
    "shot": "where its raw file or live video lies, without the suffix",
    "mask_file_name": "its mask in the folder of the split; becomes `mask` when loaded",
}


def _columns(spec: DatasetSpec) -> list[str]:
    rows = (
        (
            _cell(c.name),
            "ClassLabel" if c.name in spec.classes else _cell(str(c.dtype)),
            _meaning(c) or _cell(_some(spec.classes.get(c.name, []))),
        )
        for c in spec.metadata
    )
    return ["## Columns", "", *as_markdown(rows), ""]


def _meaning(column: pl.Series) -> str:
    """Return what a column means, nothing for one that is the user's own."""
    known = COLUMNS.get(column.name)
    if known is not None and known.fits(column):
        return known.meaning
    return _OWN_COLUMNS.get(column.name, "")


def _companions(spec: DatasetSpec) -> list[str]:
    what = "of labels, captions, settings or masks"
    lines = []
    if placed := len(spec.companions) + len(spec.coco):
        lines.append(f"- {counted(placed, 'file')} {what} beside their pictures, as they were.")
    if left := spec.left_behind:
        lines.append(f"- {counted(left, 'file')} {what} stayed behind: there is no place for them.")
    if spec.shot_parts:
        parts = counted(spec.shot_parts, "file")
        lines.append(
            f"- {parts} of the same shots (raw, live video) stayed: see the column `shot`."
        )
    return lines


def _some(names: list[str]) -> str:
    """Return the first names of classes, and how many more there are."""
    more = f" and {len(names) - 10:,} more" if len(names) > 10 else ""
    return ", ".join(names[:10]) + more


def _files(spec: DatasetSpec) -> str:
    if spec.mode == "paths":
        return "metadata.parquet"
    return "*.tar" if spec.format == "webdataset" else "**"


def _loader(spec: DatasetSpec) -> list[str]:
    """Return the lines of Python that load the dataset, whatever its splits and formats.

    The loader is named, since it is guessed wrong for suffixes such as ``.avif``.
    """
    place = f"path/to/{spec.name}"
    if spec.mode != "paths" and set(spec.splits) <= _COMMON_SPLITS:
        return [f'load_dataset("{spec.format}", data_dir="{place}")']
    return [
        f'load_dataset("{"parquet" if spec.mode == "paths" else spec.format}", data_files={{',
        *(f'    "{split}": "{place}/{split}/{_files(spec)}",' for split in spec.splits),
        '}).cast_column("source_path", Image())' if spec.mode == "paths" else "})",
    ]


def _cell(text: str) -> str:
    return escape(" ".join(text.split()), quote=False).replace("|", "\\|")
