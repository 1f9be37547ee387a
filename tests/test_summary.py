import numpy as np
import polars as pl
import pytest

from dedup_widgets.frame.summary import summarize


@pytest.mark.parametrize("near", [0.05, 0.3])
@pytest.mark.parametrize("dtype", [pl.Float32, pl.Float64])
def test_an_image_at_the_boundary_is_a_near_duplicate_and_one_beyond_it_is_not(near, dtype):
    at = np.float32(near)
    scores = [0, np.nextafter(at, np.float32(0)), at, np.nextafter(at, np.float32(1)), 1, None]
    frame = pl.DataFrame({"uniqueness": pl.Series(scores, dtype=dtype, strict=False)})
    counted = summarize(frame, near=near)
    assert (counted.images, counted.exact, counted.near) == (6, 1, 2)
