"""Pixel helpers that filters share: planes, alpha, missing values, groups of pixels and grey levels.

Private to `imgpool.filters`. A new neighbourhood filter starts from `planes.map_colour`, a point operation from
`statistics.map_groups`.
"""
