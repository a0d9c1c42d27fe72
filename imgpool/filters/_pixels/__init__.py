"""Planes, alpha, missing values and grey levels: what filters share."""
