"""The training step of CycleGAN as it is usually written in PyTorch, for `cargo xtask bench train`.

Zhu et al. 2017 (arXiv 1703.10593) with the objective that the published code has: six generator calls, both generators
in one Adam, discriminators frozen meanwhile; then both discriminators, on real and pooled pictures in calls of their own.
Networks are modules of torch.nn, written from the table in models/src/families.rs.

Run: published_loop.py FAMILY WIDTH BLOCKS WEIGHTS DATA STEPS THREADS
WEIGHTS is a run directory of the trainer; DATA has one picture each in trainA and trainB. Prints a JSON line a step.
"""

import itertools
import json
import pathlib
import random
import sys
import time

import numpy
import torch
from PIL import Image
from torch import nn

CYCLE, IDENTITY = 10.0, 5.0  # the code has 0.5 for identity, as a share of cycle
RATE, BETAS = 2e-4, (0.5, 0.999)
POOL = 50


class Block(nn.Module):
    """A body, and its input added to the output or put behind it."""

    def __init__(self, body, concat):
        super().__init__()
        self.body, self.concat = body, concat

    def forward(self, x):
        return torch.cat([self.body(x), x], 1) if self.concat else x + self.body(x)


class CutLast(nn.Module):
    """Without the last row and column."""

    def forward(self, x):
        return x[:, :, :-1, :-1]


class Builder:
    """Layers of a family, each with the name that its weights have in an `.ot` file."""

    def __init__(self, family):
        self.concat = family == "concat"
        self.named = {}

    def name(self, name, layer):
        self.named[name] = layer
        return layer

    def norm(self, name, channels):
        if self.concat:
            return self.name(name, nn.InstanceNorm2d(channels, eps=1e-3, affine=True))
        return nn.InstanceNorm2d(channels)

    def same_conv(self, name, inputs, outputs, kernel):
        by = kernel // 2
        if self.concat:
            return [self.name(name, nn.Conv2d(inputs, outputs, kernel, padding=by))]
        return [nn.ReflectionPad2d(by), self.name(name, nn.Conv2d(inputs, outputs, kernel))]

    def strided_conv(self, name, inputs, outputs, kernel, stride):
        if not self.concat:
            return [self.name(name, nn.Conv2d(inputs, outputs, kernel, stride, padding=1))]
        # TensorFlow's `same`: the odd row and column at the bottom and right.
        first, last = (kernel - stride) // 2, (kernel - stride + 1) // 2
        if first == last:
            return [self.name(name, nn.Conv2d(inputs, outputs, kernel, stride, padding=first))]
        return [nn.ZeroPad2d((first, last, first, last)), self.name(name, nn.Conv2d(inputs, outputs, kernel, stride))]

    def up_conv(self, name, inputs, outputs):
        if self.concat:
            return [self.name(name, nn.ConvTranspose2d(inputs, outputs, 3, 2)), CutLast()]
        return [self.name(name, nn.ConvTranspose2d(inputs, outputs, 3, 2, padding=1, output_padding=1))]

    def block(self, name, inputs, inner):
        body = [
            *self.same_conv(f"{name}.conv1", inputs, inner, 3),
            self.norm(f"{name}.norm1", inner),
            nn.ReLU(True),
            *self.same_conv(f"{name}.conv2", inner, inner, 3),
            self.norm(f"{name}.norm2", inner),
        ]
        return Block(nn.Sequential(*body), self.concat)

    def generator(self, width, blocks):
        layers = [*self.same_conv("stem.conv", 3, width, 7), self.norm("stem.norm", width), nn.ReLU(True)]
        for name, inputs in [("down1", width), ("down2", 2 * width)]:
            layers += self.strided_conv(f"{name}.conv", inputs, 2 * inputs, 3, 2)
            layers += [self.norm(f"{name}.norm", 2 * inputs), nn.ReLU(True)]
        channels = inner = 4 * width
        for index in range(1, blocks + 1):
            layers.append(self.block(f"block{index}", channels, inner))
            channels += inner if self.concat else 0
        for name, inputs, outputs in [("up1", channels, 2 * width), ("up2", 2 * width, width)]:
            layers += self.up_conv(f"{name}.conv", inputs, outputs)
            layers += [self.norm(f"{name}.norm", outputs), nn.ReLU(True)]
        return nn.Sequential(*layers, *self.same_conv("head.conv", width, 3, 7), nn.Tanh())

    def discriminator(self, width):
        layers, inputs = [], 3
        for index, stride in enumerate([2, 2, 2, 2, 1] if self.concat else [2, 2, 2, 1]):
            outputs = width * min(2**index, 8)
            layers += self.strided_conv(f"layer{index + 1}.conv", inputs, outputs, 4, stride)
            if index > 0:
                layers.append(self.norm(f"layer{index + 1}.norm", outputs))
            layers.append(nn.LeakyReLU(0.2, True))
            inputs = outputs
        return nn.Sequential(*layers, *self.strided_conv("head.conv", inputs, 1, 4, 1))


def load(family, file, build):
    """A network with the weights of a file, each of which has a place."""
    # A `.` cannot be in the name of an attribute, so libtorch writes `|`.
    weights = {name.replace("|", "."): tensor for name, tensor in torch.jit.load(file).state_dict().items()}
    weights.pop("metadata")
    builder = Builder(family)
    network = build(builder)
    with torch.no_grad():
        for name, layer in builder.named.items():
            layer.weight.copy_(weights.pop(f"{name}.weight"))
            layer.bias.copy_(weights.pop(f"{name}.bias"))
    assert not weights, f"{file} has more than the network: {sorted(weights)}"
    return network


class Pool:
    """Earlier fakes (Shrivastava et al. 2017, arXiv 1612.07828)."""

    def __init__(self):
        self.pictures = []

    def exchange(self, fake):
        fake = fake.detach()
        if len(self.pictures) < POOL:
            self.pictures.append(fake)
            return fake
        if random.random() < 0.5:
            place = random.randrange(POOL)
            fake, self.pictures[place] = self.pictures[place], fake
        return fake


class Cyclegan:
    def __init__(self, family, width, blocks, weights):
        def generator(name):
            return load(family, f"{weights}/{name}.ot", lambda builder: builder.generator(width, blocks))

        def discriminator(name):
            return load(family, f"{weights}/{name}.ot", lambda builder: builder.discriminator(width))

        self.g_ab, self.g_ba = generator("g_ab"), generator("g_ba")
        self.d_a, self.d_b = discriminator("d_a"), discriminator("d_b")
        generators = itertools.chain(self.g_ab.parameters(), self.g_ba.parameters())
        self.of_generators = torch.optim.Adam(generators, lr=RATE, betas=BETAS)
        self.critics = [*self.d_a.parameters(), *self.d_b.parameters()]
        self.of_discriminators = torch.optim.Adam(self.critics, lr=RATE, betas=BETAS)
        self.pool_a, self.pool_b = Pool(), Pool()
        self.l1, self.mse = nn.L1Loss(), nn.MSELoss()

    def freeze_discriminators(self, frozen):
        for weight in self.critics:
            weight.requires_grad_(not frozen)

    def adversarial(self, verdicts, real):
        return self.mse(verdicts, torch.tensor(1.0 if real else 0.0).expand_as(verdicts))

    def discriminator_loss(self, discriminator, real, fake):
        on_real = self.adversarial(discriminator(real), True)
        on_fake = self.adversarial(discriminator(fake), False)
        loss = (on_real + on_fake) * 0.5
        loss.backward()
        return loss

    def update(self, a, b):
        fake_b = self.g_ab(a)
        rec_a = self.g_ba(fake_b)
        fake_a = self.g_ba(b)
        rec_b = self.g_ab(fake_a)

        self.freeze_discriminators(True)
        self.of_generators.zero_grad()
        losses = {
            "id_b": self.l1(self.g_ab(b), b),
            "id_a": self.l1(self.g_ba(a), a),
            "adv_ab": self.adversarial(self.d_b(fake_b), True),
            "adv_ba": self.adversarial(self.d_a(fake_a), True),
            "cycle_a": self.l1(rec_a, a),
            "cycle_b": self.l1(rec_b, b),
        }
        adversarial = losses["adv_ab"] + losses["adv_ba"]
        cycle = (losses["cycle_a"] + losses["cycle_b"]) * CYCLE
        identity = (losses["id_a"] + losses["id_b"]) * IDENTITY
        (adversarial + cycle + identity).backward()
        self.of_generators.step()

        self.freeze_discriminators(False)
        self.of_discriminators.zero_grad()
        losses["d_a"] = self.discriminator_loss(self.d_a, a, self.pool_a.exchange(fake_a))
        losses["d_b"] = self.discriminator_loss(self.d_b, b, self.pool_b.exchange(fake_b))
        self.of_discriminators.step()
        return losses


def picture(folder):
    """`[1, 3, h, w]` in [-1, 1]."""
    (file,) = pathlib.Path(folder).iterdir()
    pixels = numpy.array(Image.open(file).convert("RGB"))
    return torch.from_numpy(pixels).permute(2, 0, 1).unsqueeze(0).contiguous().float() / 127.5 - 1


def main():
    family, width, blocks, weights, data, steps, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    cyclegan = Cyclegan(family, int(width), int(blocks), weights)
    a, b = picture(f"{data}/trainA"), picture(f"{data}/trainB")
    for step in range(1, int(steps) + 1):
        start = time.perf_counter()
        losses = {name: loss.item() for name, loss in cyclegan.update(a, b).items()}
        print(json.dumps({"step": step, "seconds": time.perf_counter() - start, "losses": losses}), flush=True)


if __name__ == "__main__":
    main()
