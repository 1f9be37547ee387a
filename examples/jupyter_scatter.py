"""A map of the images whose lasso selects them: ``python jupyter_scatter.py FOLDER``.

In a notebook, let the last line of a cell be ``ipywidgets.VBox([scatter.show(), ex])``.
"""

import sys

from jscatter import Scatter

import dedup_widgets as dw

df = dw.score(sys.argv[1], model="efficientnet-lite0", progress=False)
points = dw.projection(df)
scatter = Scatter(data=points.to_pandas(), x="x", y="y")

ex = dw.Explorer(df)
ex.link(scatter)

scatter.selection([0, 1])
print(f"{len(ex.selection)} images selected on the map")
