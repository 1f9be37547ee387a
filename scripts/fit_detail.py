"""Fit the regressions of `dedup_widgets.images.detail` on the pictures of a folder.

    python -m scripts.fit_detail FOLDER

The folder holds pictures that were never enlarged, such as photos that were shrunk. A quarter of
them is kept aside, and how well their copies are told apart is printed.
"""

import io
import random
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from dedup_widgets.images.detail import features, roughness

FALSE_POSITIVES = 0.03
"""Share of pictures that were not enlarged and are taken for it."""


FILTERS = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)


def as_jpeg(picture: Image.Image, quality: int) -> Image.Image:
    """Return what a JPEG of a picture shows."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(io.BytesIO(file.getvalue())).convert("RGB")


def resized(picture: Image.Image, factor: float, rng: random.Random) -> Image.Image:
    """Return a picture in another size, by a filter chosen at random."""
    width, height = (max(1, round(side * factor)) for side in picture.size)
    return picture.resize((width, height), rng.choice(FILTERS))


def copies(picture: Image.Image, rng: random.Random) -> Iterator[tuple[float, Image.Image]]:
    """Yield copies with the factor by which each was enlarged, 1 if it was not."""
    yield 1, picture
    yield 1, as_jpeg(picture, rng.choice((50, 60, 75, 85, 90, 95)))
    for sigma in rng.sample((0.5, 0.7, 1.0, 1.4, 2.0, 3.0), 2):
        blurred = picture.filter(ImageFilter.GaussianBlur(sigma))
        yield 1, rng.choice((blurred, as_jpeg(blurred, rng.choice((75, 85, 90, 95)))))
    smaller = resized(as_jpeg(picture, rng.choice((50, 75, 90))), rng.uniform(0.6, 0.95), rng)
    yield 1, rng.choice((smaller, as_jpeg(smaller, rng.choice((75, 85, 90, 95)))))
    original = rng.choice((picture, *(as_jpeg(picture, quality) for quality in (75, 90, 95))))
    for _ in range(6):
        factor = rng.choice((1.5, 2, 2, 3, 4, rng.uniform(1.22, 2), *[rng.uniform(1.22, 4)] * 2))
        larger = resized(original, factor, rng)
        yield factor, rng.choice((larger, as_jpeg(larger, 90)))


def measured(folder: Path) -> list[tuple[int, float, np.ndarray, float]]:
    """Return number of the original, factor, and roughness of each copy."""
    rng = random.Random(0)
    rows = []
    for number, path in enumerate(sorted(folder.iterdir())):
        with Image.open(path) as picture:
            for factor, copy in copies(picture.convert("RGB"), rng):
                if (seen := roughness(copy.convert("L"))) is not None:
                    rows.append((number, factor, *seen))
    return rows


def fit(rows: list[tuple[int, float, np.ndarray, float]]) -> dict[str, np.ndarray]:
    """Fit both regressions, and print how well they do on a quarter kept aside."""
    number, factor = (np.array([row[i] for row in rows]) for i in (0, 1))
    enlarged, aside = factor > 1, number % 4 == 0
    typical = np.median([row[2] for row in rows if row[1] == 1], axis=0)
    x = np.array([features(row[2], row[3], typical) for row in rows])
    scaler = StandardScaler().fit(x[~aside])
    z, scale = scaler.transform(x), np.sqrt(scaler.var_)
    tell = LogisticRegression(C=0.1, max_iter=3000).fit(z[~aside], enlarged[~aside])
    decision = z @ tell.coef_[0]
    threshold = np.quantile(decision[~aside & ~enlarged], 1 - FALSE_POSITIVES)
    much = Ridge(1.0).fit(z[~aside & enlarged], np.log(factor[~aside & enlarged]))
    told = decision > threshold
    print(f"not enlarged, taken for it: {told[aside & ~enlarged].mean():.3f}")
    for low, high in ((1.2, 1.6), (1.6, 2), (2, 2.01), (2.01, 3), (3, 4.1)):
        some = aside & (factor >= low) & (factor < high)
        print(f"enlarged {low} to {high}: told {told[some].mean():.3f}")
    error = much.predict(z) - np.log(factor)
    print(f"factor: rms error of its logarithm {error[aside & enlarged & told].std():.3f}")

    def unscaled(weights: np.ndarray, offset: float) -> tuple[np.ndarray, np.ndarray]:
        own = weights / scale
        return own, np.array(offset - own @ scaler.mean_)

    fitted = {"typical": typical}
    fitted["enlarged"], fitted["enlarged_offset"] = unscaled(tell.coef_[0], -threshold)
    fitted["factor"], fitted["factor_offset"] = unscaled(much.coef_, much.intercept_)
    return fitted


if __name__ == "__main__":
    target = files("dedup_widgets.images") / "detail.npz"
    np.savez(str(target), **fit(measured(Path(sys.argv[1]))))
