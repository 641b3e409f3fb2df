"""GPT-2's vocabulary from atoll's own file of merge rules, so that tiktoken and tokenizers need no network."""

import struct
from pathlib import Path

MERGES = Path(__file__).parents[2] / "model" / "bpe" / "gpt2.merges"
PATTERN = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"""
END_OF_TEXT = "<|endoftext|>"


def byte_characters() -> dict[int, str]:
    """The printable character that stands for each byte, in the order of GPT-2's first 256 ids."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(0x100 + n) for n, byte in enumerate(others)}


def tokens() -> list[bytes]:
    """The bytes of each id, <|endoftext|> left out."""
    known = [bytes([byte]) for byte in byte_characters()]
    for left, right in struct.iter_unpack("<HH", MERGES.read_bytes()):
        known.append(known[left] + known[right])
    return known


def tiktoken_encoding():
    """GPT-2's encoding for tiktoken."""
    import tiktoken

    ranks = {token: rank for rank, token in enumerate(tokens())}
    return tiktoken.Encoding("gpt2", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens={END_OF_TEXT: len(ranks)})


def tokenizer():
    """GPT-2's tokenizer for Hugging Face tokenizers."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    characters = byte_characters()
    written = ["".join(characters[byte] for byte in token) for token in tokens()]
    vocabulary = {token: rank for rank, token in enumerate(written)} | {END_OF_TEXT: len(written)}
    merges = [(written[left], written[right]) for left, right in struct.iter_unpack("<HH", MERGES.read_bytes())]
    made = Tokenizer(models.BPE(vocabulary, merges))
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    made.add_special_tokens([AddedToken(END_OF_TEXT, special=True)])
    return made
