"""The built-in model ``denoise``: synthetic images, network, training, package, evaluation and model card."""
