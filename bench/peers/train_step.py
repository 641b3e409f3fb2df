"""One AdamW training step of GPT-2 in plain PyTorch, timed. The last line is JSON."""

import argparse

import torch

import gpt2
import measure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    measure.add_model_options(parser)
    options = parser.parse_args()
    measure.prepare(options)

    model = gpt2.build(options)
    optimizer = gpt2.adamw(model, rate=3e-4, betas=(0.9, 0.95))
    forward = torch.compile(model) if options.mode == "compile" else model
    tokens = torch.randint(options.vocab, (options.batch, options.seq + 1))
    inputs, targets = tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()

    def step() -> float:
        with measure.autocast(options.precision):
            loss = forward(inputs, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    first, seconds = measure.seconds_per_step(step, options.steps)
    measure.report(options, tokens_per_second=options.batch * options.seq / seconds, milliseconds=seconds * 1e3,
                   first_step_seconds=first, loss=step())


if __name__ == "__main__":
    main()
