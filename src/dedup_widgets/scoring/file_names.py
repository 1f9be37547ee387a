"""What the name and the folders of a file say: that it is a copy, or was thrown away."""

import polars as pl

from dedup_widgets.images.left_out import BINS

_COPY = (
    # Windows, macOS and desktops of Linux, in the languages that put a word there.
    r"copy|copies|kopie|copie|copia|c[oó]pia|còpia|k[oó]pia|kopi|kopio|kopija|koopia|kopyas[ıi]"
    r"|m[aá]solat|duplicate|duplikat|salinan|bản sao|копия|копія|копие|αντίγραφο|αντιγραφή"
    r"|backups?|bak"
)


_COPY_UNSPACED = "コピー|复制|複製|副本|拷贝|복사본|사본|สำเนา|प्रतिलिपि|نسخة|کپی|עותק"


_SAYS_COPY = (
    rf"(?i)(^|[^\pL])({_COPY})([^\pL]|$)|{_COPY_UNSPACED}"
    # Browsers and Windows count downloads and copies; editors mark the former version.
    r"|\(\d{1,3}\)(\.[^./\\]*)?([/\\]|$)|~\d*(\.[^./\\]*)?$"
)


def in_bin(path: pl.Expr) -> pl.Expr:
    r"""Tell of each path whether the file lies in a recycle bin or a folder of thumbnails.

    Examples
    --------
    >>> paths = pl.Series(["/nas/#recycle/a.jpg", "/home/ann/recycle.jpg", r"D:\\$RECYCLE.BIN\\b"])
    >>> pl.select(in_bin(pl.lit(paths))).to_series().to_list()
    [True, False, True]
    """
    return path.str.contains(rf"(?i)(^|[/\\])({BINS})[/\\]")


def stem(path: pl.Expr) -> pl.Expr:
    r"""Return the last part of each path, without its suffix.

    Examples
    --------
    >>> paths = pl.Series(["/a.b/c.d.jpg", "x", ".png", r"C:\e\f.tiff"])
    >>> pl.select(stem(pl.lit(paths))).to_series().to_list()
    ['c.d', 'x', '.png', 'f']
    """
    return path.str.extract(r"([^/\\]*)$").str.replace(r"^(.+)\.[^.]*$", "$1")


def says_copy(path: pl.Expr) -> pl.Expr:
    """Tell of each path whether the file's name, or that of a folder of it, says copy or backup.

    Examples
    --------
    >>> names = ["a (1).jpg", "Kopie von a.png", "in - Copy/b.gif", "photocopy.jpg", "IMG_2.jpg"]
    >>> pl.select(says_copy(pl.lit(pl.Series(names)))).to_series().to_list()
    [True, True, True, False, False]
    """
    return path.str.contains(_SAYS_COPY)
