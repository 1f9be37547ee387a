"""What is kept between sessions: a cache of what was computed, a library of what was decided."""
