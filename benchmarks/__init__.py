"""How fast this project is, beside its peers and the limits of the machine.

``python -m benchmarks`` is the quick pass, ``python -m benchmarks --pass full`` all of it. Each
module named in `benchmarks.__main__.EXPERIMENTS` is an experiment: `VARIANTS` are measured in
turns, `cases` says at which sizes, `prepare` makes what they share.
"""
