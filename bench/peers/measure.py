"""What the runners share: the options that describe a GPT-2, timing, peak memory, and the JSON line at the end."""

import argparse
import contextlib
import importlib.metadata
import json
import resource
import statistics
import sys
import time

PACKAGES = ("torch", "transformers", "onnxruntime", "llama-cpp-python", "tiktoken", "tokenizers")


def add_model_options(parser: argparse.ArgumentParser, precisions: tuple[str, ...] = ("fp32", "bf16")) -> None:
    """Options of a GPT-2's size, of the batch, and of how it is run. The default is GPT-2 124M, B 4, T 256, fp32, eager."""
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--heads", type=int, default=12)
    parser.add_argument("--vocab", type=int, default=50257)
    parser.add_argument("--batch", type=int, default=4, help="B, documents in a batch")
    parser.add_argument("--seq", type=int, default=256, help="T, tokens in a document")
    parser.add_argument("--precision", choices=precisions, default="fp32", help="bf16 in training: fp32 weights under autocast")
    parser.add_argument("--mode", choices=["eager", "compile"], default="eager")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=10, help="steps measured")
    parser.add_argument("--seed", type=int, default=1)


def prepare(options: argparse.Namespace) -> None:
    """Fixes PyTorch's seed and its number of threads."""
    import torch

    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)


def autocast(precision: str):
    """The context in which a forward pass runs."""
    import torch

    return torch.autocast("cpu", dtype=torch.bfloat16) if precision == "bf16" else contextlib.nullcontext()


def seconds_per_step(step, steps: int, warm: int = 2) -> tuple[float, float]:
    """Runs step() warm + steps times; returns the seconds of the first call (compilation included) and the median of the measured ones."""
    started = time.perf_counter()
    step()
    first = time.perf_counter() - started
    for _ in range(warm - 1):
        step()
    measured = []
    for _ in range(steps):
        started = time.perf_counter()
        step()
        measured.append(time.perf_counter() - started)
    return first, statistics.median(measured)


def versions() -> dict[str, str]:
    """The versions of the measured packages that this process has loaded."""
    loaded = {name.split(".")[0] for name in sys.modules}
    return {package: importlib.metadata.version(package) for package in PACKAGES
            if package.removesuffix("-python").replace("-", "_") in loaded}


def report(options: argparse.Namespace, **figures) -> None:
    """Prints one JSON line: the figures, the settings, the versions, and the peak resident memory so far."""
    line = {
        **{name: round(value, 6) if isinstance(value, float) else value for name, value in figures.items()},
        "resident_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "settings": vars(options),
        "versions": versions(),
    }
    print(json.dumps(line))


def report_generation(options: argparse.Namespace, read, make) -> None:
    """Times runs of read(), which reads a prompt, and make(what read gave), which makes tokens, and reports their medians."""
    times: dict[str, list[float]] = {"prompt": [], "decode": []}

    def generate() -> None:
        started = time.perf_counter()
        prompt = read()
        between = time.perf_counter()
        make(prompt)
        times["prompt"].append(between - started)
        times["decode"].append(time.perf_counter() - between)

    first, _ = seconds_per_step(generate, options.steps)
    prompt, decode = (statistics.median(times[name][-options.steps:]) for name in ("prompt", "decode"))
    report(options, tokens_per_second=options.batch * options.new / decode, milliseconds=decode / options.new * 1e3,
           prompt_tokens_per_second=options.batch * options.seq / prompt, prompt_milliseconds=prompt * 1e3, first_step_seconds=first)
