"""Model packages: bioimage.io descriptions and bare ONNX files, read and checked."""
