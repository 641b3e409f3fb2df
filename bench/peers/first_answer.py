"""Loads a model directory with Transformers and prints the likeliest next token of a text: what atoll generate --max-tokens 1 does."""

import argparse

import torch
from tokenizers import Tokenizer
from transformers import GPT2LMHeadModel


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory")
    parser.add_argument("--text", default="The quick brown fox")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    tokenizer = Tokenizer.from_file(f"{options.directory}/tokenizer.json")
    model = GPT2LMHeadModel.from_pretrained(options.directory, dtype=torch.float32).eval()
    ids = tokenizer.encode("<|endoftext|>" + options.text).ids
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([ids]), logits_to_keep=1).logits
    print(tokenizer.decode([int(logits[0, -1].argmax())]))


if __name__ == "__main__":
    main()
