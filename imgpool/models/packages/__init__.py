"""Model packages: read bioimage.io descriptions and bare ONNX files, without loading a model.

Public: `describe` (package → `imgpool.core.model.Model`) and `files` (read the files of a folder or zip safely); a new
runtime can use both. The other modules are steps of `describe`: `fields` (checked values), `bioimageio_0_5` and
`bioimageio_0_4` (inputs and outputs in the two versions of the specification), `tensors` (the checks that both share),
`operations` (pre- and postprocessing), `onnx_graph` (inputs and outputs of an ONNX file) and `graph_tensors` (compare
the description with the graph, or replace it).
"""
