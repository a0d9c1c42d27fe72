"""The denoiser: its network, its training data, its package and its figures."""
