"""The forward pass of GPT2ForSequenceClassification, timed in documents a second: in PyTorch, or exported to ONNX Runtime.
The last line is JSON."""

import argparse
import tempfile
from pathlib import Path

import torch
from transformers import GPT2Config, GPT2ForSequenceClassification

import measure


def build(options: argparse.Namespace) -> GPT2ForSequenceClassification:
    """A classifier with new weights."""
    last = options.vocab - 1
    return GPT2ForSequenceClassification(GPT2Config(
        vocab_size=options.vocab, n_positions=options.seq, n_embd=options.width, n_layer=options.layers, n_head=options.heads,
        activation_function="gelu_pytorch_tanh",  # the same function as gelu_new, in one operation instead of eight
        bos_token_id=last, eos_token_id=last, pad_token_id=last, use_cache=False, num_labels=options.labels)).eval()


def torch_step(options: argparse.Namespace, tokens: torch.Tensor):
    """A function that scores the tokens with PyTorch."""
    model = build(options)
    if options.precision == "bf16":
        model = model.to(torch.bfloat16)  # inference needs no fp32 weights: autocast would convert them each time
    forward = torch.compile(model) if options.mode == "compile" else model

    def step() -> None:
        with torch.inference_mode():
            forward(input_ids=tokens)

    return step


class Logits(torch.nn.Module):
    """The model with tokens in and logits out, for the exporter."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.model(input_ids=tokens).logits


def onnx_step(options: argparse.Namespace, tokens: torch.Tensor):
    """A function that scores the tokens with ONNX Runtime; int8 is its dynamic quantisation of the matrix products."""
    import onnxruntime
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        torch.onnx.export(Logits(build(options)), (tokens,), path, input_names=["tokens"], output_names=["logits"], dynamo=True)
        if options.precision == "int8":
            whole, path = path, Path(folder, "int8.onnx")
            quantize_dynamic(whole, path, weight_type=QuantType.QInt8, per_channel=True)
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = options.threads
        session = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
    inputs = {"tokens": tokens.numpy()}
    return lambda: session.run(["logits"], inputs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    measure.add_model_options(parser, ("fp32", "bf16", "int8"))
    parser.add_argument("--labels", type=int, default=4)
    parser.add_argument("--runtime", choices=["torch", "onnx"], default="torch", help="torch has no int8, onnx no bf16 here")
    parser.set_defaults(batch=16, seq=128)
    options = parser.parse_args()
    if options.precision == {"torch": "int8", "onnx": "bf16"}[options.runtime]:
        parser.error(f"--runtime {options.runtime} with --precision {options.precision}")
    measure.prepare(options)

    tokens = torch.randint(options.vocab - 1, (options.batch, options.seq))  # the last id pads, and no document is padded
    step = (onnx_step if options.runtime == "onnx" else torch_step)(options, tokens)
    first, seconds = measure.seconds_per_step(step, options.steps)
    measure.report(options, documents_per_second=options.batch / seconds, milliseconds=seconds * 1e3, first_step_seconds=first)


if __name__ == "__main__":
    main()
