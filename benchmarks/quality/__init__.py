"""How well copies are found, and what else is taken for one: an evaluation anyone can run.

``python -m benchmarks.quality --photos FOLDER`` makes edited copies of the photos of a folder
(`edits`), and pictures that look alike and are no copies (`negatives`), scores both, and compares
with the truth (`measure`). Other libraries get the same pictures (`peers`).
"""
