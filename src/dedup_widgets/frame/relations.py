"""What a picture is of another one, in words."""

import re

import polars as pl

EXACT, NEAR = "exact duplicate", "near-duplicate"
"""What is known of pairs of which nothing more is: they share a fingerprint; or it follows from
other pairs that they are copies."""


def in_words(pair: pl.Expr) -> pl.Expr:
    """Return what a confirmed copy is of the other picture, in words.

    Parameters
    ----------
    pair
        Structs of the column ``evidence``; see :data:`dedup_widgets.frame.schema.EVIDENCE`.

    Returns
    -------
    pl.Expr
        Texts without the name of the other picture, which stands before them; null where the pair
        was refused.

    Examples
    --------
    >>> from dedup_widgets.frame.schema import EVIDENCE
    >>> half = {"relation": "cropped", "angle": 90.2, "scale": 1.0, "box": [0.0, 0.1, 1.0, 0.6]}
    >>> pair = pl.Series("pair", [half | {"mirrored": False}], dtype=EVIDENCE.inner)
    >>> pair.to_frame().select(in_words(pl.col("pair"))).item()
    'cropped, 50 % of it, turned left by 90°'
    """
    field = pair.struct.field
    relation, angle = field("relation").cast(pl.String), field("angle").cast(pl.Float64)
    box = field("box")
    left, top, right, bottom = (box.arr.get(i).cast(pl.Float64) for i in range(4))
    quarter_turns = ((angle / 90).round().cast(pl.Int64) % 4).fill_null(0)
    # Mirrored and turned upside down is mirrored top to bottom.
    is_upside_down = quarter_turns == 2
    mirrored = field("mirrored").fill_null(False)
    flip = (
        pl.when(is_upside_down).then(pl.lit("flipped top to bottom")).otherwise(pl.lit("flipped"))
    )
    turn = (
        pl.when(quarter_turns == 1)
        .then(pl.lit("turned left by 90°"))
        .when(quarter_turns == 3)
        .then(pl.lit("turned right by 90°"))
        .when(is_upside_down & ~mirrored)
        .then(pl.lit("turned by 180°"))
    )
    # A copy shows a part, even if that is all but a hundredth.
    shown = _percent((right - left) * (bottom - top)).clip(1, 99)
    side = pl.when(angle < 0).then(pl.lit("right")).otherwise(pl.lit("left"))
    main = (
        pl.when(relation == "resized")
        .then(pl.format("resized to {} %", _percent(field("scale").cast(pl.Float64))))
        .when(relation == "rotated")
        .then(pl.format("rotated {} by {}°", side, angle.abs().round(1)))
        .when(relation == "cropped")
        .then(pl.format("cropped, {} % of it", shown))
        .when(relation == "uncropped")
        .then(pl.lit("uncropped, shows more"))
        .when(relation == "framed")
        .then(pl.lit("framed, with a border"))
        .when(relation == "unframed")
        .then(pl.lit("unframed, without the border"))
        .when(relation == "overlaid")
        .then(pl.lit("overlaid, something covers a part of one"))
        .when(~relation.is_in(["flipped", "turned"]))
        .then(relation)
    )
    also_flipped = pl.when(mirrored).then(flip)
    also_turned = pl.when(relation != "rotated").then(turn)
    words = pl.concat_list(main, also_flipped, also_turned).list.drop_nulls().list.join(", ")
    return pl.when(relation.is_not_null()).then(words)


def of_image(words: str, name: str) -> str:
    """Return the same with the name of the other picture.

    >>> of_image("cropped, 50 % of it", "sea.jpg"), of_image("flipped", "sea.jpg")
    ('cropped copy of sea.jpg: 50 % of it', 'flipped copy of sea.jpg')
    >>> of_image("exact duplicate", "sea.jpg")
    'exact duplicate of sea.jpg'
    """
    if words in (EXACT, NEAR):
        return f"{words} of {name}"
    relation, *details = re.split("[, ]+", words, maxsplit=1)
    return ": ".join([f"{relation} copy of {name}", *details])


def _percent(share: pl.Expr) -> pl.Expr:
    return (100 * share).round().cast(pl.Int64)
