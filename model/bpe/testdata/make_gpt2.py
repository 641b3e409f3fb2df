"""Writes ../gpt2.merges from GPT-2's encoder.json and vocab.bpe, which OpenAI publishes under the MIT licence (LICENSE-gpt2).

The file holds GPT-2's 50,000 merge rules in order, each as the two ids it merges (uint16, little endian); the rule at
position k makes id 256+k. Ids 0 to 255 are the bytes in the order of the byte-level alphabet, 50256 is <|endoftext|>.

    python make_gpt2.py encoder.json vocab.bpe
"""
import json
import pathlib
import struct
import sys

encoder = json.load(open(sys.argv[1], encoding="utf-8"))
lines = open(sys.argv[2], encoding="utf-8").read().split("\n")[1:]
packed = b""
for k, line in enumerate(line for line in lines if line):
    left, right = line.split(" ")
    assert encoder[left + right] == 256 + k
    packed += struct.pack("<HH", encoder[left], encoder[right])
assert len(packed) == 50000 * 4 and encoder["<|endoftext|>"] == 50256
pathlib.Path(__file__).parent.parent.joinpath("gpt2.merges").write_bytes(packed)
