"""The ONNX file of our exporter beside that of torch.onnx.export, in ONNX Runtime, for `cargo xtask bench export`.

Run: exported.py FAMILY WIDTH BLOCKS WEIGHTS FREE FIXED SIZE ROUNDS THREADS
WEIGHTS is a generator's .ot; FREE and FIXED are our files of it, for any shape and for one picture of SIZE. Writes torch's
beside them and prints a JSON line for each pair and round: seconds of both, how far their outputs are apart, and how many
operators ONNX Runtime makes of each.
"""

import json
import pathlib
import sys
import tempfile
import time

import numpy
import onnx
import onnxruntime
import torch
from published_loop import load


def session(path, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def operators(path):
    """How many are left once ONNX Runtime has rewritten the graph."""
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.optimized_model_filepath = f"{folder}/optimised.onnx"
        onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return len(onnx.load(options.optimized_model_filepath, load_external_data=False).graph.node)


def seconds(session, image):
    start = time.perf_counter()
    (output,) = session.run(None, {session.get_inputs()[0].name: image})
    return time.perf_counter() - start, output


def main():
    family, width, blocks, weights, free, fixed, size, rounds, threads = sys.argv[1:]
    network = load(family, weights, lambda builder: builder.generator(int(width), int(blocks))).eval()
    size, threads = int(size), int(threads)
    # Two pictures, not square: torch.export takes a 1 for a constant.
    example = torch.zeros(2, 3, size, size + 4)
    dim = torch.export.Dim
    free_shape = {0: dim("batch"), 2: 4 * dim("rows", min=16, max=512), 3: 4 * dim("columns", min=16, max=512)}
    image = numpy.random.default_rng(0).uniform(-1, 1, (1, 3, size, size)).astype(numpy.float32)
    for name, ours, given, shapes in [
        ("any shape", free, example, (free_shape,)),
        ("one shape", fixed, torch.zeros(1, 3, size, size), None),
    ]:
        theirs = str(pathlib.Path(ours).with_suffix(".torch.onnx"))
        torch.onnx.export(network, (given,), theirs, dynamo=True, dynamic_shapes=shapes, external_data=False, verbose=False)
        pair = [session(ours, threads), session(theirs, threads)]
        outputs = [seconds(side, image)[1] for side in pair]  # the first run is slower than all others
        counts = [operators(ours), operators(theirs)]
        apart = float(numpy.abs(outputs[0] - outputs[1]).max())
        for round in range(int(rounds)):
            order = [0, 1] if round % 2 == 0 else [1, 0]
            times = [0.0, 0.0]
            for side in order:
                times[side] = seconds(pair[side], image)[0]
            print(json.dumps({"shape": name, "seconds": times, "apart": apart, "operators": counts}), flush=True)


if __name__ == "__main__":
    main()
