"""Serial and pool on a sample of the same images: outputs, times, and what limits the speed."""
