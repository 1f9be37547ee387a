"""What a scan leaves out unless it is asked for: bins, thumbnails of systems, and patterns."""

import fnmatch
import os
import re
from collections.abc import Sequence

BINS = (
    r"\$recycle\.bin|recycler|recycled|recycle bin|[#_@.]recycle|#snapshot|~snapshot|\.snapshots?"
    r"|\.zfs|@recently-snapshot|\.trash|\.trash-\d+|\.trashes|\.dtrash|share[/\\]trash"
    r"|network trash folder|@sharebin|@eadir|@tmp|@syno\w+|[.@]*@__thumb|\.thumbnails?|\.thumbs"
    r"|\.stversions|\.sync[/\\]archive|\.dropbox\.cache|_vti_cnf"
    # Previews that programs keep of photos.
    r"|[^/\\]+\.lrdata|captureone[/\\]cache|[^/\\]+\.photoslibrary[/\\](resources|private|scopes)"
    r"|[^/\\]+\.(photo|ap|migratedphoto)library[/\\](thumbnails|previews|attachments)"
)
"""Folders of what was thrown away, and of what systems, network drives and programs make by
themselves; some by their name and that of the folder above."""


_OF_SYSTEMS = (
    r"__macosx|lost\+found|system volume information|\.appledouble|\.ds_store|\._.*|found\.\d{3}"
    r"|temporary items|thevolumesettingsfolder|\$extend"
)


_LEFT_OUT = re.compile(rf"(?i)([^/]*/)?({_OF_SYSTEMS}|{BINS})")


HIDDEN, HIDDEN_FOLDER, BIN, DATASET, IN_CLOUD = (
    *("hidden files", "hidden folders", "folders of thumbnails and bins"),
    *("datasets made of images", "pictures still in iCloud, to be downloaded first"),
)
"""Why files and folders are not taken."""


MADE_BY_US = {"removed.parquet", "README.md"}
"""What lies in a dataset that :func:`dedup_widgets.create_dataset` made."""


def fits(name: str, pattern: str) -> bool:
    """Tell whether a name matches a pattern; hidden names need a pattern that begins with a dot."""
    if name.startswith(".") and not pattern.startswith("."):
        return False
    return fnmatch.fnmatch(name, pattern)


def is_left_out(folder: str, above: str = "") -> bool:
    """Tell of the name of a folder, and that of the folder above, whether a scan passes it by.

    >>> is_left_out("$RECYCLE.BIN"), is_left_out("@eaDir"), is_left_out("recycling")
    (True, True, False)
    >>> is_left_out("resources", "Photos.photoslibrary"), is_left_out("resources")
    (True, False)
    """
    return _LEFT_OUT.fullmatch(f"{above}/{folder}") is not None


def is_excluded(path: str, patterns: Sequence[str]) -> bool:
    """Tell whether a path below the scanned folder fits one of some patterns.

    A pattern without a slash is held against each name on the way, one with a slash against the
    whole of it.

    >>> is_excluded("a/thumbs/1.jpg", ["thumbs"]), is_excluded("a/1.jpg", ["*.png", "a/*"])
    (True, True)
    >>> is_excluded("a/1.jpg", ["b/*", "1"])
    False
    """
    names = path.split("/")
    for pattern in patterns:
        pattern = pattern.replace("\\", "/").removeprefix("./").rstrip("/")
        if "/" in pattern:
            fits = fnmatch.fnmatch(path, pattern.lstrip("/")) or fnmatch.fnmatch(
                f"/{path}/", f"*/{pattern.strip('/')}/*"
            )
        else:
            fits = any(fnmatch.fnmatch(name, pattern) for name in names)
        if fits:
            return True
    return False


def is_below(path: str, patterns: Sequence[str]) -> bool:
    """Tell whether an absolute path fits one of the patterns that are absolute too.

    >>> is_below("/d/thumbs/1.jpg", ["/d/thumbs"]), is_below("/d/1.jpg", ["thumbs", "/d/*.gif"])
    (True, False)
    """
    absolute = [it.replace("\\", "/").rstrip("/") for it in patterns if os.path.isabs(it)]  # noqa: PTH117
    return any(fnmatch.fnmatch(path, it) or fnmatch.fnmatch(path, f"{it}/*") for it in absolute)
