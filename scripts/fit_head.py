"""Fit the head of EfficientNet-Lite0 that finds copies; see ``docs/head.md``.

``python scripts/fit_head.py PICTURES`` takes a folder of pictures, or of tar files of pictures,
and writes ``src/dedup_widgets/models/weights/copy_head.npz``. One thread and one seed decide all:
on one machine, with the same versions of torch and Pillow, each step gives the same bits. Elsewhere
rounding differs, and figures differ in their last digit.
"""

import argparse
import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from copies import EDITS
from copy_views import Source, Views, read_sources, views
from dedup_widgets.models.copy_head import DIMENSIONS, WEIGHTS, CopyHead, load_head, signed_root
from dedup_widgets.models.efficientnet_lite0 import WIDTH, Features

TEMPERATURE = 0.05
SPREAD = 0.1
"""Weight of the distance to the nearest stranger in the loss."""

BATCH_SOURCES = 256
LOOK_ALIKES = 5
"""Of each second source of a batch, so many of those that look most like it are in the batch."""

ALIKE = 0.85
"""Cosine of the last layers above which two pictures of one kind may be one thing, shot twice."""

MEASURED_SOURCES = 200


def main() -> None:
    """Embed, fit, write and measure."""
    options = _options()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    sources = read_sources(options.pictures)
    held_out = random.Random(options.seed).sample(range(len(sources)), len(sources) // 10)
    rounds = [
        views(options.cache, sources, str(number), options.seed) for number in range(options.views)
    ]
    fitting = np.setdiff1d(np.arange(len(sources)), held_out)
    data = Fitting.of(sources, rounds, fitting)
    head = fit(data, options.steps, options.seed)
    write(head, options.out)
    measured = [sources[row] for row in held_out[:MEASURED_SOURCES]]
    print(json.dumps(measure(measured, options.cache / "measured", options.seed, options.out)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", type=Path, help="folder of pictures, or of tars of pictures")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    parser.add_argument("--cache", type=Path, default=Path(".make/head"), help="for features")
    parser.add_argument("--views", type=int, default=3, help="of each picture; the first is itself")
    parser.add_argument("--steps", type=int, default=900)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


@dataclass(frozen=True, slots=True)
class Fitting:
    """What the head is fitted on.

    Attributes
    ----------
    rounds : sequence of Views
        Features of the views, of all sources.
    rows : NDArray[np.int64]
        (n,): the sources that it is fitted on, as rows of `rounds`.
    strangers : Tensor
        (n, n) bool: whether two sources certainly show something else.
    look_alikes : NDArray[np.int64]
        (n, LOOK_ALIKES): of each source the strangers that look most like it, as places in `rows`.
    """

    rounds: Sequence[Views]
    rows: NDArray[np.int64]
    strangers: Tensor
    look_alikes: NDArray[np.int64]

    @classmethod
    def of(
        cls, sources: Sequence[Source], rounds: Sequence[Views], rows: NDArray[np.int64]
    ) -> "Fitting":
        """Find which of the sources, at `rows`, show something else and look alike."""
        cosines = last_layer(rounds[0].pooled[rows])
        cosines = cosines @ cosines.T
        strangers = are_strangers([sources[row] for row in rows], cosines)
        hardest = cosines.masked_fill(~strangers, -1).topk(LOOK_ALIKES).indices
        return cls(rounds, rows, strangers, hardest.numpy())

    def features(self, which: NDArray[np.int64], view: NDArray[np.int64]) -> Features:
        """Return the features of views of sources, both (n,)."""
        pairs = list(zip(self.rows[which], view, strict=True))
        pooled = np.stack([self.rounds[number].pooled[row] for row, number in pairs])
        grid = np.stack([self.rounds[number].grid[row] for row, number in pairs])
        return Features(torch.from_numpy(pooled).float(), torch.from_numpy(grid).float())

    def batches(self, steps: int, chance: np.random.Generator) -> Iterator[NDArray[np.int64]]:
        """Yield places in `rows`: half of them at random, half with their look-alikes."""
        n = len(self.rows)
        seeds = BATCH_SOURCES // 2 // (1 + LOOK_ALIKES)
        for _ in range(steps):
            some = chance.permutation(n)
            alike = np.column_stack([some[:seeds], self.look_alikes[some[:seeds]]]).ravel()
            which = np.concatenate([alike, some[seeds:]])
            _, first = np.unique(which, return_index=True)
            yield which[np.sort(first)][:BATCH_SOURCES]


def last_layer(pooled: NDArray[np.float16]) -> Tensor:
    """Return the unit vectors of the network's last layer, without a head: (n, 1280)."""
    mean = torch.from_numpy(np.asarray(pooled[:, -2 * WIDTH : -WIDTH], np.float32))
    return functional.normalize(mean)


def are_strangers(sources: Sequence[Source], cosines: Tensor) -> Tensor:
    """Tell which of n sources certainly show something else: (n, n) bool."""
    kinds = np.array([source.kind or source.group for source in sources])
    one_kind = torch.from_numpy(kinds[:, None] == kinds[None, :])
    strangers = ~(one_kind & (cosines > ALIKE))
    return strangers.fill_diagonal_(False)


def fit(data: Fitting, steps: int, seed: int) -> CopyHead:
    """Fit the linear part from whitening, then all of it, for two thirds and a third of the steps.

    The loss is InfoNCE (A. van den Oord et al., "Representation Learning with Contrastive
    Predictive Coding", 2018) of two views of each source among all others of the batch, less the
    logarithm of the distance to the nearest stranger (A. Sablayrolles et al., "Spreading Vectors
    for Similarity Search", ICLR 2019), as in copy detection by E. Pizzi et al., "A Self-Supervised
    Descriptor for Image Copy Detection", CVPR 2022.
    """
    chance = np.random.default_rng(seed)
    head = CopyHead()
    whiten(head, data, chance)
    nn.init.zeros_(head.local.weight)
    whole, local = list(head.whole.parameters()), [head.local.weight, *head.cells.parameters()]
    first, steps_of_first = [{"params": whole, "lr": 1e-3}], steps * 2 // 3
    train(head, lambda batch: head.of_whole(batch.pooled), first, data, steps_of_first, chance)
    both = [{"params": whole, "lr": 3e-4}, {"params": local, "lr": 2e-3}]
    train(head, head, both, data, steps - steps_of_first, chance)
    return head.eval()


def whiten(head: CopyHead, data: Fitting, chance: np.random.Generator) -> None:
    """Set the standardisation, and the linear part to the whitened principal components."""
    which = chance.integers(0, len(data.rows), 8000)
    features = data.features(which, chance.integers(0, len(data.rounds), len(which)))
    for part, mean, deviation in (
        (features.pooled, head.mean, head.deviation),
        (features.grid.flatten(0, 1), head.cell_mean, head.cell_deviation),
    ):
        roots = signed_root(part)
        mean.copy_(roots.mean(dim=0))
        deviation.copy_(roots.std(dim=0).clamp_min(1e-3))
    standard = (signed_root(features.pooled) - head.mean) / head.deviation
    _, sizes, directions = torch.svd_lowrank(standard, DIMENSIONS + 64, niter=4)
    with torch.no_grad():
        scale = len(standard) ** 0.5 / sizes[:DIMENSIONS]
        head.whole.weight.copy_(directions[:, :DIMENSIONS].T * scale[:, None])
        head.whole.bias.zero_()


def train(
    head: CopyHead,
    vectors_of: Callable[[Features], Tensor],
    groups: list[dict[str, object]],
    data: Fitting,
    steps: int,
    chance: np.random.Generator,
) -> None:
    """Take steps with AdamW, their rates falling to zero as a cosine does.

    `vectors_of` is the head, or the part of it that is fitted.
    """
    if not steps:
        return
    optimizer = torch.optim.AdamW(groups, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    head.train()
    began = time.perf_counter()
    for step, which in enumerate(data.batches(steps, chance)):
        shown = np.stack([chance.permutation(len(data.rounds))[:2] for _ in which])
        features = data.features(np.tile(which, 2), shown.T.ravel())
        vectors = functional.normalize(vectors_of(features))
        value = loss(vectors, data.strangers[which][:, which])
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if step % 50 == 0 or step == steps - 1:
            print(f"{step} {value.item():.4f} {time.perf_counter() - began:.0f} s", flush=True)


def loss(vectors: Tensor, strangers: Tensor) -> Tensor:
    """Return the loss of two views of each of n sources.

    Parameters
    ----------
    vectors : Tensor
        (2n, d) unit rows: the first views of all sources, then the second ones.
    strangers : Tensor
        (n, n) bool.
    """
    n = len(strangers)
    other = torch.arange(2 * n).roll(n)
    cosines = vectors @ vectors.T
    apart = strangers.repeat(2, 2)
    counted = apart.clone()
    counted[torch.arange(2 * n), other] = True
    scores = (cosines / TEMPERATURE).masked_fill(~counted, -torch.inf)
    nearest = cosines.masked_fill(~apart, -1).amax(dim=1)
    distance = (2 - 2 * nearest).clamp_min(1e-6).sqrt()
    return functional.cross_entropy(scores, other) - SPREAD * distance.log().mean()


def write(head: CopyHead, path: Path) -> None:
    """Write a head as `dedup_widgets.models.copy_head.load_head` reads it."""
    arrays = {
        name: value.half().numpy() if value.ndim == 2 else value.numpy()
        for name, value in head.state_dict().items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)


def measure(
    sources: Sequence[Source], cache: Path, seed: int, path: Path
) -> dict[str, dict[str, object]]:
    """Find the copies of pictures, one with each edit: how many, at which precision.

    Each picture is compared with all copies of all pictures, and all copies with one another; one
    that may show the same thing as another is left out of its strangers.

    Returns
    -------
    dict
        Of the head and of the network's last layer alone: at 99.5 and 99.9 % precision the cosine
        distance, the part of all true pairs within it, and of those of a picture and its copy by
        each edit; and how many pairs of strangers and of copies lie within some distances.
    """
    shown = [views(cache, sources, name, seed) for name in ("0", *EDITS)]
    plain = last_layer(shown[0].pooled)
    strangers = are_strangers(sources, plain @ plain.T)
    head = load_head(path=path).head
    with torch.inference_mode():
        ours = [
            functional.normalize(
                head(
                    Features(
                        torch.from_numpy(np.array(view.pooled, np.float32)),
                        torch.from_numpy(np.array(view.grid, np.float32)),
                    )
                )
            )
            for view in shown
        ]
    return {
        "head": _found(ours, strangers),
        "last layer": _found([last_layer(view.pooled) for view in shown], strangers),
    }


def _found(vectors: Sequence[Tensor], strangers: Tensor) -> dict[str, object]:
    true, false, by_edit = [], [], {}
    for i, rows in enumerate(vectors):
        for j in range(i + 1, len(vectors)):
            cosines = rows @ vectors[j].T
            true.append(cosines.diagonal().numpy())
            high = cosines[strangers]
            false.append(high[high > 0.2].numpy())
            if i == 0:
                by_edit[list(EDITS)[j - 1]] = cosines.diagonal().numpy()
    copies = np.concatenate(true)
    others = np.sort(np.concatenate(false))
    answer: dict[str, object] = {}
    for precision in (0.995, 0.999):
        bounds = np.sort(copies)[::-1]
        wrong = len(others) - np.searchsorted(others, bounds)
        right = np.arange(1, len(bounds) + 1)
        good = np.flatnonzero(right / (right + wrong) >= precision)
        bound = bounds[good[-1]] if len(good) else 1.0
        answer[f"precision {precision}"] = {
            "distance": round(float(1 - bound), 3),
            "all pairs": _percent(copies >= bound),
            **{name: _percent(values >= bound) for name, values in by_edit.items()},
        }
    pairs = int(strangers.sum()) * len(vectors) * (len(vectors) - 1) // 2
    answer["within"] = {
        str(distance): {
            "copies %": _percent(copies >= 1 - distance),
            "picture and copy %": _percent(np.concatenate(list(by_edit.values())) >= 1 - distance),
            "strangers in a million": round(1e6 * float((others >= 1 - distance).sum()) / pairs, 1),
        }
        for distance in (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65)
    }
    return answer


def _percent(found: NDArray[np.bool_]) -> float:
    return round(100 * float(found.mean()), 1)


if __name__ == "__main__":
    main()
