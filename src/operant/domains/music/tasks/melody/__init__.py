"""`melody`: a theme is given, and has to come back in a piece."""

from operant.domains.music.tasks.melody.task import Melodies

TASK = Melodies
