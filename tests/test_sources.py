import os
import struct
import sys
import tracemalloc
import warnings
from pathlib import Path

import pytest

from dedup_widgets.errors import ImageError, InputError
from dedup_widgets.images.entry import Entry
from dedup_widgets.images.listing import find_images
from dedup_widgets.images.source import LocalFiles

as_root = hasattr(os, "geteuid") and os.geteuid() == 0
posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX file names and links")


def touch(*paths: Path) -> list[str]:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return sorted(map(str, paths))


def test_a_folder_lists_its_images_absolute_sorted_and_recursive(tmp_path, monkeypatch):
    images = touch(
        tmp_path / "b.JPG",
        tmp_path / "a.png",
        tmp_path / "deep" / "er" / "c.TiFF",
        tmp_path / "with space" / "grün 写真.webp",
        tmp_path / "d.heic",
    )
    touch(tmp_path / "notes.txt", tmp_path / "jpg", tmp_path / "e.jpg.part")
    assert find_images(tmp_path) == images
    assert find_images(str(tmp_path)) == images
    monkeypatch.chdir(tmp_path.parent)
    assert find_images(tmp_path.name) == images


def test_hidden_files_and_folders_are_left_out(tmp_path):
    images = touch(tmp_path / "a.jpg")
    touch(tmp_path / ".b.jpg", tmp_path / ".cache" / "c.jpg", tmp_path / "._a.jpg")
    assert find_images(tmp_path) == images
    assert find_images(f"{tmp_path}/**/*.jpg") == images


def test_unreadable_images_are_listed_all_the_same(tmp_path):
    empty = tmp_path / "empty.jpg"
    empty.touch()
    (tmp_path / "page.jpg").write_text("<html>")
    assert len(find_images(tmp_path)) == 2


def test_an_empty_folder_gives_nothing(tmp_path):
    assert find_images(tmp_path) == []
    assert find_images(tmp_path / "*.jpg") == []


@pytest.mark.parametrize("name", ["no-such-folder", "no-such.jpg"])
def test_a_missing_folder_is_named(tmp_path, name):
    with pytest.raises(InputError, match=name):
        find_images(tmp_path / name)


def test_an_empty_name_is_not_taken_for_this_folder():
    with pytest.raises(InputError, match="empty string"):
        find_images("")


@posix
def test_links_to_folders_are_followed_and_loops_end(tmp_path):
    photos, elsewhere = tmp_path / "photos", tmp_path / "elsewhere"
    touch(photos / "a.jpg", elsewhere / "b.jpg")
    (photos / "linked").symlink_to(elsewhere)
    (photos / "loop").symlink_to(photos)
    (elsewhere / "back").symlink_to(photos)
    expected = [str(photos / "a.jpg"), str(photos / "linked" / "b.jpg")]
    assert find_images(photos) == expected
    assert find_images(f"{photos}/**/*.jpg") == expected


@posix
def test_many_loops_end_soon(tmp_path):
    touch(tmp_path / "a.jpg")
    for i in range(5):
        (tmp_path / f"loop-{i}").symlink_to(tmp_path)
    assert len(find_images(f"{tmp_path}/**/**/*.jpg")) == 1


@posix
def test_a_broken_link_is_listed_and_says_why(tmp_path):
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (path,) = find_images(tmp_path)
    with pytest.raises(ImageError, match=r"gone.jpg: does not exist"):
        LocalFiles().read(path)


@posix
def test_an_unreadable_folder_is_told_and_does_not_stop_the_run(tmp_path):
    images = touch(tmp_path / "a.jpg")
    locked = tmp_path / "locked"
    touch(locked / "b.jpg")
    if as_root:
        # Root may read everything; too long a path fails for everyone.
        (locked / "b.jpg").unlink()
        locked.rmdir()
        here = os.getcwd()  # noqa: PTH109
        os.chdir(tmp_path)
        try:
            for _ in range(20):
                os.mkdir("d" * 250)  # noqa: PTH102
                os.chdir("d" * 250)
        finally:
            os.chdir(here)
        named = "ddd"
    else:
        locked.chmod(0)
        named = "locked"
    try:
        with pytest.warns(UserWarning, match=named) as caught:
            assert find_images(tmp_path) == images
        assert len(caught) == 1
    finally:
        if not as_root:
            locked.chmod(0o700)


def test_deep_folders_are_searched(tmp_path):
    folder = tmp_path
    for _ in range(300):
        folder = folder / "d"
    images = touch(folder / "a.jpg")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert find_images(tmp_path) == images


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.jpg", ["a.jpg"]),
        ("*", ["a.jpg", "b.png"]),
        ("**", ["a.jpg", "b.png", "sub/c.jpg", "sub/sub/d.jpg"]),
        ("**/*.jpg", ["a.jpg", "sub/c.jpg", "sub/sub/d.jpg"]),
        ("sub/**/*.jpg", ["sub/c.jpg", "sub/sub/d.jpg"]),
        ("*/*.jpg", ["sub/c.jpg"]),
        ("*/sub/*.[jp]*", ["sub/sub/d.jpg"]),
        ("?.jpg", ["a.jpg"]),
        ("sub/../*.jpg", ["a.jpg"]),
    ],
)
def test_a_glob_pattern_lists_what_it_matches(tmp_path, pattern, expected):
    touch(*(tmp_path / n for n in ("a.jpg", "b.png", "n.txt", "sub/c.jpg", "sub/sub/d.jpg")))
    assert find_images(f"{tmp_path}/{pattern}") == [str(tmp_path / name) for name in expected]


@posix
def test_a_folder_whose_name_looks_like_a_pattern_is_a_folder(tmp_path):
    images = touch(tmp_path / "holiday [2024]" / "a.jpg")
    assert find_images(tmp_path / "holiday [2024]") == images


def test_a_single_file_is_taken_whatever_its_name(tmp_path):
    (path,) = touch(tmp_path / "picture")
    assert find_images(path) == [path]


def test_the_home_folder_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    images = touch(tmp_path / "photos" / "a.jpg")
    assert find_images("~/photos") == find_images("~/photos/*.jpg") == images
    assert LocalFiles().read("~/photos/a.jpg") == b"x"


def test_a_list_is_kept_as_given_but_for_repetitions():
    given = ["z.jpg", Path("a.txt"), "z.jpg", "./z.jpg", "no/such"]
    assert find_images(given) == ["z.jpg", "a.txt", "no/such"]
    assert find_images([]) == []


@pytest.mark.parametrize("where", [7, [7], None])
def test_what_names_no_images_is_refused(where):
    with pytest.raises(InputError, match="images must be"):
        find_images(where)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_name_that_is_no_unicode_is_listed_with_escapes_and_read_by_them(tmp_path):
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jpg")).write_bytes(b"content")
    (path,) = find_images(tmp_path)
    assert path.encode("utf-8").endswith(b"caf\\udce9.jpg")
    assert LocalFiles().read(path) == b"content"


def test_a_file_is_read_and_looked_up(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"content")
    assert LocalFiles().read(str(path)) == b"content"
    assert LocalFiles().stat(str(path)) == Entry(str(path), 7, str(path.stat().st_mtime_ns))


@pytest.mark.parametrize("ask", [LocalFiles().read, LocalFiles().stat])
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing.jpg", "does not exist"),
        ("file.jpg/inside.jpg", "does not exist"),
        ("folder.jpg", "is a directory"),
        ("n" * 300 + ".jpg", "cannot be read"),
        ("null\0byte.jpg", "cannot be read"),
    ],
)
def test_what_cannot_be_read_names_the_file_and_a_remedy(tmp_path, ask, name, reason):
    (tmp_path / "folder.jpg").mkdir()
    touch(tmp_path / "file.jpg")
    path = str(tmp_path / name)
    with pytest.raises(ImageError, match=reason) as caught:
        ask(path)
    assert str(caught.value).startswith(path)
    assert ";" in str(caught.value)


@posix
@pytest.mark.skipif(as_root, reason="root may read everything")
def test_a_file_without_permission_says_so(tmp_path):
    path = tmp_path / "a.jpg"
    path.touch(mode=0)
    with pytest.raises(ImageError, match="permission denied"):
        LocalFiles().read(str(path))


@posix
def test_a_pipe_does_not_hang_the_run(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    (path,) = find_images(tmp_path)
    with pytest.raises(ImageError, match="not a regular file"):
        LocalFiles().read(path)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="only Linux has it")
def test_what_the_system_makes_as_it_is_read_is_an_empty_file(tmp_path):
    path = tmp_path / "a.jpg"
    path.symlink_to("/proc/self/environ")
    assert len(path.read_bytes()) > 0
    assert LocalFiles().read(str(path)) == b""


def test_a_huge_file_is_refused_unread(tmp_path):
    path = tmp_path / "huge.jpg"
    with path.open("wb") as file:
        file.truncate(2**31 + 1)
    with pytest.raises(ImageError, match="too large"):
        LocalFiles().read(str(path))


@posix
@pytest.mark.parametrize("start", [b"", b"%PDF-1.7\n", b"plain text\n" * 9, b"RIFF\0\0\0\0AVI "])
def test_of_a_long_file_that_is_no_picture_only_the_start_is_read(tmp_path, start):
    path = tmp_path / "film.jpg"
    path.write_bytes(start)
    with path.open("r+b") as file:
        file.truncate(2**30)
    tracemalloc.start()
    with pytest.raises(ImageError, match=r"film.jpg: not an image .*; (check|score)") as caught:
        LocalFiles().read(str(path))
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()
    assert str(caught.value).startswith(str(path))


def test_a_long_picture_that_is_known_by_its_end_is_read(tmp_path):
    path = tmp_path / "long.tga"
    path.write_bytes(bytes(2**23) + b"TRUEVISION-XFILE.\0")
    assert len(LocalFiles().read(str(path))) == 2**23 + 18


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_long_picture_is_read_whole(tmp_path, order):
    """Its directory may lie at its end."""
    path = tmp_path / "long.tif"
    head = {"<": b"II", ">": b"MM"}[order] + struct.pack(order + "HI", 42, 2**23)
    path.write_bytes(head + bytes(2**23))
    assert len(LocalFiles().read(str(path))) == 2**23 + 8
