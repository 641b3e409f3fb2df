"""The forward pass of GPT2ForSequenceClassification in PyTorch, timed in documents a second. The last line is JSON."""

import argparse

import torch
from transformers import GPT2Config, GPT2ForSequenceClassification

import measure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    measure.add_model_options(parser)
    parser.add_argument("--labels", type=int, default=4)
    parser.set_defaults(batch=16, seq=128)
    options = parser.parse_args()
    measure.prepare(options)

    last = options.vocab - 1
    model = GPT2ForSequenceClassification(GPT2Config(
        vocab_size=options.vocab, n_positions=options.seq, n_embd=options.width, n_layer=options.layers, n_head=options.heads,
        activation_function="gelu_pytorch_tanh",  # the same function as gelu_new, in one operation instead of eight
        bos_token_id=last, eos_token_id=last, pad_token_id=last, use_cache=False, num_labels=options.labels)).eval()
    if options.precision == "bf16":
        model = model.to(torch.bfloat16)  # inference needs no fp32 weights: autocast would convert them each time
    forward = torch.compile(model) if options.mode == "compile" else model
    tokens = torch.randint(options.vocab - 1, (options.batch, options.seq))  # the last id pads, and no document is padded

    def step() -> torch.Tensor:
        with torch.inference_mode():
            return forward(input_ids=tokens).logits

    first, seconds = measure.seconds_per_step(step, options.steps)
    measure.report(options, documents_per_second=options.batch / seconds, milliseconds=seconds * 1e3, first_step_seconds=first)


if __name__ == "__main__":
    main()
