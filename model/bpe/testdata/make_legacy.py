"""Writes legacy.json and legacy.jsonl with Hugging Face tokenizers 0.13.3, which wrote merge rules as "a b".

    pip install tokenizers==0.13.3 && python make_legacy.py
"""
import json
import pathlib

from tokenizers import ByteLevelBPETokenizer

HERE = pathlib.Path(__file__).parent
t = ByteLevelBPETokenizer()
t.train([str(HERE / "english.txt")], vocab_size=400, min_frequency=2, show_progress=False, special_tokens=["<pad>", "<|endoftext|>"])
t.save(str(HERE / "legacy.json"), pretty=False)
texts = ["First Citizen:\nBefore we proceed", "<pad><|endoftext|>a<pad> b", "caf\u00e9 \u4e2d\u6587\n\n  x"]
rows = (json.dumps({"text": x, "ids": t.encode(x).ids}) + "\n" for x in texts)
HERE.joinpath("legacy.jsonl").write_text("".join(rows))
