"""Writes golden.json: values of PyTorch for the tests of kernels/ref.

    python golden.py > golden.json

Inputs are float32 from a fixed seed; everything is computed in float64. golden.json was made with PyTorch 2.15.0.
"""
import json
import math

import torch
import torch.nn.functional as F

torch.manual_seed(20)


def random(*shape, scale=1.0):
    return ((torch.rand(*shape) * 2 - 1) * scale).double().requires_grad_()


def flat(x):
    return [float(f"{v:.9g}") for v in x.detach().double().flatten().tolist()]


def case(**values):
    return {name: flat(v) if torch.is_tensor(v) else v for name, v in values.items()}


def layernorm():
    x, g, b, dy = random(6, 33, scale=3), random(33), random(33), random(6, 33)
    out = F.layer_norm(x, (33,), g, b, 1e-5)
    out.backward(dy)
    return case(x=x, g=g, b=b, dy=dy, out=out, dx=x.grad, dg=g.grad, db=b.grad)


def linear():
    x, w, b, dy = random(5, 17), random(17, 13), random(13), random(5, 13)
    pre = x @ w + b
    pre.retain_grad()
    out = F.gelu(pre, approximate="tanh")
    out.backward(dy)
    return case(x=x, w=w, b=b, dy=dy, pre=pre, out=out, dpre=pre.grad, dx=x.grad, dw=w.grad, db=b.grad)


def attention():
    B, T, C, H = 2, 9, 24, 3
    qkv, dout = random(B, T, 3 * C, scale=2), random(B, T, C)
    q, k, v = (part.view(B, T, H, C // H).transpose(1, 2) for part in qkv.split(C, dim=2))
    scores = (q @ k.transpose(2, 3) / math.sqrt(C // H)).masked_fill(torch.ones(T, T).triu(1).bool(), -math.inf)
    out = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(B, T, C)
    out.backward(dout)
    return case(qkv=qkv, dout=dout, out=out, lse=scores.logsumexp(3), dqkv=qkv.grad)


def head():
    N, C, V = 7, 8, 50
    h, wte = random(N, C, scale=2), random(V, C)
    targets = torch.tensor([3, 49, -1, 0, 17, -1, 3])
    rows = F.cross_entropy(h @ wte.T, targets, ignore_index=-1, reduction="none")
    loss = rows.sum() / 5
    loss.backward()
    return case(h=h, wte=wte, targets=targets.tolist(), rows=rows, loss=loss, dh=h.grad, dwte=wte.grad)


def class_loss():
    logits, weights = random(6, 5, scale=3), random(5).detach() + 1.5
    labels = torch.tensor([0, 4, 2, -1, 2, 1])
    rows = F.cross_entropy(logits, labels, weight=weights, ignore_index=-1, reduction="none")
    loss = rows.sum() / 5
    loss.backward()
    return case(logits=logits, weights=weights, labels=labels.tolist(), rows=rows, loss=loss, dlogits=logits.grad)


def binary_loss():
    logits, weights = random(4, 6, scale=3), random(6).detach() + 1.5
    targets = (random(4, 6) > 0).double()
    loss = F.binary_cross_entropy_with_logits(logits, targets, pos_weight=weights)
    loss.backward()
    return case(logits=logits, weights=weights, targets=targets, loss=loss, dlogits=logits.grad)


def adamw():
    start, gradients = random(11), [random(11, scale=s).detach() for s in (3, 0.1, 1)]
    w = start.detach().clone().requires_grad_()
    optimizer = torch.optim.AdamW([w], lr=0.02, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)
    weights, norms = [], []
    for g in gradients:
        w.grad = g.clone()
        norms.append(torch.nn.utils.clip_grad_norm_([w], 1.0))
        optimizer.step()
        weights.append(w.detach().clone())
    return case(w=start, grads=torch.stack(gradients), weights=torch.stack(weights), norms=torch.stack(norms))


print(json.dumps({"layernorm": layernorm(), "linear": linear(), "attention": attention(), "head": head(),
                  "class": class_loss(), "binary": binary_loss(), "adamw": adamw()}))
