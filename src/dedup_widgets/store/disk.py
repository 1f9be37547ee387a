"""What kind of disk a file lies on."""

import os
import re
from pathlib import Path

_NETWORK = re.compile(
    r"nfs\d?|cifs|smb\w*|9p|drvfs|afs|ncpfs|ceph|glusterfs|lustre|beegfs|gpfs|ocfs2|gfs2?|davfs"
    r"|virtiofs|vboxsf|prl_fs|fuse(?!blk|ctl)[.\w-]*"
)
"""Types of file systems, as Linux names them, where processes may not share memory by a file."""


def is_on_network(folder: Path, mounts: Path = Path("/proc/self/mountinfo")) -> bool:
    """Tell whether a folder lies on a disk of another machine, as far as the system says it.

    Parameters
    ----------
    folder
        The folder.
    mounts
        Where Linux lists what is mounted.
    """
    folder = folder.resolve()
    if str(folder).startswith("\\\\"):
        return True
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return False
    kind, depth = "", -1
    for line in lines:
        before, _, after = line.partition(" - ")
        place = Path(_unescaped(before.split()[4]))
        # Of those mounted at one place, the last one is seen.
        if folder.is_relative_to(place) and len(place.parts) >= depth:
            kind, depth = after.split()[0], len(place.parts)
    return _NETWORK.fullmatch(kind) is not None


def _unescaped(text: str) -> str:
    """Return a path of the list; it has spaces and the like as octal numbers."""
    return re.sub(r"\\(\d{3})", lambda found: chr(int(found[1], 8)), os.fsdecode(text))
