"""Makes the variants: generators as published code and its descendants save them, with an input and PyTorch's output.

    python make.py            writes NAME.safetensors, some NAME.pth, and cases.safetensors beside itself

Needs PyPI's torch; 2.13 made those that are kept. The networks are written here from the facts of
the published architecture; no weights of anyone are in them. Every tensor is random, the norms' statistics, scales and
biases too, so that leaving one out, or taking it for something else, shows in the output.
"""

import json
import struct
import sys
import zlib
from collections import OrderedDict
from pathlib import Path

import torch
from torch import nn

HERE = Path(__file__).parent


def instance(affine=False, track=False):
    return lambda channels: nn.InstanceNorm2d(channels, affine=affine, track_running_stats=track)


class Block(nn.Module):
    """x + body(x), the body in `conv_block` or under another name."""

    def __init__(self, body, name="conv_block"):
        super().__init__()
        self.body_name = name
        setattr(self, name, body)

    def forward(self, x):
        return x + getattr(self, self.body_name)(x)


def block_body(channels, norm, padding, dropout, bias):
    layers = []
    for part in range(2):
        pad = 0
        if padding == "reflect":
            layers.append(nn.ReflectionPad2d(1))
        else:
            pad = 1
        layers += [nn.Conv2d(channels, channels, 3, padding=pad, bias=bias), norm(channels)]
        if part == 0:
            layers.append(nn.ReLU(True))
            if dropout:
                layers.append(nn.Dropout(0.5))
    return nn.Sequential(*layers)


def up_layers(kind, channels, to, norm, bias, kernel=3):
    if kind == "transpose":
        pad = (kernel - 1) // 2
        layers = [nn.ConvTranspose2d(channels, to, kernel, 2, pad, output_padding=kernel % 2, bias=bias)]
    elif kind == "resize":
        layers = [nn.Upsample(scale_factor=2), nn.Conv2d(channels, to, 3, 1, 1, bias=bias)]
    elif kind == "resize-reflect":
        layers = [nn.Upsample(scale_factor=2), nn.ReflectionPad2d(1), nn.Conv2d(channels, to, 3, bias=bias)]
    return layers + [norm(to), nn.ReLU(True)]


def published(norm=instance(), width=2, blocks=2, downs=2, padding="reflect", dropout=False, up="transpose", bias=True,
              channels=(3, 3), edge="reflect", kernel=7, stride_kernel=3, tanh=True, body="conv_block",
              down_pad=False, act=lambda: nn.ReLU(True)):
    """One numbered sequence in `model`, as the published ResNet generator has it."""
    half = kernel // 2
    edge_pad = [nn.ReflectionPad2d(half)] if edge == "reflect" else []
    edge_zeros = 0 if edge == "reflect" else half
    layers = [*edge_pad, nn.Conv2d(channels[0], width, kernel, padding=edge_zeros, bias=bias), norm(width), act()]
    c = width
    for _ in range(downs):
        layers += [nn.ReflectionPad2d(1)] if down_pad else []
        layers += [nn.Conv2d(c, 2 * c, stride_kernel, 2, 0 if down_pad else 1, bias=bias), norm(2 * c), act()]
        c *= 2
    layers += [Block(block_body(c, norm, padding, dropout, bias), body) for _ in range(blocks)]
    for _ in range(downs):
        layers += up_layers(up, c, c // 2, norm, bias, stride_kernel)
        c //= 2
    layers += [*edge_pad, nn.Conv2d(c, channels[1], kernel, padding=edge_zeros)]
    if tanh:
        layers.append(nn.Tanh())
    net = nn.Module()
    net.model = nn.Sequential(*layers)
    net.forward = net.model.forward
    return net


class Wrapped(nn.Module):
    """A network under names."""

    def __init__(self, names, network):
        super().__init__()
        first, *rest = names
        setattr(self, first, Wrapped(rest, network) if rest else network)
        self.first = first

    def forward(self, x):
        return getattr(self, self.first)(x)


# --- inner names of others, held out ------------------------------------------------------------------------------------


class ConvBlock(nn.Module):
    """`conv` with reflection inside the convolution, norm, activation: names of stages, lists of modules."""

    def __init__(self, c, to, activate=True, **arguments):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(c, to, padding_mode="reflect", **arguments),
            nn.InstanceNorm2d(to),
            nn.ReLU(inplace=True) if activate else nn.Identity(),
        )

    def forward(self, x):
        return self.conv(x)


class UpBlock(nn.Module):
    def __init__(self, c, to):
        super().__init__()
        self.conv = nn.Sequential(
            nn.ConvTranspose2d(c, to, 3, 2, 1, output_padding=1), nn.InstanceNorm2d(to), nn.ReLU(inplace=True)
        )

    def forward(self, x):
        return self.conv(x)


class Stages(nn.Module):
    """Names of stages whose alphabet is not their order."""

    def __init__(self, w=2, blocks=2):
        super().__init__()
        self.initial = nn.Sequential(
            nn.Conv2d(3, w, 7, padding=3, padding_mode="reflect"), nn.InstanceNorm2d(w), nn.ReLU(inplace=True)
        )
        self.down_blocks = nn.ModuleList(
            [ConvBlock(w * 2**i, w * 2 ** (i + 1), kernel_size=3, stride=2, padding=1) for i in range(2)]
        )
        body = lambda: nn.Sequential(
            ConvBlock(4 * w, 4 * w, kernel_size=3, padding=1), ConvBlock(4 * w, 4 * w, False, kernel_size=3, padding=1)
        )
        self.residual_blocks = nn.Sequential(*[Block(body(), "block") for _ in range(blocks)])
        self.up_blocks = nn.ModuleList([UpBlock(4 * w, 2 * w), UpBlock(2 * w, w)])
        self.last = nn.Conv2d(w, 3, 7, padding=3, padding_mode="reflect")

    def forward(self, x):
        x = self.initial(x)
        for layer in self.down_blocks:
            x = layer(x)
        x = self.residual_blocks(x)
        for layer in self.up_blocks:
            x = layer(x)
        return torch.tanh(self.last(x))


class BasicBlock(nn.Module):
    """torchvision's names: conv1, bn1, conv2, bn2."""

    def __init__(self, c, norm, bias=False, activate=False):
        super().__init__()
        self.activate = activate
        self.conv1 = nn.Conv2d(c, c, 3, padding=1, bias=bias)
        self.bn1 = norm(c)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(c, c, 3, padding=1, bias=bias)
        self.bn2 = norm(c)

    def forward(self, x):
        y = x + self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(y) if self.activate else y


class Coder(nn.Module):
    """encoder, transformer, decoder."""

    def __init__(self, norm, w=2, blocks=2, bias=True, activate=False):
        super().__init__()
        act = lambda: nn.ReLU(inplace=True)
        self.encoder = nn.Sequential(
            nn.ReflectionPad2d(3), nn.Conv2d(3, w, 7, bias=bias), norm(w), act(),
            nn.Conv2d(w, 2 * w, 3, 2, 1, bias=bias), norm(2 * w), act(),
            nn.Conv2d(2 * w, 4 * w, 3, 2, 1, bias=bias), norm(4 * w), act(),
        )
        self.transformer = nn.Sequential(*[BasicBlock(4 * w, norm, bias, activate) for _ in range(blocks)])
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(4 * w, 2 * w, 3, 2, 1, 1, bias=bias), norm(2 * w), act(),
            nn.ConvTranspose2d(2 * w, w, 3, 2, 1, 1, bias=bias), norm(w), act(),
            nn.ReflectionPad2d(3), nn.Conv2d(w, 3, 7), nn.Tanh(),
        )

    def forward(self, x):
        return self.decoder(self.transformer(self.encoder(x)))


class Short(nn.Module):
    """Each stage a small sequence of its own, zero padding, 4×4 strides: conv1.0, conv2.0, deconv1.0."""

    def __init__(self, w=2):
        super().__init__()
        norm = lambda c: nn.BatchNorm2d(c)
        stage = lambda conv, c: nn.Sequential(conv, norm(c), nn.ReLU())
        self.conv1 = stage(nn.Conv2d(3, w, 7, 1, 3, bias=False), w)
        self.conv2 = stage(nn.Conv2d(w, 2 * w, 4, 2, 1, bias=False), 2 * w)
        self.conv3 = stage(nn.Conv2d(2 * w, 4 * w, 4, 2, 1, bias=False), 4 * w)
        self.res1 = BasicBlock(4 * w, norm)
        self.res2 = BasicBlock(4 * w, norm)
        self.deconv1 = stage(nn.ConvTranspose2d(4 * w, 2 * w, 4, 2, 1, bias=False), 2 * w)
        self.deconv2 = stage(nn.ConvTranspose2d(2 * w, w, 4, 2, 1, bias=False), w)
        self.deconv3 = nn.Sequential(nn.Conv2d(w, 3, 7, 1, 3, bias=True), nn.Tanh())

    def forward(self, x):
        for stage in self.children():
            x = stage(x)
        return x


class Layered(nn.Module):
    """layers.N.block.M, each layer a module with its own sequence."""

    def __init__(self, norm, w=2, blocks=2):
        super().__init__()
        sequence = lambda *layers: Wrapped(["block"], nn.Sequential(*layers))
        c = 4 * w
        body = lambda: nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(c, c, 3), norm(c), nn.ReLU(),
                                     nn.ReflectionPad2d(1), nn.Conv2d(c, c, 3), norm(c))
        self.layers = nn.Sequential(
            sequence(nn.ReflectionPad2d(3), nn.Conv2d(3, w, 7), norm(w), nn.ReLU()),
            sequence(nn.Conv2d(w, 2 * w, 3, 2, 1), norm(2 * w), nn.ReLU()),
            sequence(nn.Conv2d(2 * w, 4 * w, 3, 2, 1), norm(4 * w), nn.ReLU()),
            *[Block(body(), "block") for _ in range(blocks)],
            sequence(nn.ConvTranspose2d(4 * w, 2 * w, 3, 2, 1, 1), norm(2 * w), nn.ReLU()),
            sequence(nn.ConvTranspose2d(2 * w, w, 3, 2, 1, 1), norm(w), nn.ReLU()),
            sequence(nn.ReflectionPad2d(3), nn.Conv2d(w, 3, 7), nn.Tanh()),
        )

    def forward(self, x):
        return self.layers(x)


class Concat(nn.Module):
    """This project's concat family without its metadata: blocks that concatenate, TensorFlow's padding, eps 1e-3."""

    def __init__(self, w=2, blocks=2):
        super().__init__()
        norm = lambda c: nn.InstanceNorm2d(c, eps=1e-3, affine=True)
        stage = lambda conv, c: nn.ModuleDict({"conv": conv, "norm": norm(c)})
        self.stem = stage(nn.Conv2d(3, w, 7, 1, 3), w)
        self.down1 = stage(nn.Conv2d(w, 2 * w, 3, 2), 2 * w)
        self.down2 = stage(nn.Conv2d(2 * w, 4 * w, 3, 2), 4 * w)
        c = 4 * w
        for index in range(blocks):
            block = nn.ModuleDict({"conv1": nn.Conv2d(c, 4 * w, 3, 1, 1), "norm1": norm(4 * w),
                                   "conv2": nn.Conv2d(4 * w, 4 * w, 3, 1, 1), "norm2": norm(4 * w)})
            setattr(self, f"block{index + 1}", block)
            c += 4 * w
        self.blocks = blocks
        self.up1 = stage(nn.ConvTranspose2d(c, 2 * w, 3, 2), 2 * w)
        self.up2 = stage(nn.ConvTranspose2d(2 * w, w, 3, 2), w)
        self.head = nn.ModuleDict({"conv": nn.Conv2d(w, 3, 7, 1, 3)})

    def forward(self, x):
        run = lambda stage, x: torch.relu(stage["norm"](stage["conv"](x)))
        x = run(self.stem, x)
        for stage in (self.down1, self.down2):
            x = run(stage, nn.functional.pad(x, (0, 1, 0, 1)))
        for index in range(self.blocks):
            block = getattr(self, f"block{index + 1}")
            h = torch.relu(block["norm1"](block["conv1"](x)))
            x = torch.cat([block["norm2"](block["conv2"](h)), x], 1)
        for stage in (self.up1, self.up2):
            x = torch.relu(stage["norm"](stage["conv"](x)[..., :-1, :-1]))
        return torch.tanh(self.head["conv"](x))


# --- networks that are no ResNet generator ----------------------------------------------------------------------------


def u_net(w=2, depth=4):
    """The published U-Net's names and shapes: 4×4 kernels, nested, up-convolutions of twice the width."""
    block = None
    widths = [w * min(2**i, 8) for i in range(depth)]
    for index in reversed(range(depth)):
        outer = widths[index - 1] if index else 3
        inner = widths[index]
        down = nn.Conv2d(outer, inner, 4, 2, 1)
        up = nn.ConvTranspose2d(inner * (1 if block is None else 2), outer, 4, 2, 1)
        layers = [down] if index == 0 else [nn.LeakyReLU(0.2), down]
        layers += [block] if block is not None else []
        layers += [nn.ReLU(), up] + ([nn.Tanh()] if index == 0 else [])
        block = Wrapped(["model"], nn.Sequential(*layers))
    return Wrapped(["model"], block)


class Blur(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.register_buffer("filt", torch.ones(channels, 1, 3, 3) / 9)


def anti_aliased(w=2):
    norm = instance()
    c = 4 * w
    layers = [nn.ReflectionPad2d(3), nn.Conv2d(3, w, 7), norm(w), nn.ReLU()]
    for i in (1, 2):
        layers += [nn.Conv2d(w * i, 2 * w * i, 3, 1, 1), norm(2 * w * i), nn.ReLU(), Blur(2 * w * i)]
    layers += [Block(block_body(c, norm, "reflect", False, True)) for _ in range(2)]
    for i in (2, 1):
        layers += [Blur(2 * w * i), nn.Conv2d(2 * w * i, w * i, 3, 1, 1), norm(w * i), nn.ReLU()]
    return Wrapped(["model"], nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(w, 3, 7), nn.Tanh()))


def discriminator(w=2):
    layers, c = [nn.Conv2d(3, w, 4, 2, 1), nn.LeakyReLU(0.2)], w
    for stride in (2, 2, 1):
        layers += [nn.Conv2d(c, 2 * c, 4, stride, 1), nn.InstanceNorm2d(2 * c), nn.LeakyReLU(0.2)]
        c *= 2
    return Wrapped(["model"], nn.Sequential(*layers, nn.Conv2d(c, 1, 4, 1, 1)))


def classifier():
    net = nn.Module()
    net.features = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 8, 3, padding=1))
    net.classifier = nn.Sequential(nn.Linear(8, 10))
    return net


def spectral():
    net = published()
    net.model[1] = nn.utils.spectral_norm(net.model[1])
    return net


def plain():
    """A generator whose constant-width part is one sequence: nothing is carried around, so nothing is residual."""
    layers = [nn.ReflectionPad2d(3), nn.Conv2d(3, 2, 7), instance()(2), nn.ReLU()]
    layers += [nn.Conv2d(2, 4, 3, 2, 1), instance()(4), nn.ReLU()]
    for _ in range(4):
        layers += [nn.Conv2d(4, 4, 3, 1, 1), instance()(4), nn.ReLU()]
    layers += [nn.ConvTranspose2d(4, 2, 3, 2, 1, 1), instance()(2), nn.ReLU()]
    return Wrapped(["model"], nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(2, 3, 7), nn.Tanh()))


class ThreeConvolutions(nn.Module):
    """Blocks of four convolutions, which are two of two by their shapes."""

    def __init__(self, c=4):
        super().__init__()
        for index in range(4):
            setattr(self, f"conv{index + 1}", nn.Conv2d(c, c, 3, 1, 1))


def deep_blocks():
    net = nn.Module()
    net.stem = nn.Conv2d(3, 2, 7)
    net.down = nn.Conv2d(2, 4, 3)
    net.resblocks = nn.ModuleList([ThreeConvolutions(), ThreeConvolutions()])
    net.up = nn.ConvTranspose2d(4, 2, 3)
    net.zhead = nn.Conv2d(2, 3, 7)
    return net


def attention():
    net = published(downs=1)
    net.attention = nn.ModuleDict({"query": nn.Conv2d(4, 1, 1), "key": nn.Conv2d(4, 1, 1), "value": nn.Conv2d(4, 4, 1)})
    return net


batch = nn.BatchNorm2d
affine = instance(affine=True)
tracked = instance(track=True)
full = instance(affine=True, track=True)

# Name: what it is, its network, side of the input. Evaluation mode; where that is not how the published code runs it, see
# `as_published` below.
VARIANTS = OrderedDict([
    ("published", ("as published: reflection, instance norm", lambda: published(), 16)),
    ("blocks6", ("6 blocks", lambda: published(blocks=6, width=1), 16)),
    ("blocks11", ("11 blocks, one downsampling: two-digit numbers", lambda: published(blocks=11, downs=1, width=2), 16)),
    ("width5", ("width 5", lambda: published(width=5, blocks=1, downs=1), 16)),
    ("downs1", ("1 downsampling", lambda: published(downs=1), 16)),
    ("downs3", ("3 downsamplings", lambda: published(downs=3, width=1, blocks=1), 32)),
    ("downs4", ("4 downsamplings", lambda: published(downs=4, width=1, blocks=1), 48)),
    ("affine", ("instance norm with scale and bias", lambda: published(affine), 16)),
    ("statistics", ("instance norm with running statistics, dropped as the published loader does", lambda: published(tracked), 16)),
    ("statistics_used", ("instance norm with running statistics, used", lambda: published(tracked), 16)),
    ("full_instance", ("instance norm with scale, bias and statistics, as PyTorch evaluates it", lambda: published(full), 16)),
    ("full_ignored", ("the same, statistics dropped", lambda: published(full), 16)),
    ("batch", ("batch norm, convolutions without bias", lambda: published(batch, bias=False, blocks=1), 16)),
    ("batch_bias", ("batch norm, convolutions with bias", lambda: published(batch, blocks=1), 16)),
    ("batch_plain", ("batch norm without scale and bias", lambda: published(lambda c: nn.BatchNorm2d(c, affine=False), bias=False, blocks=1), 16)),
    ("no_bias", ("instance norm, convolutions without bias", lambda: published(bias=False), 16)),
    ("dropout", ("dropout in the blocks", lambda: published(dropout=True), 16)),
    ("zero", ("zero padding in the blocks", lambda: published(padding="zero"), 16)),
    ("zero_dropout", ("zero padding and dropout in the blocks", lambda: published(padding="zero", dropout=True), 16)),
    ("edge_zero", ("zero padding everywhere", lambda: published(padding="zero", edge="zero"), 16)),
    ("resize", ("resize-convolutions, zero padding", lambda: published(up="resize"), 16)),
    ("resize_reflect", ("resize-convolutions, reflection", lambda: published(up="resize-reflect"), 16)),
    ("resize_batch", ("resize-convolutions and batch norm", lambda: published(batch, up="resize", bias=False, blocks=1), 16)),
    ("kernel9", ("first and last kernel of 9", lambda: published(kernel=9, blocks=1), 16)),
    ("stride4", ("4×4 kernels in down- and up-convolutions", lambda: published(stride_kernel=4, blocks=1), 16)),
    ("down_pad", ("reflection as a module before the convolutions that halve", lambda: published(down_pad=True, blocks=1), 16)),
    ("grey", ("1 channel to 1", lambda: published(channels=(1, 1), blocks=1), 16)),
    ("grey_to_colour", ("1 channel to 3", lambda: published(channels=(1, 3), blocks=1), 16)),
    ("no_tanh", ("no output activation", lambda: published(tanh=False, blocks=1), 16)),
    ("parallel", ("names after DataParallel, `module.`", lambda: Wrapped(["module"], published(blocks=1)), 16)),
    ("net_g", ("names under `netG_B2A.`", lambda: Wrapped(["netG_B2A"], published(blocks=1)), 16)),
    # Held out: written after the matcher was.
    ("stages", ("held out: initial, down_blocks, residual_blocks, up_blocks, last", lambda: Stages(), 16)),
    ("coder", ("held out: encoder, transformer, decoder; conv1, bn1, conv2, bn2; affine", lambda: Coder(affine), 16)),
    ("coder_batch", ("held out: the same, batch norm", lambda: Coder(batch, bias=False, blocks=1), 16)),
    ("coder_plain", ("held out: the same, nothing stored but kernels", lambda: Coder(instance(), bias=False), 16)),
    ("coder_relu", ("held out: the same, ReLU after each block's sum", lambda: Coder(instance(), blocks=1, activate=True), 16)),
    ("short", ("held out: conv1.0, res1, deconv1.0; batch norm, zeros, 4×4 strides", lambda: Short(), 16)),
    ("layered", ("held out: layers.N.block.M", lambda: Layered(instance()), 16)),
    ("inner_block", ("held out: model.N.block.M, resize-convolutions", lambda: published(up="resize", body="block", blocks=1), 16)),
    ("nested", ("held out: a Lightning module's `G.net.model`", lambda: Wrapped(["G", "net"], published(blocks=1)), 16)),
    ("concat", ("the concat family without its metadata", lambda: Concat(), 16)),
])

REFUSED = OrderedDict([
    ("u_net", u_net),
    ("anti_aliased", anti_aliased),
    ("discriminator", discriminator),
    ("classifier", classifier),
    ("spectral", spectral),
    ("plain", plain),
    ("deep_blocks", deep_blocks),
    ("attention", attention),
])

# Variants that the published code does not evaluate as PyTorch would: it drops an instance norm's running statistics.
DROPPED = {"statistics", "full_ignored"}

# The same tensors are in both formats; these are enough to hold the readers against each other.
PICKLED = {"published", "statistics", "batch", "parallel", "stages", "coder_plain", "several"}


def randomise(net, generator):
    for name, tensor in [*net.named_parameters(), *net.named_buffers()]:
        last = name.rsplit(".", 1)[-1]
        with torch.no_grad():
            if last == "num_batches_tracked":
                tensor.fill_(7)
            elif last == "running_var":
                tensor.uniform_(0.3, 3.0, generator=generator)
            elif last == "running_mean" or last == "bias":
                tensor.uniform_(-0.5, 0.5, generator=generator)
            elif tensor.dim() == 1:
                tensor.uniform_(0.5, 1.5, generator=generator)
            elif last != "filt":
                # As many inputs to a sum as keep features near 1.
                tensor.normal_(0, 1.2 / (tensor[0].numel() ** 0.5), generator=generator)


def write_safetensors(path, tensors, facts=None):
    """The format's own layout: length, JSON header, numbers; by name, as PyTorch's writer sorts them."""
    kinds = {torch.float32: "F32", torch.int64: "I64"}
    header, blob = ({"__metadata__": facts} if facts else {}), b""
    for name, tensor in sorted(tensors.items()):
        data = bytes(tensor.contiguous().flatten().view(torch.uint8).tolist())
        header[name] = {"dtype": kinds[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [len(blob), len(blob) + len(data)]}
        blob += data
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + blob)


def main():
    torch.set_num_threads(1)
    cases = {}
    for name, (_, make, side) in VARIANTS.items():
        generator = seeded(name)
        net = make().eval()
        randomise(net, generator)
        state = net.state_dict()
        if name in DROPPED:
            for module in net.modules():
                if isinstance(module, nn.InstanceNorm2d):
                    module.running_mean = module.running_var = module.num_batches_tracked = None
                    module.track_running_stats = False
        channels = next(tensor.shape[1] for tensor in state.values() if tensor.dim() == 4)
        image = torch.rand(1, channels, side, side, generator=generator) * 2 - 1
        with torch.no_grad():
            output = net(image)
        assert output.shape[2:] == image.shape[2:], name
        assert 0.1 < output.std() and output.abs().max() < 20, (name, output.std())
        save(name, state)
        cases |= {f"{name}/input": image, f"{name}/output": output}
    for name, make in REFUSED.items():
        net = make()
        randomise(net, seeded(name))
        save(name, net.state_dict())
    # Both generators and a discriminator in one file, as some trainers keep them.
    torch.manual_seed(0)
    generators = {f"{key}.{name}": tensor for key in ("netG_A2B", "netG_B2A")
                  for name, tensor in published(blocks=1, downs=1, width=1).state_dict().items()}
    save("several", OrderedDict(generators | {f"netD_A.{name}": tensor for name, tensor in discriminator(1).state_dict().items()}))
    write_safetensors(HERE / "cases.safetensors", cases, {name: what for name, (what, _, _) in VARIANTS.items()})
    total = sum(file.stat().st_size for file in HERE.iterdir())
    print(f"{len(VARIANTS)} variants, {len(REFUSED) + 1} others, {total / 1e6:.2f} MB", file=sys.stderr)


def seeded(name):
    """A variant's own draws, so that another beside it changes nothing in its file."""
    return torch.Generator().manual_seed(zlib.crc32(name.encode()))


def save(name, state):
    state = OrderedDict((key, tensor.detach().clone()) for key, tensor in state.items())
    if name in PICKLED:
        torch.save(state, HERE / f"{name}.pth")
    write_safetensors(HERE / f"{name}.safetensors", state)


if __name__ == "__main__":
    main()
