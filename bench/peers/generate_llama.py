"""Greedy generation with llama.cpp through llama-cpp-python, one stream: a prompt of --seq tokens is read, then --new tokens are
made. The model is a GPT-2 with random weights, written as a GGUF file of its own; int8 is llama.cpp's Q8_0. Its own layout of weights
makes it faster where it runs, but that for AMX ends with an illegal instruction on some machines: --layout plain leaves weights as
they are in the file. The last line is JSON."""

import argparse
import tempfile
from pathlib import Path

import gguf
import llama_cpp
import numpy as np

import measure

TYPES = {"fp32": gguf.GGMLQuantizationType.F32, "bf16": gguf.GGMLQuantizationType.BF16, "int8": gguf.GGMLQuantizationType.Q8_0}


def shapes(options: argparse.Namespace) -> dict[str, tuple[int, ...]]:
    """The tensors of a GPT-2 under llama.cpp's names, rows first."""
    C, V, P = options.width, options.vocab, positions(options)
    all_shapes = {"token_embd.weight": (V, C), "position_embd.weight": (P, C), "output_norm.weight": (C,), "output_norm.bias": (C,)}
    for layer in range(options.layers):
        for name, shape in {"attn_norm": (C,), "attn_qkv": (3 * C, C), "attn_output": (C, C), "ffn_norm": (C,), "ffn_up": (4 * C, C),
                            "ffn_down": (C, 4 * C)}.items():
            all_shapes[f"blk.{layer}.{name}.weight"] = shape
            all_shapes[f"blk.{layer}.{name}.bias"] = shape[:1]
    return all_shapes


def positions(options: argparse.Namespace) -> int:
    return max(1024, options.seq + options.new)


def write_model(path: Path, options: argparse.Namespace) -> None:
    """A GGUF file without a vocabulary's texts. Matrices are in the precision, positions and vectors in fp32."""
    writer = gguf.GGUFWriter(path, "gpt2")
    writer.add_context_length(positions(options))
    writer.add_embedding_length(options.width)
    writer.add_feed_forward_length(4 * options.width)
    writer.add_block_count(options.layers)
    writer.add_head_count(options.heads)
    writer.add_layer_norm_eps(1e-5)
    writer.add_vocab_size(options.vocab)
    writer.add_tokenizer_model("none")
    random = np.random.default_rng(options.seed)
    for name, shape in shapes(options).items():
        values = 0.02 * random.standard_normal(shape, dtype=np.float32)
        if name.endswith("norm.weight"):
            values += 1
        if len(shape) == 1 or name == "position_embd.weight":
            writer.add_tensor(name, values)
        else:
            kind = TYPES[options.precision]
            writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def plain_layout() -> None:
    """Has models that are read from now on keep their weights as they are in the file. Llama has no argument for it."""
    defaults = llama_cpp.llama_model_default_params

    def params() -> llama_cpp.llama_model_params:
        p = defaults()
        p.use_extra_bufts = False
        return p

    llama_cpp.llama_cpp.llama_model_default_params = params
    llama_cpp.llama_model_default_params = params


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    measure.add_model_options(parser, ("fp32", "bf16", "int8"))
    parser.add_argument("--new", type=int, default=64, help="tokens that are made")
    parser.add_argument("--layout", choices=("own", "plain"), default="own", help="how llama.cpp lays out weights")
    parser.set_defaults(batch=1, seq=8, steps=5)
    options = parser.parse_args()
    if options.layout == "plain":
        plain_layout()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.gguf")
        write_model(path, options)
        model = llama_cpp.Llama(str(path), n_ctx=positions(options), n_batch=512, n_threads=options.threads, n_threads_batch=options.threads,
                                n_gpu_layers=0, verbose=False)
    prompt = np.random.default_rng(options.seed).integers(options.vocab, size=options.seq).tolist()

    def read() -> None:
        model.reset()
        model.eval(prompt)

    def make(_: None) -> None:
        for token in prompt[:1] * options.new:  # which token it is does not change the work
            model.eval([token])

    measure.report_generation(options, read, make)


if __name__ == "__main__":
    main()
