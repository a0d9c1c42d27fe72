"""The scenes of the sample images, one per module. They compute light in floats; `make_samples.py` writes the files."""
