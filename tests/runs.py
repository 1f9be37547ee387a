"""What runs jobs in tests, and what makes vectors there."""

from contextlib import nullcontext
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Counting:
    """Runs jobs here and counts them by what they do; `lost` says which job ends its process."""

    lost: object = lambda *_: False
    ran: dict = field(default_factory=dict)
    cores: int = 1
    is_elsewhere: bool = False

    def started(self):
        return nullcontext(self)

    def share(self, value):
        return value

    def run(self, function, jobs, what):
        for job in jobs:
            self.ran[what] = self.ran.get(what, 0) + 1
            if self.lost(function, job):
                yield job, False
                continue
            function(*job)
            yield job, True


class Coarse:
    """A model with few different vectors, so that many are equal, and many equally near."""

    key = "coarse"

    def encode(self, pictures):
        means = [np.asarray(picture.resize((2, 2))).mean(axis=2).ravel() for picture in pictures]
        return np.array([(mean // 64) + 0.5 for mean in means])
