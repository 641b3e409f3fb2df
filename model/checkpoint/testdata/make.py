"""Makes the files beside it with Hugging Face's own safetensors library (made with 0.8.0, numpy 2, ml_dtypes).

usage: make.py DIRECTORY
dtypes.safetensors   one tensor of each element type; value i of a float tensor is (i - 5) * 0.375, of an integer one i - 5 (U8: i)
half.safetensors     every 13th of the 65536 halves as F16 and what numpy widens them to as F32
old/                 GPT-2 as OpenAI's first upload names it: no "transformer.", attention masks, lm_head a copy of wte
shards/              the same weights under today's names, in two files with an index
Weights: value i of the tensor at place t in the sorted names is t + i / 1024.
"""
import json, os, sys
import ml_dtypes, numpy as np
from safetensors.numpy import save_file

out = sys.argv[1]
floats = {"F32": np.float32, "F16": np.float16, "BF16": ml_dtypes.bfloat16, "F64": np.float64}
integers = {"I64": np.int64, "I32": np.int32, "U8": np.uint8}
ramp = np.arange(12).reshape(3, 4)
dtypes = {name.lower(): ((ramp - 5) * 0.375).astype(kind) for name, kind in floats.items()}
dtypes |= {name.lower(): (ramp if name == "U8" else ramp - 5).astype(kind) for name, kind in integers.items()}
dtypes |= {"scalar": np.array(2.5, np.float32), "empty": np.zeros((0, 3), np.float32)}
save_file(dtypes, f"{out}/dtypes.safetensors", metadata={"format": "np", "note": "größe"})

half = np.arange(0, 65536, 13, dtype=np.uint16).view(np.float16)
save_file({"half": half, "single": half.astype(np.float32)}, f"{out}/half.safetensors")

V, P, C, L, I = 11, 6, 4, 2, 16
shapes = {"wte.weight": (V, C), "wpe.weight": (P, C), "ln_f.weight": (C,), "ln_f.bias": (C,)}
for layer in range(L):
    for name, shape in {"ln_1.weight": (C,), "ln_1.bias": (C,), "attn.c_attn.weight": (C, 3 * C), "attn.c_attn.bias": (3 * C,),
                        "attn.c_proj.weight": (C, C), "attn.c_proj.bias": (C,), "ln_2.weight": (C,), "ln_2.bias": (C,),
                        "mlp.c_fc.weight": (C, I), "mlp.c_fc.bias": (I,), "mlp.c_proj.weight": (I, C), "mlp.c_proj.bias": (C,)}.items():
        shapes[f"h.{layer}.{name}"] = shape
weights = {name: (t + np.arange(np.prod(shapes[name])) / 1024).astype(np.float32).reshape(shapes[name]) for t, name in enumerate(sorted(shapes))}
config = dict(model_type="gpt2", architectures=["GPT2LMHeadModel"], vocab_size=V, n_positions=P, n_ctx=P, n_embd=C, n_layer=L, n_head=2)

def write_config(folder):
    os.makedirs(f"{out}/{folder}", exist_ok=True)
    with open(f"{out}/{folder}/config.json", "w") as f:
        json.dump(config, f, indent=1)

write_config("old")
masks = {f"h.{layer}.attn.bias": np.tril(np.ones((1, 1, P, P), np.uint8)) for layer in range(L)}
masks |= {f"h.{layer}.attn.masked_bias": np.array(-1e4, np.float32) for layer in range(L)}
save_file(weights | masks | {"lm_head.weight": weights["wte.weight"].copy()}, f"{out}/old/model.safetensors", metadata={"format": "pt"})

write_config("shards")
full = {"transformer." + name: value for name, value in weights.items()}
names, where = sorted(full), {}
for part, chosen in enumerate((names[:9], names[9:]), 1):
    file = f"model-{part:05d}-of-00002.safetensors"
    save_file({n: full[n] for n in chosen}, f"{out}/shards/{file}", metadata={"format": "pt"})
    where |= {n: file for n in chosen}
with open(f"{out}/shards/model.safetensors.index.json", "w") as f:
    json.dump(dict(metadata=dict(total_size=sum(v.nbytes for v in full.values())), weight_map=where), f, indent=1)
