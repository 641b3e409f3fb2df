"""Greedy generation with GPT2LMHeadModel of Transformers, one stream: a prompt of --seq tokens is read, then --new tokens are made.
The last line is JSON."""

import argparse

import torch
from transformers import GPT2Config, GPT2LMHeadModel

import measure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    measure.add_model_options(parser)
    parser.add_argument("--new", type=int, default=64, help="tokens that are made")
    parser.set_defaults(batch=1, seq=8, steps=5)
    options = parser.parse_args()
    measure.prepare(options)

    model = GPT2LMHeadModel(GPT2Config(
        vocab_size=options.vocab, n_positions=max(1024, options.seq + options.new), n_embd=options.width, n_layer=options.layers,
        n_head=options.heads, activation_function="gelu_pytorch_tanh", bos_token_id=0, eos_token_id=0)).eval()
    if options.precision == "bf16":
        model = model.to(torch.bfloat16)
    forward = torch.compile(model) if options.mode == "compile" else model
    prompt = torch.randint(options.vocab, (options.batch, options.seq))

    def read():
        return forward(input_ids=prompt, use_cache=True, logits_to_keep=1)

    def make(out) -> None:
        for _ in range(options.new):
            token = out.logits[:, -1:].argmax(dim=-1)
            out = forward(input_ids=token, past_key_values=out.past_key_values, use_cache=True)

    with torch.inference_mode():
        measure.report_generation(options, read, make)


if __name__ == "__main__":
    main()
