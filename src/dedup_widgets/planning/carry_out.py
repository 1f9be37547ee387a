"""Carry out what a plan removes: move the files away, link them to their keepers, or trash them.

    python THIS_FILE            shows what would be done
    python THIS_FILE --do       does it
    python THIS_FILE --undo     takes it back

It needs Python 3.9 or newer and nothing else (on Windows and macOS, `trash` needs send2trash). Each
file is checked first: it and its keeper must be there with the content that they had when this was
written. What was done is written down in a journal beside this file, by which it is undone.
"""

import argparse
import csv
import hashlib
import json
import os
import shutil
import sys
import time
from pathlib import Path
from urllib.parse import quote

HERE = Path(__file__).resolve()
MANIFEST = HERE.with_suffix(".csv")
JOURNAL = HERE.with_suffix(".journal.jsonl")


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--do", action="store_true", help="do it")
    which.add_argument("--undo", action="store_true", help="take back what was done")
    chosen = parser.parse_args(arguments)
    return undo() if chosen.undo else carry_out(chosen.do)


def carry_out(really):
    with MANIFEST.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    gone = {entry["path"] for entry in in_force()}
    done = skipped = size = 0
    files = set()
    for row in rows:
        if row["path"] in gone:
            continue
        why = why_not(row)
        if why:
            skipped += 1
            print(f"left alone: {row['path']}: {why}")
            continue
        status = os.stat(native(row["path"]))
        if really:
            try:
                ACTIONS[row["action"]](row)
            except OSError as error:
                skipped += 1
                print(f"left alone: {row['path']}: {error.strerror or error}")
                continue
        else:
            print(f"{row['action']}: {row['path']}  ({row['reason']})")
        done += 1
        # Of a file with several names each is acted on, and its bytes count once.
        if (status.st_dev, status.st_ino) not in files:
            size += int(row["bytes"])
        files.add((status.st_dev, status.st_ino))
    verb = "done" if really else "to do"
    print(f"{done} files {verb}, {size / 1e6:.1f} MB; {skipped} left alone")
    if done and not really:
        print(f"nothing was changed: run it with --do;  python {HERE.name} --undo  takes it back")
    return 1 if skipped else 0


def why_not(row):
    """Return why a file is left alone; nothing if all is as it was."""
    file, keeper = native(row["path"]), native(row["keeper"])
    if not os.path.isfile(file) or os.path.islink(file):
        return "it is not there any more"
    if keeper and not os.path.isfile(keeper):
        return f"its keeper is not there any more: {row['keeper']}"
    if keeper and os.path.samefile(file, keeper):
        return "it is its keeper under another name"
    if os.path.getsize(file) != int(row["bytes"]) or checksum(file) != row["sha256"]:
        return "it has changed"
    if keeper and checksum(keeper) != row["keeper_sha256"]:
        return f"its keeper has changed: {row['keeper']}"
    if row["action"] == "link" and row["sha256"] != row["keeper_sha256"]:
        return "its bytes are not those of its keeper"
    if row["action"] == "move" and os.path.lexists(native(row["to"])):
        return f"there is a file already: {row['to']}"
    return ""


def move(row):
    write_down({"action": "move", "path": row["path"], "to": row["to"]})
    transfer(native(row["path"]), native(row["to"]))


def link(row):
    file, keeper = native(row["path"]), native(row["keeper"])
    status = os.stat(file)
    write_down(
        {
            "action": "link",
            "path": row["path"],
            "to": row["keeper"],
            "times": [status.st_atime_ns, status.st_mtime_ns],
            "mode": status.st_mode & 0o7777,
        }
    )
    os.link(keeper, new := beside(file))
    os.replace(new, file)


def beside(file):
    """Return a short name in the same folder: that of the file may be as long as names can be."""
    folder, name = os.path.dirname(file), f".{os.getpid()}.new"
    return os.path.join(folder, name.encode() if isinstance(folder, bytes) else name)


def trash(row):
    if os.name == "nt" or sys.platform == "darwin":
        from send2trash import send2trash

        write_down({"action": "bin", "path": row["path"], "to": ""})
        send2trash(native(row["path"]))
        return
    # As the FreeDesktop.org specification has it, so that file managers show and restore it.
    home = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    folder = os.path.join(home, "Trash")
    for name in ("files", "info"):
        os.makedirs(os.path.join(folder, name), mode=0o700, exist_ok=True)
    stem, suffix = os.path.splitext(os.path.basename(row["path"]))
    # What is written about it has a longer name, and none has more than 255 bytes.
    stem = stem.encode("utf-8", "surrogateescape")[:200].decode("utf-8", "ignore")
    name, number = stem + suffix, 1
    while os.path.lexists(os.path.join(folder, "files", name)):
        number += 1
        name = f"{stem}.{number}{suffix}"
    to, info = (os.path.join(folder, *part) for part in (("files", name), ("info", name)))
    info += ".trashinfo"
    write_down({"action": "move", "path": row["path"], "to": to, "info": info})
    with open(info, "w", encoding="utf-8") as file:
        when = time.strftime("%Y-%m-%dT%H:%M:%S")
        path = quote(os.fsencode(native(row["path"])))
        file.write(f"[Trash Info]\nPath={path}\nDeletionDate={when}\n")
    transfer(native(row["path"]), native(to))


ACTIONS = {"move": move, "link": link, "trash": trash}


def undo():
    failed = done = 0
    for entry in reversed(in_force()):
        path, to = native(entry["path"]), native(entry["to"])
        try:
            if entry["action"] == "bin":
                raise OSError(0, "take it out of the bin by hand")
            if entry["action"] == "link":
                shutil.copyfile(to, new := beside(path))
                os.chmod(new, entry["mode"])
                os.utime(new, ns=tuple(entry["times"]))
                os.replace(new, path)
            elif not os.path.lexists(to) and os.path.lexists(path):
                pass  # it was written down, and then something came in between
            elif os.path.lexists(path):
                raise OSError(0, "there is another file in its place")
            else:
                transfer(to, path)
            if entry.get("info") and os.path.exists(entry["info"]):
                os.remove(entry["info"])
        except OSError as error:
            failed += 1
            print(f"not taken back: {entry['path']}: {error.strerror or error}")
            continue
        write_down({"action": "undone", "path": entry["path"], "to": entry["to"]})
        done += 1
    print(f"{done} files are back; {failed} are not")
    return 1 if failed else 0


def transfer(file, to):
    """Move a file; onto another disk by a copy that is checked."""
    os.makedirs(os.path.dirname(to), exist_ok=True)
    try:
        os.rename(file, to)
    except OSError:
        if os.path.lexists(to):
            raise
        shutil.copy2(file, to)
        if checksum(to) != checksum(file):
            os.remove(to)
            raise OSError(0, "the copy is not what was copied") from None
        os.remove(file)


def write_down(entry):
    """Write to the journal, so that it outlasts a power cut, before anything is done."""
    with JOURNAL.open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")
        file.flush()
        os.fsync(file.fileno())


def in_force():
    """Return what was done and not taken back."""
    entries = {}
    if JOURNAL.exists():
        for line in JOURNAL.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            entries.pop(entry["path"], None)
            if entry["action"] != "undone":
                entries[entry["path"]] = entry
    return list(entries.values())


def checksum(file):
    digest = hashlib.sha256()
    with open(file, "rb") as opened:
        for block in iter(lambda: opened.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def native(path):
    """Return a path as the system has it: a name that is no Unicode is written with escapes."""
    if "\\udc" in path and not os.path.lexists(path):
        parts = path.split("\\udc")
        return os.fsencode(parts[0]) + b"".join(
            bytes([int(part[:2], 16)]) + os.fsencode(part[2:]) for part in parts[1:]
        )
    return path


if __name__ == "__main__":
    sys.exit(main())
