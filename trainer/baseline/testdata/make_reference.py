"""Makes reference.json: scikit-learn's vocabulary, idf and probabilities.

Run with scikit-learn 1.9.1: python make_reference.py SMS_TSV
SMS_TSV is the SMS Spam Collection (Almeida, Gomez Hidalgo and Yamakami, 2011;
https://archive.ics.uci.edu/dataset/228, CC BY 4.0): the first 150 messages are
the training texts and the next 30 the test texts, unchanged; see NOTICE. The
Chinese and Japanese sentences were written for this file.
"""
import json
import sys

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

rows = [line.rstrip("\n").split("\t", 1) for line in open(sys.argv[1], encoding="utf-8")]
texts = [r[1] for r in rows[:180]]
spam = [int(r[0] == "spam") for r in rows[:180]]

weather = ["今天天气很好，我们去公园。", "明天会下雨，记得带伞。", "北京的冬天非常冷。", "昨晚的风很大，早上有雾。",
           "今日は雨が降っています。", "週末は晴れるでしょう。", "Tomorrow 会有  大雪！", "夏天的太阳太热了。"]
food = ["这家面馆的牛肉面很好吃。", "我想喝一杯热茶。", "寿司を食べに行きましょう。", "晚饭做了鱼和米饭。",
        "このラーメンは美味しいです。", "早上吃了两个包子。", "水果店的苹果很甜。", "Coffee 不加糖，谢谢。"]
sport = ["他们赢了昨天的足球比赛。", "她每天早上跑五公里。", "篮球队训练很辛苦。", "サッカーの試合を見ました。",
         "游泳冠军打破了纪录。", "野球は人気があります。", "比赛以 3:2 结束。", "网球决赛在明天举行。"]
chinese = [t for group in zip(weather, food, sport) for t in group]
chinese_labels = [i % 3 for i in range(len(chinese))]


def vectorizer(analyzer):
    return TfidfVectorizer(analyzer=analyzer, ngram_range=(1, 2), sublinear_tf=True)


def regression():
    return LogisticRegression(C=10, tol=1e-10, max_iter=10000)


def case(name, analyzer, train, labels, test, classes, multi=False):
    v = vectorizer(analyzer)
    a, b = v.fit_transform(train), v.transform(test)
    if multi:
        y = np.zeros((len(train), classes), int)
        for i, ls in enumerate(labels):
            y[i, ls] = 1
        p = OneVsRestClassifier(regression()).fit(a, y).predict_proba(b)
    else:
        fit = regression().fit(a, [ls[0] for ls in labels])
        p = np.zeros((len(test), classes))
        p[:, fit.classes_] = fit.predict_proba(b)
    terms = v.get_feature_names_out().tolist()
    return {"name": name, "unit": analyzer, "classes": classes, "multi_label": multi,
            "train": train, "labels": labels, "test": test, "terms": terms,
            "idf": [float("%.14g" % x) for x in v.idf_], "probabilities": p.tolist()}


def kinds(text, label):
    """Labels by rule: spam, has a digit, asks, and one that no text has."""
    found = [0] if label else []
    return found + [1] * any(c.isdigit() for c in text) + [2] * ("?" in text)


def four(text, label):
    """Exclusive classes 0, 1 and 3 of 4: spam, a question, the rest."""
    return [0 if label else 1 if "?" in text else 3]


short = list(zip(texts[:70] + texts[150:165], spam[:70] + spam[150:165]))
cases = [
    case("two classes", "word", texts[:150], [[s] for s in spam[:150]], texts[150:] + ["", "zzz qqq"], 2),
    case("three of four classes", "word", [t for t, _ in short[:70]], [four(t, s) for t, s in short[:70]],
         [t for t, _ in short[70:]], 4),
    case("several labels", "word", [t for t, _ in short[:70]], [kinds(t, s) for t, s in short[:70]],
         [t for t, _ in short[70:]], 4, True),
    case("characters", "char", chinese[:18], [[c] for c in chinese_labels[:18]], chinese[18:], 3),
]
with open("reference.json", "w", encoding="utf-8") as f:
    f.write("[\n" + ",\n".join(json.dumps(c, ensure_ascii=False) for c in cases) + "\n]\n")
