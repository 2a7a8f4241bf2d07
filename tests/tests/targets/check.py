"""Each model of a folder under the `onnx` package: its checker, full shape inference, and its reference evaluator.

Run: check.py FOLDER PROCESSES
FOLDER has index.json, a list of {"file", "input", "kind", "shape"}. Prints a JSON line for each model that is in order; its
output on `input` as `kind` then lies in FILE.out as 32-bit floats.
"""

import json
import multiprocessing
import pathlib
import sys

import numpy
import onnx
import onnx.checker
import onnx.shape_inference
from onnx.reference import ReferenceEvaluator


def check(task):
    folder, entry = task
    path = folder / entry["file"]
    onnx.checker.check_model(path, full_check=True)
    model = onnx.load(path)
    # The outputs as written are a claim: inference has to come to them by itself too.
    claimed = model.graph.output[0].type.tensor_type
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    bare.graph.output[0].type.tensor_type.ClearField("shape")
    onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    inferred = onnx.shape_inference.infer_shapes(bare, check_type=True, strict_mode=True, data_prop=True)
    found = inferred.graph.output[0].type.tensor_type
    sides = [(one.dim_value, other.dim_value) for one, other in zip(found.shape.dim, claimed.shape.dim, strict=True)]
    assert all(one == other for one, other in sides if one), f"{path}: {sides}"
    assert all(len(node.output) == 1 and node.name for node in model.graph.node), path
    values = numpy.fromfile(folder / entry["input"], entry["kind"]).reshape(entry["shape"])
    (output,) = ReferenceEvaluator(model).run(None, {"image": values})
    assert output.dtype == values.dtype, f"{path}: {output.dtype}"
    output.astype(numpy.float32).tofile(folder / (entry["file"] + ".out"))
    return {"file": entry["file"], "opset": model.opset_import[0].version}


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    entries = json.loads((folder / "index.json").read_text())
    with multiprocessing.Pool(int(sys.argv[2])) as pool:
        for result in pool.imap(check, [(folder, entry) for entry in entries], chunksize=8):
            print(json.dumps(result))
