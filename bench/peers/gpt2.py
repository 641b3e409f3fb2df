"""GPT-2 in plain PyTorch: nn.Linear, fused attention and fused GELU, as fast as eager mode runs it.

Transformers' own model computes its GELU from eight separate operations, which would flatter whoever is compared with it.
"""

import argparse

import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    """Attention and feed-forward, each behind a layer norm, each added to its input: [B, T, C] -> [B, T, C]."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.attention_out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        B, T, C = x.shape
        q, k, v = (part.view(B, T, self.heads, C // self.heads).transpose(1, 2) for part in self.qkv(self.ln_1(x)).split(C, dim=2))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.attention_out(mixed.transpose(1, 2).reshape(B, T, C))
        return x + self.down(F.gelu(self.up(self.ln_2(x)), approximate="tanh"))


class GPT2(nn.Module):
    """Token ids and the ids that follow them, [B, T] both, to the mean cross-entropy in nats. The head is tied."""

    def __init__(self, layers: int, width: int, heads: int, vocab: int, positions: int) -> None:
        super().__init__()
        self.token, self.position = nn.Embedding(vocab, width), nn.Embedding(positions, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        for name, parameter in self.named_parameters():
            if parameter.ndim >= 2:
                residual = name.endswith(("attention_out.weight", "down.weight"))
                nn.init.normal_(parameter, std=0.02 / (2 * layers) ** 0.5 if residual else 0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        x = self.token(inputs) + self.position(torch.arange(inputs.shape[1], device=inputs.device))
        for block in self.blocks:
            x = block(x)
        logits = F.linear(self.norm(x), self.token.weight)
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def build(options: argparse.Namespace) -> GPT2:
    """The model that the options of measure.add_model_options describe."""
    return GPT2(options.layers, options.width, options.heads, options.vocab, options.seq)


def adamw(model: nn.Module, rate: float, betas: tuple[float, float]) -> torch.optim.AdamW:
    """AdamW with decay 0.1 on tensors of rank 2 and more, in PyTorch's fused kernel."""
    groups = [dict(params=[p for p in model.parameters() if p.ndim >= 2], weight_decay=0.1),
              dict(params=[p for p in model.parameters() if p.ndim < 2], weight_decay=0.0)]
    return torch.optim.AdamW(groups, lr=rate, betas=betas, fused=True)
