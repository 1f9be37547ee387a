"""A review: what is shown, selected, decided and collected of one frame, undone and logged."""
