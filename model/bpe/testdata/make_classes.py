"""Writes ../unicode16.txt, the ranges of code points that GPT-2's pattern calls \\p{L}, \\p{N} and \\s.

Each code point is put behind a letter, a digit and an exclamation mark, and Hugging Face tokenizers 0.23.3 is asked whether
it splits the two: what belongs to no class of the three is white space. tiktoken 0.14.0, asked the same way, gave the same
answer for every code point; both follow Unicode 16. (regex 2026.11.15 follows a newer Unicode and differs in 53 ranges,
all newly assigned.)

    pip install tokenizers==0.23.3 && python make_classes.py
"""
import pathlib

from tokenizers import pre_tokenizers

split = pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str


def class_of(code_point):
    for name, before in (("L", "a"), ("N", "1"), ("other", "!")):
        if len(split(before + chr(code_point))) == 1:
            return name
    return "S"


ranges = []
for c in range(0x110000):
    name = "other" if 0xD800 <= c <= 0xDFFF else class_of(c)
    if ranges and ranges[-1][0] == name and ranges[-1][2] == c - 1:
        ranges[-1][2] = c
    elif name != "other":
        ranges.append([name, c, c])
text = "".join(f"{name} {first:X} {last:X}\n" for name, first, last in ranges)
pathlib.Path(__file__).parent.parent.joinpath("unicode16.txt").write_text(text)
