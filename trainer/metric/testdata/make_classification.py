"""Makes classification.json and multilabel.json: scikit-learn's answers.

Run with scikit-learn 1.9.1 and numpy: python make_classification.py
"""
import json
import warnings

import numpy as np
from sklearn import metrics
from sklearn.calibration import calibration_curve

warnings.filterwarnings("ignore")
rng = np.random.default_rng(7)


def averages(y, p, **kw):
    out = {}
    for how in ("macro", "micro", "weighted"):
        pr, rc, f1, _ = metrics.precision_recall_fscore_support(
            y, p, average=how, zero_division=0, **kw)
        out[how] = [float(pr), float(rc), float(f1)]
    return out


def per_class(y, p, **kw):
    return [list(map(float, row)) for row in zip(
        *metrics.precision_recall_fscore_support(y, p, zero_division=0, **kw))]


def ece(conf, right):
    """Guo et al. 2017 with 15 bins (lo, hi], in plain numpy."""
    edges = np.linspace(0, 1, 16)
    total = 0.0
    for i, (lo, hi) in enumerate(zip(edges[:-1], edges[1:])):
        inside = ((conf > lo) if i else (conf >= lo)) & (conf <= hi)
        if inside.any():
            total += abs(conf[inside].mean() - right[inside].mean()) * inside.mean()
    return float(total)


def reliability(conf, right):
    true, mean = calibration_curve(right, conf, n_bins=15, strategy="uniform")
    return [[float(a), float(b)] for a, b in zip(mean, true)]


def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return (e / e.sum(1, keepdims=True)).astype(np.float32)


def single(name, classes, n, targets, boost):
    y = rng.choice(targets, n)
    z = rng.normal(0, 1.5, (n, classes))
    z[np.arange(n), y] += boost
    q = softmax(z)
    if name == "a zero probability":
        q[0] = 0
        q[0, (y[0] + 1) % classes] = 1
    if name == "a class never predicted":
        q[:, 1] *= np.float32(0.01)
    p = q.argmax(1)
    conf, right = q.max(1).astype(np.float64), (p == y).astype(np.float64)
    return {
        "name": name, "classes": classes, "targets": y.tolist(),
        "probabilities": q.astype(float).tolist(),
        "accuracy": float(metrics.accuracy_score(y, p)),
        "log_loss": float(-np.log(np.clip(q, 2.0**-23, 1 - 2.0**-23, dtype=np.float64)[np.arange(n), y]).mean()),
        "sklearn_log_loss": float(metrics.log_loss(y, q, labels=list(range(classes)))),
        "ece": ece(conf, right), "reliability": reliability(conf, right),
        "per_class": per_class(y, p, labels=list(range(classes))),
        "confusion": metrics.confusion_matrix(y, p, labels=list(range(classes))).tolist(),
        **averages(y, p),
    }


def multi(name, classes, n, threshold, rare):
    y = (rng.random((n, classes)) < 0.3).astype(int)
    if rare:
        y[:, 0] = 0
    z = rng.normal(-0.5, 1.2, (n, classes)) + 1.5 * y
    q = (1 / (1 + np.exp(-z))).astype(np.float32)
    p = (q >= np.float32(threshold)).astype(int)
    flat = q.ravel().astype(np.float64)
    return {
        "name": name, "classes": classes, "threshold": threshold,
        "targets": [np.flatnonzero(r).tolist() for r in y],
        "probabilities": q.astype(float).tolist(),
        "subset_accuracy": float(metrics.accuracy_score(y, p)),
        "hamming_loss": float(metrics.hamming_loss(y, p)),
        "log_loss": float(metrics.log_loss(y.ravel(), flat, labels=[0, 1])),
        "ece": ece(flat, y.ravel().astype(np.float64)),
        "reliability": reliability(flat, y.ravel()),
        "per_class": per_class(y, p), **averages(y, p),
    }


def write(path, cases):
    with open(path, "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")


write("classification.json", [
    single("two classes", 2, 60, [0, 1], 1.0),
    single("four classes", 4, 120, [0, 1, 2, 3], 1.5),
    single("an absent class", 4, 60, [0, 1, 3], 6.0),
    single("a class never predicted", 3, 60, [0, 1, 2], 1.0),
    single("a zero probability", 3, 20, [0, 1, 2], 1.0),
])
write("multilabel.json", [
    multi("threshold 0.5", 5, 60, 0.5, False),
    multi("threshold 0.3, a label without a document", 4, 60, 0.3, True),
])
