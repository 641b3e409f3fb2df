"""nanoGPT's CPU example as PyTorch runs it: a small GPT-2 on the bytes of a text, trained and evaluated.

Written from the example's settings (nanoGPT's README, "I only have a macbook"), not from its code: bytes, the first
90 % of the text train, 4 layers, 4 heads, 128 wide, context 64, batch 12, 2,000 steps, learning rate 1e-3 to 1e-4
(cosine, 100 steps of warm-up), AdamW with betas 0.9 and 0.99 and decay 0.1 on the matrices, no dropout, clipping at 1, fp32,
eager. Evaluation goes over the whole held-out tenth in windows of the context. The last line is JSON.
"""

import argparse
import math
import time
from pathlib import Path

import torch

import gpt2
import measure

PEAK_RATE, LAST_RATE, WARMUP = 1e-3, 1e-4, 100


def learning_rate(step: int, steps: int) -> float:
    """The rate of a step, counted from 0: linear to the peak, then a cosine to the last rate."""
    if step < WARMUP:
        return PEAK_RATE * (step + 1) / WARMUP
    progress = (step - WARMUP) / max(steps - WARMUP, 1)
    return LAST_RATE + 0.5 * (PEAK_RATE - LAST_RATE) * (1 + math.cos(math.pi * progress))


def sample_batch(data: torch.Tensor, batch: int, seq: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Windows that begin anywhere, and the same one byte on."""
    starts = torch.randint(len(data) - seq, (batch,))
    windows = torch.stack([data[s:s + seq + 1] for s in starts])
    return windows[:, :-1], windows[:, 1:]


@torch.no_grad()
def validation_loss(model, data: torch.Tensor, seq: int) -> float:
    """Mean loss over the whole text, in windows that do not overlap; the rest shorter than a window is left out."""
    windows = (len(data) - 1) // seq
    inputs, targets = data[:windows * seq].view(windows, seq), data[1:windows * seq + 1].view(windows, seq)
    total = sum(model(x, y).item() * len(x) for x, y in zip(inputs.split(64), targets.split(64)))
    return total / windows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, required=True, help="the text to train on (tinyshakespeare's input.txt)")
    measure.add_model_options(parser)
    parser.set_defaults(layers=4, heads=4, width=128, vocab=256, seq=64, batch=12, steps=2000)
    options = parser.parse_args()
    measure.prepare(options)
    options.text = str(options.text)

    data = torch.frombuffer(bytearray(Path(options.text).read_bytes()), dtype=torch.uint8).long()
    train, valid = data[:len(data) * 9 // 10], data[len(data) * 9 // 10:]
    model = gpt2.build(options)
    forward = torch.compile(model) if options.mode == "compile" else model
    optimizer = gpt2.adamw(model, PEAK_RATE, betas=(0.9, 0.99))

    started = time.perf_counter()
    for step in range(options.steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, options.steps)
        inputs, targets = sample_batch(train, options.batch, options.seq)
        with measure.autocast(options.precision):
            loss = forward(inputs, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if step % 200 == 0:
            print(f"step {step} loss {loss.item():.4f}", flush=True)
    seconds = time.perf_counter() - started
    measure.report(options, tokens_per_second=options.steps * options.batch * options.seq / seconds, seconds=seconds,
                   validation_loss=validation_loss(model.eval(), valid, options.seq))


if __name__ == "__main__":
    main()
