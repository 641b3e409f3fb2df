"""GPT-2's encoding of a text with tiktoken (one thread) or Hugging Face tokenizers (a batch on all threads), in bytes of UTF-8 a
second. The documents are about 64 KB, cut at line ends, as atoll bench tokenize cuts them. The last line is JSON."""

import argparse
import os
import re
from pathlib import Path

import gpt2_tokens
import measure


def documents(text: str, least: int = 64 << 10) -> list[str]:
    """Whole lines, of at least so many bytes together but for the last."""
    parts: list[str] = []
    lines: list[str] = []
    size = 0
    for line in re.findall(r"[^\n]*\n|[^\n]+", text):
        lines.append(line)
        size += len(line.encode())
        if size > least:
            parts.append("".join(lines))
            lines, size = [], 0
    return parts + ["".join(lines)] if lines else parts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", type=Path)
    parser.add_argument("--library", choices=["tiktoken", "tokenizers"], default="tiktoken")
    parser.add_argument("--threads", type=int, default=1, help="of tokenizers")
    parser.add_argument("--steps", type=int, default=5)
    options = parser.parse_args()
    os.environ["RAYON_NUM_THREADS"] = str(options.threads)
    text = options.text.read_bytes().decode(errors="replace")
    options.text = str(options.text)
    parts = documents(text)
    if options.library == "tiktoken":
        encoding = gpt2_tokens.tiktoken_encoding()
        encode = lambda: sum(len(encoding.encode_ordinary(part)) for part in parts)
    else:
        tokenizer = gpt2_tokens.tokenizer()
        encode = lambda: sum(len(done.ids) for done in tokenizer.encode_batch(parts))
    _, seconds = measure.seconds_per_step(encode, options.steps)
    measure.report(options, bytes_per_second=len(text.encode()) / seconds, tokens=encode())


if __name__ == "__main__":
    main()
