"""One AdamW training step of GPT-2 on a GPU, as fast as plain PyTorch does it: torch.compile, flash attention, bf16 autocast over
fp32 weights, fused AdamW. Needs torch and nothing else. The last line is JSON; without a GPU it says so and exits with 3."""

import argparse
import contextlib
import json
import statistics
import sys
import time

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

import gpt2

NO_GPU = 3


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--heads", type=int, default=12)
    parser.add_argument("--vocab", type=int, default=50257)
    parser.add_argument("--batch", type=int, default=32, help="B, documents in a batch")
    parser.add_argument("--seq", type=int, default=1024, help="T, tokens in a document")
    parser.add_argument("--steps", type=int, default=20, help="steps measured, after five to warm up")
    parser.add_argument("--device", default="cuda", help="cpu: to try the script itself; eager there")
    return parser.parse_args()


def main() -> None:
    options = parse()
    on_gpu = options.device != "cpu"
    if on_gpu and not torch.cuda.is_available():
        print("PyTorch finds no GPU", file=sys.stderr)
        sys.exit(NO_GPU)
    torch.manual_seed(1)
    torch.set_float32_matmul_precision("high")  # what autocast leaves in fp32 may use TF32

    model = gpt2.build(options).to(options.device)
    optimizer = gpt2.adamw(model, rate=1e-4, betas=(0.9, 0.95))
    forward = torch.compile(model) if on_gpu else model
    flash = sdpa_kernel(SDPBackend.FLASH_ATTENTION) if on_gpu else contextlib.nullcontext()

    def step() -> float:
        tokens = torch.randint(options.vocab, (options.batch, options.seq + 1), pin_memory=on_gpu).to(options.device, non_blocking=True)
        with torch.autocast(torch.device(options.device).type, dtype=torch.bfloat16):
            loss = forward(tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()  # waits for the device, as atoll's step does

    with flash:
        started = time.perf_counter()
        step()
        first = time.perf_counter() - started
        for _ in range(4):
            step()
        measured = []
        for _ in range(options.steps):
            started = time.perf_counter()
            loss = step()
            measured.append(time.perf_counter() - started)
    seconds = statistics.median(measured)
    print(json.dumps({
        "tokens_per_second": options.batch * options.seq / seconds,
        "milliseconds": seconds * 1e3,
        "first_step_seconds": first,
        "loss": loss,
        "device_bytes": torch.cuda.max_memory_reserved() if on_gpu else 0,
        "torch": torch.__version__,
    }))


if __name__ == "__main__":
    main()
