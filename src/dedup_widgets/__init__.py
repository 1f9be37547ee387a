"""Find duplicate and near-duplicate images in a notebook, and decide what to keep.

>>> import dedup_widgets as dw
>>> df = dw.score("photos/")  # doctest: +SKIP
>>> dw.Explorer(df)  # doctest: +SKIP
"""

import lazy_loader

from dedup_widgets._version import __version__ as __version__

# The public names are listed in `__init__.pyi`, and imported when they are first used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
