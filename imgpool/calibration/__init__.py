"""Correction images estimated from the data, such as a flat field.

Public: `flat_field.Estimation`, which ``imgpool estimate flat-field`` runs. `illumination` contains the numerical
method; it works on arrays and can be changed and tested on its own.
"""
