"""Loads a model directory with Hugging Face Transformers and prints the logits of a text as JSON.

It proves that what atoll writes loads as it is: the class is chosen from config.json, a weight that is missing,
left over or of another shape is an error, and the tokenizer is the directory's own.
"""

import argparse
import json
import sys

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer


def load(directory: str):
    """The model of a directory in float32, with the classes its configuration names."""
    architectures = AutoConfig.from_pretrained(directory).architectures or []
    classify = any("SequenceClassification" in name for name in architectures)
    kind = AutoModelForSequenceClassification if classify else AutoModelForCausalLM
    model, info = kind.from_pretrained(directory, output_loading_info=True, dtype=torch.float32)
    wrong = {name: sorted(map(str, keys)) for name, keys in info.items() if keys}
    if wrong:
        sys.exit(f"{directory}: weights do not match config.json: {wrong}")
    return model.eval(), classify


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--text", default="The quick brown fox jumps over the lazy dog.")
    source.add_argument("--ids", help="token ids separated by commas, in place of a text: needs no tokenizer")
    options = parser.parse_args()

    model, classify = load(options.directory)
    if options.ids:
        ids = [int(word) for word in options.ids.split(",")]
    else:
        ids = AutoTokenizer.from_pretrained(options.directory)(options.text)["input_ids"]
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([ids])).logits[0]
    answer = {"class": type(model).__name__, "ids": ids, "logits": logits.tolist()}
    if classify:
        answer["labels"] = [model.config.id2label[i] for i in range(model.config.num_labels)]
    else:
        answer["logits"] = logits[-1].tolist()  # of the last token: the next one's scores
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
