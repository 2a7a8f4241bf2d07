"""Makes ONNX files of some variants with PyTorch's own exporter: what `exporter verify` gets from anybody.

    python export.py          writes NAME.torch.onnx beside itself, of the network in NAME.safetensors

Needs what make.py needs, and PyPI's onnx and onnxscript.
"""

from pathlib import Path

import torch
from make import VARIANTS, randomise, seeded

HERE = Path(__file__).parent


def main():
    for name in ["published", "affine", "batch", "resize"]:
        _, build, side = VARIANTS[name]
        network = build().eval()
        randomise(network, seeded(name))  # as make.py draws it
        free = {0: torch.export.Dim("batch"), 2: 4 * torch.export.Dim("rows", min=2), 3: 4 * torch.export.Dim("columns", min=2)}
        # Two pictures, not square: torch.export takes a 1 for a constant.
        example = torch.zeros(2, 3, side, side + 4)
        program = torch.onnx.export(network, (example,), dynamo=True, dynamic_shapes=(free,), verbose=False)
        model = program.model_proto
        # Where in which program each node is from: longer than all the rest.
        for part in [model, model.graph, *model.graph.node]:
            part.ClearField("metadata_props")
            part.ClearField("doc_string")
        (HERE / f"{name}.torch.onnx").write_bytes(model.SerializeToString())


if __name__ == "__main__":
    main()
