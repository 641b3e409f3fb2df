"""What is compared: the rows of the project's table of CPU numbers, each with the command of atoll and of every peer.

A command is a list of words in which {atoll}, {python}, {peers}, {threads}, {steps}, {model}, {english} and {chinese} are replaced. What
it prints last is JSON; the row's field of it is the figure. An aim is the ratio that atoll is to reach, written as the two
figures it came from: what the peer gave on the machine where the project set its aims, and what atoll is to give there.
"""

from dataclasses import dataclass, field

GPT2 = dict(layers=12, width=768, heads=12, vocab=50257)
SIX = dict(layers=6, width=384, heads=6)
NANO = dict(layers=4, width=128, heads=4, vocab=256)
TINY = dict(layers=1, width=32, heads=2, vocab=300)


@dataclass(frozen=True)
class Contender:
    """One side of a row."""

    name: str
    command: list[str]
    needs: tuple[str, ...] = ()  # Python packages, by the name they are imported by
    aim: tuple[float, float] | None = None  # (the peer's figure, atoll's aim) where the project set them


@dataclass(frozen=True)
class Row:
    """Work that several do."""

    name: str
    work: str
    unit: str
    figure: str  # field of the JSON; wall_seconds is the time of the whole command
    atoll: list[str]
    peers: list[Contender]
    more_is_better: bool = True
    hidden: bool = False  # only run when it is named: it tries the driver itself
    limit: str = ""  # what limits it, of limit.KINDS
    setup: list[list[str]] = field(default_factory=list)  # commands that are run once before


def words(text: str) -> list[str]:
    return text.split()


def sizes(model: dict[str, int]) -> str:
    return " ".join(f"--{name} {value}" for name, value in model.items())


def train(name: str, work: str, model: dict[str, int], shape: tuple[int, int, str], aims: dict[str, tuple[float, float] | None], hidden: bool = False) -> Row:
    """An AdamW step against PyTorch; aims has an entry for each mode that is measured."""
    batch, seq, precision = shape
    common = f"--batch {batch} --seq {seq} --precision {precision} --threads {{threads}} --steps {{steps}}"
    own = "--model gpt2" if model == GPT2 else f"--model mini {sizes(model)}"
    peers = [Contender(f"PyTorch {mode}", words(f"{{python}} {{peers}}/train_step.py {sizes(model)} {common} --mode {mode}"), ("torch", "transformers"), aim)
             for mode, aim in aims.items()]
    return Row(name, f"training step, {work}, B{batch} T{seq}, {precision}", "tokens/s", "tokens_per_second",
               words(f"{{atoll}} bench train {own} {common} --device cpu --json"), peers, hidden=hidden, limit="training")


def classify(name: str, shape: tuple[int, int, str], peers: dict[str, tuple[float, float] | None], model: dict[str, int] = GPT2, hidden: bool = False,
             figure: str = "documents_per_second") -> Row:
    """Scoring of documents; peers names the runtimes of classify.py."""
    batch, seq, precision = shape
    common = f"--batch {batch} --seq {seq} --precision {precision} --threads {{threads}} --steps {{steps}}"
    own = "--model gpt2" if model == GPT2 else f"--model mini {sizes(model)}"
    names = {"torch": "PyTorch + Transformers", "onnx": "ONNX Runtime"}
    needs = {"torch": ("torch", "transformers"), "onnx": ("torch", "transformers", "onnx", "onnxscript", "onnxruntime")}
    return Row(name, f"classification, {batch} documents of {seq} tokens, {precision}", "documents/s" if figure.startswith("documents") else "ms", figure,
               words(f"{{atoll}} bench classify {own} {common} --device cpu --json"),
               [Contender(names[runtime], words(f"{{python}} {{peers}}/classify.py {sizes(model)} {common} --runtime {runtime}"), needs[runtime], aim)
                for runtime, aim in peers.items()], figure.startswith("documents"), hidden, "products")


def generate(name: str, what: str, precision: str, peers: dict[str, tuple[float, float] | None], model: dict[str, int] = GPT2, hidden: bool = False) -> Row:
    """One stream: 64 tokens one by one, or a prompt of 512."""
    own = "--model gpt2" if model == GPT2 else f"--model mini {sizes(model)}"
    seq, figure = (512, "prompt_tokens_per_second") if what == "prompt" else (4 if hidden else 64, "tokens_per_second")
    peer_shape = "--seq 512 --new 1" if what == "prompt" else f"--seq 8 --new {seq}"
    common = f"--precision {precision} --threads {{threads}}"
    scripts = {"Transformers": ("generate.py", ("torch", "transformers")), "llama.cpp": ("generate_llama.py", ("llama_cpp", "gguf")),
               "llama.cpp, plain": ("generate_llama.py --layout plain", ("llama_cpp", "gguf"))}
    work = f"a prompt of {seq} tokens" if what == "prompt" else f"decoding {seq} tokens"
    return Row(name, f"generation, one stream, {work}, {precision}", "tokens/s", figure,
               words(f"{{atoll}} bench generate {own} --batch 1 --seq {seq} {common} --steps {{steps}} --device cpu --json"),
               [Contender(peer, words(f"{{python}} {{peers}}/{scripts[peer][0]} {sizes(model)} {peer_shape} {common} --steps {{steps}}"), scripts[peer][1], aim)
                for peer, aim in peers.items()], hidden=hidden, limit="prompt" if what == "prompt" else "decoding")


def tokens(name: str, language: str, text: str, peers: dict[str, tuple[float, float] | None], hidden: bool = False) -> Row:
    """GPT-2's encoding: tiktoken on one thread, tokenizers and atoll on all."""
    commands = {"tiktoken, one thread": ("--library tiktoken", ("tiktoken",)), "tokenizers": ("--library tokenizers --threads {threads}", ("tokenizers",))}
    return Row(name, f"GPT-2's tokens of {language} text", "bytes/s", "bytes_per_second",
               words(f"{{atoll}} bench tokenize {text} --threads {{threads}} --steps {{steps}} --json"),
               [Contender(peer, words(f"{{python}} {{peers}}/tokens.py {text} {commands[peer][0]} --steps {{steps}}"), commands[peer][1], aim)
                for peer, aim in peers.items()], hidden=hidden)


FIRST_ANSWER = Row(
    "first-answer", "start of the command to the first answer, GPT-2 124M on disk", "s", "wall_seconds",
    words("{atoll} generate --model {model} --prompt The --max-tokens 1 --temperature 0 --threads {threads} --device cpu"),
    [Contender("Transformers", words("{python} {peers}/first_answer.py {model} --text The --threads {threads}"), ("torch", "transformers"))],
    more_is_better=False, setup=[words("{python} {peers}/random_model.py {model}")])

ROWS = [
    train("train-124m-t64-fp32", "GPT-2 124M", GPT2, (4, 64, "fp32"), {"eager": (177, 420), "compile": (184, 420)}),
    train("train-124m-t64-bf16", "GPT-2 124M", GPT2, (4, 64, "bf16"), {"eager": (409, 700), "compile": (446, 700)}),
    train("train-124m-t256-fp32", "GPT-2 124M", GPT2, (4, 256, "fp32"), {"eager": (166, 440)}),
    train("train-124m-t256-bf16", "GPT-2 124M", GPT2, (4, 256, "bf16"), {"eager": (369, 800)}),
    train("train-124m-t1024-bf16", "GPT-2 124M", GPT2, (2, 1024, "bf16"), {"eager": (411, 780)}),
    train("train-6x384-fp32", "6 layers, 384 wide, V 50257", SIX | {"vocab": 50257}, (8, 256, "fp32"), {"eager": (681, 1900), "compile": (936, 1900)}),
    train("train-6x384-bf16", "6 layers, 384 wide, V 50257", SIX | {"vocab": 50257}, (8, 256, "bf16"), {"eager": (1694, 3900), "compile": (2725, 3900)}),
    train("train-6x384-v256-fp32", "6 layers, 384 wide, V 256", SIX | {"vocab": 256}, (8, 256, "fp32"), {"eager": (2411, 5000), "compile": (2312, 5000)}),
    train("train-6x384-v256-bf16", "6 layers, 384 wide, V 256", SIX | {"vocab": 256}, (8, 256, "bf16"), {"eager": (5391, 8900), "compile": (5911, 8900)}),
    train("train-nanogpt-fp32", "4 layers, 128 wide, V 256 (nanoGPT's CPU example)", NANO, (12, 64, "fp32"), {"eager": (22652, 50000)}),
    classify("classify-fp32", (16, 128, "fp32"), {"torch": (7.5, 18.5), "onnx": (16.1, 18.5)}),
    classify("classify-bf16", (16, 128, "bf16"), {"torch": (22, 34)}),
    classify("classify-int8", (16, 128, "int8"), {"onnx": (39.7, 60)}),
    classify("classify-one-bf16", (1, 64, "bf16"), {"torch": (38, 16)}, figure="milliseconds"),
    generate("decode-fp32", "decode", "fp32", {"Transformers": (32, 82), "llama.cpp": (81.5, 82)}),
    generate("decode-bf16", "decode", "bf16", {"Transformers": (41, 158), "llama.cpp": (154, 158)}),
    generate("decode-int8", "decode", "int8", {"llama.cpp": (230, 260), "llama.cpp, plain": (230, 260)}),
    generate("prompt-fp32", "prompt", "fp32", {"Transformers": None, "llama.cpp": (1236, 2200)}),
    generate("prompt-bf16", "prompt", "bf16", {"Transformers": None, "llama.cpp": (2103, 4000)}),
    generate("prompt-int8", "prompt", "int8", {"llama.cpp": (1281, 6500), "llama.cpp, plain": (1281, 6500)}),
    FIRST_ANSWER,
    tokens("tokens-english", "English", "{english}", {"tiktoken, one thread": (19.6, 40), "tokenizers": (3.7, 40)}),
    tokens("tokens-chinese", "Chinese", "{chinese}", {"tiktoken, one thread": None, "tokenizers": None}),
    train("tiny-train", "1 layer, 32 wide", TINY, (2, 16, "fp32"), {"eager": None}, hidden=True),
    classify("tiny-classify", (2, 16, "fp32"), {"torch": None, "onnx": None}, TINY, hidden=True),
    generate("tiny-decode", "decode", "fp32", {"Transformers": None, "llama.cpp": None}, TINY, hidden=True),
    tokens("tiny-tokens", "English", "{english}", {"tiktoken, one thread": None, "tokenizers": None}, hidden=True),
]
