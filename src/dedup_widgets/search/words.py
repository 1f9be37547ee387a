"""Images that show what words say: the nearest to a text, by a model that embeds both."""

import threading

import numpy as np
from numpy.typing import NDArray

from dedup_widgets.errors import InputError
from dedup_widgets.models.hub import EMBEDDED_MODEL
from dedup_widgets.models.perceptual import PERCEPTUAL
from dedup_widgets.search.similar import SimilarImages, embedder_of

MOST = 100
"""Images that are found for a text, at most."""


class WordSearch:
    """Finds images by words; the model is loaded for the first of them.

    Parameters
    ----------
    images
        Whose embeddings are of a model with a text tower, such as CLIP.

    Attributes
    ----------
    most : int
        How many images are found for a text, at most.
    """

    def __init__(self, images: SimilarImages) -> None:
        self._images = images
        self.most = MOST
        self._lock = threading.Lock()
        self._last: tuple[str, NDArray[np.int64]] | None = None

    @property
    def may_find(self) -> bool:
        """Whether it is worth a try, as far as that is known without loading the model."""
        try:
            made = self._images.made
        except InputError:
            return False
        return (
            made is not None
            and made.is_named
            and made.model not in (None, EMBEDDED_MODEL, PERCEPTUAL)
        )

    def find(self, words: str) -> NDArray[np.int64]:
        """Return the rows of the images nearest to a text, nearest first: :attr:`most` at most.

        Raises
        ------
        InputError
            When the model does not embed text.
        ModelError
            When the model cannot be loaded.
        """
        with self._lock:
            if self._last is None or self._last[0] != words:
                embedder = embedder_of(self._images.made)
                if not embedder.can_embed_text:
                    raise InputError(
                        f"{embedder.name} does not embed text; score with CLIP to find images by "
                        "words"
                    )
                rows, _ = self._images.nearest(embedder.encode_text(words), self.most)
                self._last = words, rows
            return self._last[1]
