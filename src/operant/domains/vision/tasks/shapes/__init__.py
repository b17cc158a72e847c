"""`shapes`: who does what to whom, and where, in small pictures."""

from operant.domains.vision.tasks.shapes.task import Shapes

TASK = Shapes
