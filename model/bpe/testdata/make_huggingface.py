"""Writes the goldens of this folder with Hugging Face tokenizers 0.23.3, tiktoken 0.14.0 and regex 2026.11.15.

    pip install tokenizers==0.23.3 tiktoken==0.14.0 regex==2026.11.15
    python make_huggingface.py encoder.json vocab.bpe

english.txt is the start of tinyshakespeare (public domain), chinese.txt the start of THUCNews headlines (MIT licence).

english.json, chinese.json   tokenizers trained on them, as Tokenizer.save writes them
english.jsonl, chinese.jsonl texts with the ids that these give
random.jsonl                 random texts with GPT-2's ids; Hugging Face and tiktoken must agree
splits.jsonl                 random texts with their words by GPT-2's pattern; Hugging Face and regex must agree

It also loads atoll.json, which TestMarshalJSON keeps up to date, and fails if Hugging Face does not give the ids of
english.json with it.
"""
import json
import pathlib
import random
import sys

import regex
import tiktoken
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

HERE = pathlib.Path(__file__).parent
PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
END = "<|endoftext|>"
rng = random.Random(3)


def write(name, rows):
    lines = (json.dumps(row) + "\n" for row in rows)
    HERE.joinpath(name).write_text("".join(lines), encoding="utf-8")


def byte_level(model):
    t = Tokenizer(model)
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    return t


def train(name, size):
    t = byte_level(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=size - 1, min_frequency=2, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    t.train_from_iterator([HERE.joinpath(name + ".txt").read_text(encoding="utf-8")], trainer)
    t.add_special_tokens([END])
    t.save(str(HERE / (name + ".json")), pretty=False)
    texts = [random_text() for _ in range(40)] + [END, "a" + END + END + " b", "<|endoftext", "To be, or not to be\n\n", "新闻标题"]
    write(name + ".jsonl", [{"text": x, "ids": t.encode(x).ids} for x in texts])
    return t


PIECES = ["'s", "'ll", "'", "'R", " ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u3000", "\u2028", "\x85", "\x1c", "the", " The", "ing",
          "1", "42", "\u0661", "\u00bd", "\u2167", "\u4e00", "\u4e2d\u6587", "\uff0c", "\u3002", "e\u0301", "\u00e9", "\u0928\u0940",
          "\U0001f469\u200d\U0001f4bb", "\U0001f600", "!", "?!", "...", "-", "_", "\x00", "\ufffd", "\ufeff", "\U0002a6d6", "\U00010400",
          "ab", "x", "Z", "\ua9cf", "\u200b", "\u180e", "\u1680", "\U0002ebf0", "<|", "|>"]


def random_text():
    pieces = rng.choices(PIECES, k=rng.randint(1, 12))
    pieces += [chr(c) for c in (rng.randrange(0x3400) for _ in range(rng.randint(0, 4)))]
    rng.shuffle(pieces)
    return "".join(pieces)


def long_text():
    alphabet = rng.choice(["ab", "etaoinshrdlu", "=", "\u4e2d\u56fd\u65b0\u95fb\u4eba", "0123456789", "ha"])
    return "".join(rng.choices(alphabet, k=rng.randint(80, 700)))


def gpt2(encoder, merges):
    hf = byte_level(models.BPE.from_file(encoder, merges))
    byte_of = {c: b for b, c in alphabet()}
    ranks = {bytes(byte_of[c] for c in token): rank for token, rank in json.load(open(encoder)).items() if token != END}
    tt = tiktoken.Encoding("gpt2", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens={})
    rows = []
    for text in [random_text() for _ in range(200)] + [long_text() for _ in range(30)]:
        ids = hf.encode(text).ids
        assert ids == tt.encode_ordinary(text), text
        rows.append({"text": text, "ids": ids})
    write("random.jsonl", rows)


def alphabet():
    printable = [b for b in range(256) if 33 <= b <= 126 or 161 <= b <= 172 or b >= 174]
    others = [b for b in range(256) if b not in printable]
    return [(b, chr(b)) for b in printable] + [(b, chr(256 + k)) for k, b in enumerate(others)]


def splits():
    rows = []
    split = byte_level(models.BPE()).pre_tokenizer.pre_tokenize_str
    while len(rows) < 400:
        text = random_text()
        words = [text[a:b] for _, (a, b) in split(text)]
        if words == regex.findall(PATTERN, text):  # not so only for letters that regex's newer Unicode has
            rows.append({"text": text, "words": words})
    write("splits.jsonl", rows)


english = train("english", 800)
train("chinese", 1200)
gpt2(sys.argv[1], sys.argv[2])
splits()
if HERE.joinpath("atoll.json").exists():
    atoll = Tokenizer.from_file(str(HERE / "atoll.json"))
    assert atoll.get_vocab() == english.get_vocab()
    for line in HERE.joinpath("english.jsonl").read_text().splitlines():
        row = json.loads(line)
        assert atoll.encode(row["text"]).ids == row["ids"], row
        assert atoll.decode(row["ids"], skip_special_tokens=False) == row["text"], row
    print("atoll.json equals english.json")
