"""When pictures were taken: the camera's local time, its offset from UTC, and both together."""

import polars as pl


def local_and_offset(texts: pl.Series) -> dict[str, pl.Series]:
    """Return ``date_taken`` and ``utc_offset`` of times by ISO 8601, with an offset or without.

    Examples
    --------
    >>> found = local_and_offset(pl.Series(["2024-05-01T12:00:00.25-03:30", None]))
    >>> found["date_taken"][0].isoformat(), found["utc_offset"].to_list()
    ('2024-05-01T12:00:00.250000', [-210, None])
    """
    text = pl.col("text")
    offset = text.str.extract_groups(r"(?<sign>[+-])(?<hours>\d\d):(?<minutes>\d\d)$").struct
    hours, minutes = (offset.field(name).cast(pl.Int16) for name in ("hours", "minutes"))
    sign = pl.when(offset.field("sign") == "-").then(pl.lit(-1, pl.Int16)).otherwise(1)
    local = text.str.extract(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?)")
    return (
        texts.cast(pl.String)
        .to_frame("text")
        .select(
            date_taken=local.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us", strict=False),
            utc_offset=(sign * (60 * hours + minutes)).cast(pl.Int16),
        )
        .to_dict()
    )


def in_utc(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a frame whose ``date_taken`` is in UTC, as far as offsets are known.

    Local times without an offset stay as they are: nobody knows more.
    """
    types = frame.schema
    if not isinstance(types.get("date_taken"), pl.Datetime) or "utc_offset" not in types:
        return frame
    if not types["utc_offset"].is_integer():
        return frame
    ahead = pl.duration(minutes=pl.col("utc_offset").fill_null(0))
    return frame.with_columns(date_taken=pl.col("date_taken") - ahead)
