"""Vision: answers are small pictures.

scene: shapes in boxes, and who does what to whom    draw: scenes as pictures, and what a picture shows, read exactly
words: captions as sets of vectors    paint: a denoiser that paints scenes
represent: dump, load, show    metrics: relations, boxes, attributes    tasks: shapes
"""
