"""What people write to translate a folder, for `cargo xtask bench infer` and `kernels`. Prints a line of JSON.

    translated.py make FOLDER COUNT                       pictures of 256x256, smooth with noise, as JPEG
    translated.py bare MODEL COUNT THREADS                nothing but the session, on one input
    translated.py convert MODEL OUT                       the model as ncnn's files OUT.param and OUT.bin
    translated.py KIND MODEL IN OUT THREADS               a folder, picture by picture: loop, pool (threads beside),
                                                          openvino, openvino-f32, ncnn (files beside the model)
    translated.py alone KIND MODEL COUNT THREADS          nothing but the network: loop, openvino, openvino-f32, ncnn, torch
                                                          (the network that FAMILY-WIDTH.onnx has its name of)
    translated.py command ...                             any command: seconds and the peak of its memory
"""

import importlib.util
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SIDE = 256


def make(folder, count):
    import numpy
    from PIL import Image

    numbers = numpy.random.default_rng(0)
    rows, columns = numpy.mgrid[0:SIDE, 0:SIDE] / SIDE
    Path(folder).mkdir(parents=True)
    for place in range(int(count)):
        waves = [numpy.sin(6 * (rows * a + columns * b) + c) for a, b, c in numbers.uniform(0, 3, (3, 3))]
        picture = 127.5 + 90 * numpy.stack(waves, axis=-1) + numbers.normal(0, 8, (SIDE, SIDE, 3))
        Image.fromarray(picture.clip(0, 255).astype("u1")).save(f"{folder}/{place:05}.jpg", quality=95)
    return {}


def session(model, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(threads)
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda planes: session.run(None, {name: planes})[0]


def openvino_session(model, threads, **settings):
    import openvino

    core = openvino.Core()
    settings["INFERENCE_NUM_THREADS"] = int(threads)
    compiled = core.compile_model(core.read_model(model), "CPU", settings)
    return lambda planes: compiled(planes)[0]


def openvino_session_f32(model, threads):
    # Else it may multiply in bfloat16 where the machine can.
    return openvino_session(model, threads, INFERENCE_PRECISION_HINT="f32")


def convert(model, output):
    # Found, not imported: that would need torch, the program itself does not.
    program = Path(importlib.util.find_spec("pnnx").submodule_search_locations[0]) / "pnnx"
    files = {"pnnxparam": "x", "pnnxbin": "x", "pnnxpy": "x", "pnnxonnx": "x", "ncnnpy": "x"}
    files |= {"ncnnparam": f"{output}.param", "ncnnbin": f"{output}.bin"}
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copy(model, folder)
        words = [f"inputshape=[1,3,{SIDE},{SIDE}]", "fp16=0", *(f"{name}={path}" for name, path in files.items())]
        program.chmod(0o755)
        subprocess.run([program, copy, *words], check=True, cwd=folder, capture_output=True)
    return {}


def ncnn_session(model, threads):
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = int(threads)
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    beside = Path(model).with_suffix("")
    if net.load_param(f"{beside}.param") or net.load_model(f"{beside}.bin"):
        sys.exit(f"{beside}: ncnn cannot load it")

    def run(planes):
        import numpy

        with net.create_extractor() as extractor:
            extractor.input("in0", ncnn.Mat(planes[0]))
            failed, output = extractor.extract("out0")
            if failed:
                sys.exit(f"{beside}: ncnn cannot run it")
            return numpy.array(output)[None]

    return run


def torch_session(model, threads):
    import torch
    from published_loop import Builder

    family, width = Path(model).stem.split("-")
    torch.set_num_threads(int(threads))
    network = Builder(family).generator(int(width), 9).eval()

    def run(planes):
        with torch.inference_mode():
            return network(torch.from_numpy(planes)).numpy()

    return run


SESSIONS = {
    "loop": session,
    "pool": session,
    "openvino": openvino_session,
    "openvino-f32": openvino_session_f32,
    "ncnn": ncnn_session,
    "torch": torch_session,
}


def bare(model, count, threads):
    import numpy

    start = time.monotonic()
    run = session(model, threads)
    loaded = time.monotonic()
    planes = numpy.random.default_rng(0).uniform(-1, 1, (1, 3, SIDE, SIDE)).astype("f4")
    run(planes)
    start, load = time.monotonic(), loaded - start
    for _ in range(int(count)):
        run(planes)
    return {"seconds": (time.monotonic() - start) / int(count), "load": load}


def alone(kind, model, count, threads):
    import numpy

    run = SESSIONS[kind](model, threads)
    planes = numpy.random.default_rng(0).uniform(-1, 1, (1, 3, SIDE, SIDE)).astype("f4")
    run(planes)
    seconds = []
    for _ in range(int(count)):
        start = time.monotonic()
        run(planes)
        seconds.append(time.monotonic() - start)
    return {"seconds": statistics.median(seconds)}


def read(path):
    import numpy
    from PIL import Image

    picture = numpy.asarray(Image.open(path).convert("RGB"), dtype="f4") / 127.5 - 1
    return numpy.ascontiguousarray(picture.transpose(2, 0, 1)[None])


def write(planes, path):
    import numpy
    from PIL import Image

    picture = ((planes[0].transpose(1, 2, 0) + 1) * 127.5).round().clip(0, 255).astype(numpy.uint8)
    Image.fromarray(picture).save(path, quality=95)


def loop(run, pictures, output):
    for path in pictures:
        write(run(read(path)), output / path.name)


def pool(run, pictures, output, threads):
    with ThreadPoolExecutor(threads) as readers, ThreadPoolExecutor(threads) as writers:
        waiting = []
        # A few ahead, as who has little memory writes it.
        ahead = [readers.submit(read, path) for path in pictures[:8]]
        for place, path in enumerate(pictures):
            planes = ahead[place].result()
            ahead[place] = None
            if place + 8 < len(pictures):
                ahead.append(readers.submit(read, pictures[place + 8]))
            waiting.append(writers.submit(write, run(planes), output / path.name))
        for written in waiting:
            written.result()


def folder(kind, model, source, target, threads):
    pictures, output = sorted(Path(source).iterdir()), Path(target)
    output.mkdir(parents=True)
    start = time.monotonic()
    run = SESSIONS[kind](model, threads)
    if kind == "pool":
        pool(run, pictures, output, int(threads))
    else:
        loop(run, pictures, output)
    seconds = time.monotonic() - start
    planes = read(pictures[0])
    return {"seconds": seconds, "difference": float(abs(run(planes) - session(model, threads)(planes)).max())}


def command(*words):
    start = time.monotonic()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds, used = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"seconds": seconds, "work": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss * 1024}


os.environ["ORT_DISABLE_TELEMETRY"] = "1"
what, *words = sys.argv[1:]
if what in SESSIONS:
    words = [what, *words]
    what = "folder"
commands = {"make": make, "convert": convert, "bare": bare, "alone": alone, "folder": folder, "command": command}
print(json.dumps(commands[what](*words)))
