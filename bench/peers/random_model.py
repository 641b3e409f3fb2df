"""Writes a GPT-2 of any size with random weights as a Hugging Face directory, to measure what begins with reading one."""

import argparse
from pathlib import Path

import torch
from transformers import GPT2Config, GPT2LMHeadModel

import gpt2_tokens


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--heads", type=int, default=12)
    options = parser.parse_args()
    torch.manual_seed(1)
    model = GPT2LMHeadModel(GPT2Config(n_embd=options.width, n_layer=options.layers, n_head=options.heads))
    model.save_pretrained(options.directory)
    gpt2_tokens.tokenizer().save(str(options.directory / "tokenizer.json"))


if __name__ == "__main__":
    main()
