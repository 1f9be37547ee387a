"""A page of marimo: ``marimo run marimo_app.py -- FOLDER``. Its last cell follows the selection."""

import marimo

app = marimo.App()


@app.cell
def explorer():
    import sys

    import marimo as mo

    import dedup_widgets as dw

    df = dw.score(sys.argv[-1], model="efficientnet-lite0", progress=False)
    shown = mo.ui.anywidget(dw.Explorer(df))
    shown
    return (shown,)


@app.cell
def selected(shown):
    shown.value
    print(f"{len(shown.widget.view)} images, {len(shown.widget.selection)} selected")


if __name__ == "__main__":
    app.run()
