"""Whether two pictures show the same: one is laid over the other, and what agrees is measured."""
