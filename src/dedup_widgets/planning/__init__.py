"""Which images stay and which go, and why."""
