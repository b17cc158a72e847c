"""`gridworld`: a far goal behind rooms; what one episode shares with the next is a knob."""

from operant.domains.control.tasks.gridworld.task import Gridworld

TASK = Gridworld
