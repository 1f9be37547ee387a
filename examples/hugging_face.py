"""A Hugging Face dataset without its copies: ``python hugging_face.py FOLDER``.

In a notebook, let the last line of a cell be ``ex``.
"""

import sys

from datasets import load_dataset

import dedup_widgets as dw

data = load_dataset("imagefolder", data_dir=sys.argv[1], split="train")
df = dw.score(data, model="efficientnet-lite0", progress=False)
ex = dw.Explorer(df)

stays = (ex.plan["action"] == "keep") & df["error"].is_null()
clean = data.select(stays.arg_true())
print(f"{len(data)} images, {len(clean)} without copies")
