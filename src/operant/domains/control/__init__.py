"""Control: answers are episodes of an agent in an environment.

layout: rooms, start, goal    grid: many grids stepped at once    play: agents that answer layouts with episodes
represent: dump, load, show    metrics: success, steps, coverage    gym: one grid as a gymnasium environment
tasks: gridworld
"""
