
"use strict";
const part = (id) => document.getElementById(id);
const shown = 12; // labels that are shown at first
const kept = 10; // earlier texts that are listed
let turn = 0; // counts what was asked, so that a late answer does not replace a newer one

// make gives an element with a class and a text. Texts are never read as HTML.
function make(tag, name, text) {
  const element = document.createElement(tag);
  element.className = name;
  if (text !== undefined) element.textContent = text;
  return element;
}

// percent writes a probability with one decimal, and never rounds to a certainty that the model does not have.
function percent(p) {
  if (p > 0 && p < 0.001) return "< 0.1 %";
  if (p < 1 && p > 0.999) return "> 99.9 %";
  return (100 * p).toFixed(1) + " %";
}

// ask gives the server's answer, or throws an error with the message that the server gave.
async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error("The server does not answer. Is it still running?");
  }
  let body = {};
  try {
    body = await response.json();
  } catch { /* the status says it */ }
  if (!response.ok) {
    const error = new Error(body.error?.message ?? `The server answered with status ${response.status}.`);
    error.code = body.error?.code;
    throw error;
  }
  return body;
}

// describe shows which model this is, and waits for one that is being loaded.
async function describe() {
  try {
    const model = (await ask("/v1/models")).data[0];
    const several = model.task === "multilabel";
    const names = model.labels.slice(0, shown).join(", ") + (model.labels.length > shown ? ", \u2026" : "");
    const count = model.labels.length + (model.labels.length === 1 ? " label" : " labels");
    part("model").textContent = model.id;
    document.title = model.id + " \u2013 atoll";
    part("facts").textContent = `${several ? "Any of" : "One of"} ${count} a text: ${names}. ` +
      `The first ${model.max_tokens.toLocaleString("en")} tokens of a text are read.`;
  } catch (error) {
    part("facts").textContent = error.message;
    if (error.code === "loading") setTimeout(describe, 1000);
  }
}

function bar(label, score, chosen) {
  const item = make("li", chosen ? "chosen" : "");
  const track = make("div", "track");
  const fill = make("div", "fill");
  fill.style.width = 100 * score + "%";
  track.append(fill);
  track.setAttribute("aria-hidden", "true"); // the number says it
  const name = make("span", "name", label);
  name.dir = "auto";
  item.append(name, track, make("span", "score", percent(score)));
  return item;
}

// verdict is a result in a few words.
function verdict(result) {
  if (!result.labels) return result.label;
  return result.labels.length ? result.labels.join(", ") : "none of the labels";
}

function show(text, answer, milliseconds) {
  const result = answer.data[0];
  const chosen = new Set(result.labels ?? [result.label]);
  const ranked = Object.entries(result.scores).sort((a, b) => b[1] - a[1]);
  part("verdict").textContent = verdict(result);
  part("bars").replaceChildren(...ranked.map(([label, score]) => bar(label, score, chosen.has(label))));
  const rest = [...part("bars").children].slice(shown);
  rest.forEach((item) => { item.hidden = true; });
  part("more").hidden = rest.length === 0;
  part("more").textContent = `Show ${rest.length} more labels`;
  part("more").onclick = () => {
    rest.forEach((item) => { item.hidden = false; });
    part("more").hidden = true;
  };
  part("notes").textContent = `${answer.usage.tokens.toLocaleString("en")} tokens in ${milliseconds} ms.` +
    (result.truncated ? " The text is longer than the model reads: its beginning was classified." : "");
  part("answer").hidden = false;
}

// remember lists a text and its result, for comparison; a click brings the text back.
function remember(text, answer) {
  const item = make("li", "");
  const button = make("button", "");
  const result = answer.data[0];
  button.type = "button";
  const excerpt = make("bdi", "excerpt", text.trim().slice(0, 200));
  button.append(excerpt, make("span", "result", verdict(result) + (result.score === undefined ? "" : " " + percent(result.score))));
  button.onclick = () => {
    part("text").value = text;
    part("text").focus();
    classify();
  };
  item.append(button);
  for (const old of [...part("earlier").children]) {
    if (old.dataset.text === text) old.remove();
  }
  item.dataset.text = text;
  part("earlier").prepend(item);
  while (part("earlier").children.length > kept) part("earlier").lastChild.remove();
  part("past").hidden = part("earlier").children.length < 2;
}

function refuse(message) {
  part("answer").hidden = true;
  part("error").textContent = message;
  part("error").hidden = false;
}

// busy marks that an answer is awaited. The button stays enabled, or it would lose the keyboard's focus.
function busy(is) {
  part("form").setAttribute("aria-busy", String(is));
  part("send").textContent = is ? "Classifying\u2026" : "Classify";
}

async function classify() {
  const text = part("text").value;
  if (text.trim() === "") {
    refuse("There is no text yet: write or paste some.");
    part("text").focus();
    return;
  }
  const mine = ++turn;
  const began = performance.now();
  busy(true);
  try {
    const answer = await ask("/v1/classify", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ input: text.toWellFormed?.() ?? text }),
    });
    if (mine !== turn) return;
    part("error").hidden = true;
    show(text, answer, Math.max(1, Math.round(performance.now() - began)));
    remember(text, answer);
  } catch (error) {
    if (mine === turn) refuse(error.message);
  } finally {
    if (mine === turn) busy(false);
  }
}

part("form").addEventListener("submit", (event) => {
  event.preventDefault();
  classify();
});
part("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    classify();
  }
});
part("clear").addEventListener("click", () => {
  turn++;
  part("text").value = "";
  part("answer").hidden = part("error").hidden = true;
  busy(false);
  part("text").focus();
});
part("command").textContent = `curl ${location.origin}/v1/classify -H 'Content-Type: application/json' \\\n  -d '{"input": ["a text", "another text"]}'`;
describe();
