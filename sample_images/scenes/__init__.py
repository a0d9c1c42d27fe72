"""The scenes behind the sample images, one module each: light is computed in floats, files are written elsewhere."""
