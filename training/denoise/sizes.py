"""Lengths that the network takes and needs, in pixels."""

STEP = 16
"""Height and width of what goes in are multiples of this: the local mean is taken over squares of this side."""

HALO = 64
"""How far away a pixel can be and still have a say in a result; all paths through the network added up."""

LEAST = 2 * HALO + STEP
"""The least height and width of which a part is left between the halos."""
