"""Model packages: read bioimage.io descriptions and bare ONNX files, without loading a model.

Public: `describe` (package → `imgpool.core.model.Model`) and `files` (read the files of a folder or zip safely); a new
runtime can use both. The other modules are steps of `describe`: `fields` (checked values), `bioimageio` and
`bioimageio_4` (the two versions of the specification), `operations` (pre- and postprocessing), `onnx_graph` (inputs and
outputs of an ONNX file) and `graph_tensors` (compare the description with the graph, or replace it).
"""
