"""Writes the seeds that come from PyTorch: files as people save them, a few hundred bytes of numbers in each.

    python make_seeds.py        (torch 2.13 and onnx, from PyPI)

Beside each file whose tensors can be read lies what PyTorch reads in it, as 32-bit floats in seeds/safetensors, so that
tests can hold one against the other. Not from here: seeds/archive/libtorch.ot (tch's Tensor::save_multi_to_stream, the
only writer of such files), seeds/onnx (models_onnx::export) and seeds/metadata (models::Metadata::to_json).
"""

import argparse
import collections
import io
import json
import pathlib
import struct
import zipfile

import torch
from torch import nn

SEEDS = pathlib.Path(__file__).parent / "seeds"


def network():
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Sequential(nn.ConvTranspose2d(3, 1, 2)))


def expected(name, tensors):
    """A safetensors file, written by hand: eight bytes of length, JSON, numbers."""
    header, numbers = {"__metadata__": {"metadata": "{}"}}, b""
    for key, tensor in tensors.items():
        data = tensor.detach().to(torch.float32).contiguous().numpy().tobytes()
        header[key] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [len(numbers), len(numbers) + len(data)]}
        numbers += data
    header = json.dumps(header, separators=(",", ":")).encode()
    (SEEDS / "safetensors" / f"{name}.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + numbers)


def save(name, value, tensors=None, **options):
    path = SEEDS / "archive" / name
    # Through a stream, so that the folder in the archive is not named after the file.
    stream = io.BytesIO()
    torch.save(value, stream, **options)
    path.write_bytes(stream.getvalue())
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            pickle = archive.read("archive/data.pkl")
        (SEEDS / "pickle" / f"{path.stem}.pkl").write_bytes(pickle)
    if tensors is not None:
        expected(path.stem, tensors)


def rewrite(source, name, method, change=lambda entry, data: data):
    """The same archive by another program, or with one entry changed."""
    with zipfile.ZipFile(SEEDS / "archive" / source) as archive:
        with zipfile.ZipFile(SEEDS / "archive" / name, "w", method) as copy:
            for entry in archive.namelist():
                copy.writestr(zipfile.ZipInfo(entry), change(entry, archive.read(entry)), method)


def main():
    for folder in ["archive", "pickle", "safetensors"]:
        (SEEDS / folder).mkdir(parents=True, exist_ok=True)
    model = network()
    state = model.state_dict()
    save("state_dict.pth", state, state)
    save("protocol4.pth", state, state, pickle_protocol=4)
    save("legacy.pth", state, _use_new_zipfile_serialization=False)
    save("whole_module.pth", model)
    rewrite("state_dict.pth", "recompressed.pth", zipfile.ZIP_DEFLATED)
    expected("recompressed", state)
    big = lambda entry, data: b"big" if entry.endswith("byteorder") else data
    rewrite("state_dict.pth", "big_endian.pth", zipfile.ZIP_STORED, big)

    base = torch.arange(24, dtype=torch.float32)
    # The gaps of a view are saved with it.
    strided = collections.OrderedDict(
        transposed=base.view(4, 6).t(),
        expanded=base[:3].view(3, 1).expand(3, 5),
        part=base.view(2, 3, 4)[:, 1:, ::2],
        last=base[23],
        none=base[24:],
        scalar=torch.tensor(7.5),
    )
    save("strided.pth", strided, strided)
    kinds = {
        str(dtype).removeprefix("torch."): torch.tensor([1, 0, 3, 100]).to(dtype).view(2, 2).t()
        for dtype in [torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8,
                      torch.uint8, torch.bool]
    }
    save("kinds.pth", kinds, kinds)
    save("too_large.pth", {"a": torch.tensor([1e39], dtype=torch.float64)})
    attributed = torch.ones(2)
    attributed.note = "from a subclass"
    parameters = {"parameter": nn.Parameter(torch.ones(3)), "attributed": attributed, "plain": torch.zeros(1), "epoch": 3}
    save("parameters.pth", parameters, {key: value for key, value in parameters.items() if key != "epoch"})

    optimiser = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 2, 8, 8)).sum().backward()
    optimiser.step()
    state = model.state_dict()
    training = {
        "epoch": 3, "rate": 2e-4, "many": 2**70, "sizes": torch.Size([2, 3]), "device": torch.device("cpu"),
        "arguments": argparse.Namespace(width=3), "losses": [0.5] * 3, "done": {1, 2}, "raw": b"\x00\xff",
        "optimiser": optimiser.state_dict(),
    }
    save("training.pth", {**training, "generator": state}, state)
    save("several.pth", {**training, "networks": {"g_ab": state, "g_ba": collections.OrderedDict(state), "best": state}})

    class Script(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = network()

        def forward(self, x):
            return self.body(x)

    stream = io.BytesIO()
    script = Script().eval()
    torch.jit.save(torch.jit.script(script), stream)
    (SEEDS / "archive" / "script.pt").write_bytes(stream.getvalue())
    expected("script", script.state_dict())
    with zipfile.ZipFile(stream) as archive:
        name = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
        (SEEDS / "pickle" / "script.pkl").write_bytes(archive.read(name))


# Of tests/variants: the names and shapes of each kind of file, recognised or not.
RECOGNISED = (
    "affine attention batch_plain blocks6 classifier coder_batch concat dropout full_instance inner_block nested published "
    "resize_reflect short several stages statistics_used u_net zero"
)


def recognised():
    """Two bytes of choices, here all of them left open, then names and shapes as the target reads them."""
    variants = pathlib.Path(__file__).parents[3] / "tests/variants"
    (SEEDS / "recognise").mkdir(parents=True, exist_ok=True)
    for name in RECOGNISED.split():
        file = (variants / f"{name}.safetensors").read_bytes()
        header = json.loads(file[8 : 8 + struct.unpack("<Q", file[:8])[0]])
        header.pop("__metadata__", None)
        shapes = [f"{key} {','.join(map(str, entry['shape']))}" for key, entry in header.items() if entry["shape"]]
        (SEEDS / "recognise" / name).write_bytes(b"\xff\x3f" + "\n".join(shapes).encode())


def external():
    """The seed of ONNX files, its two largest tensors in g.data."""
    import onnx

    model = onnx.load(SEEDS / "onnx/mix.onnx")
    (SEEDS / "external").mkdir(parents=True, exist_ok=True)
    for place, tensor in enumerate(sorted(model.graph.initializer, key=lambda tensor: -len(tensor.raw_data))[:2]):
        places = {"location": "g.data", "offset": str(4096 * place), "length": str(len(tensor.raw_data))}
        for key, value in places.items():
            tensor.external_data.add(key=key, value=value)
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
    (SEEDS / "external/mix.onnx").write_bytes(model.SerializeToString())


main()
recognised()
external()
