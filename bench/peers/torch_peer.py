#!/usr/bin/env python3
"""PyTorch transformers on the same weights and prompt ids, for bench/gpu.sh: prints lines of bench/result.ts.

    python3 bench/peers/torch_peer.py MODEL_DIR [--prompt 512] [--tokens 128] [--trials 5]

Prefill is one forward of the prompt with the logits of its last position; decoding is greedy, a token at a time, after 128.
"""
import argparse
import datetime
import json
import os
import statistics
import sys
import time

import torch
from transformers import LlamaForCausalLM

AFTER = 128


def prompt_ids(count, vocab):
    """As in bench/peers/peers.ts."""
    return [3 + (i * 7919 + 13 * i * i + 101) % (vocab - 3) for i in range(count)]


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("model")
    ap.add_argument("--prompt", type=int, default=512)
    ap.add_argument("--tokens", type=int, default=128)
    ap.add_argument("--trials", type=int, default=5)
    a = ap.parse_args()
    if not torch.cuda.is_available():
        sys.exit("PyTorch sees no CUDA device")
    model = LlamaForCausalLM.from_pretrained(a.model, torch_dtype=torch.float16).eval().cuda()
    vocab = model.config.vocab_size
    name = os.path.basename(os.path.normpath(a.model))

    @torch.inference_mode()
    def run(count, steps):
        ids = torch.tensor([prompt_ids(count, vocab)], device="cuda")
        torch.cuda.synchronize()
        start = time.perf_counter()
        out = model.model(ids, use_cache=True)
        token = model.lm_head(out.last_hidden_state[:, -1:]).argmax(-1)
        found = [token.item()]
        first = time.perf_counter()
        for _ in range(steps):
            out = model.model(token, past_key_values=out.past_key_values, use_cache=True)
            token = model.lm_head(out.last_hidden_state[:, -1:]).argmax(-1)
            found.append(token.item())
        return (first - start) * 1000, (time.perf_counter() - first) * 1000, found

    run(AFTER, 2)
    run(a.prompt, 0)
    date = os.environ.get("LLARIAT_BENCH_DATE") or datetime.datetime.now(datetime.timezone.utc).isoformat()
    base = {"bench": "peers", "shape": name, "model": name, "engine": f"torch {torch.__version__}", "on": "gpu",
            "format": "f16", "trials": a.trials, "adapter": torch.cuda.get_device_name(), "driver": "CUDA",
            "commit": "unknown", "date": date, "load": round(os.getloadavg()[0], 2)}
    for kernel, count, steps in ((f"pp{a.prompt}", a.prompt, 0), (f"tg{a.tokens}", AFTER, a.tokens)):
        runs = [run(count, steps) for _ in range(a.trials)]
        times = [first if steps == 0 else rest / steps for first, rest, _ in runs]
        ms = statistics.median(times)
        print(json.dumps({**base, "kernel": kernel, "ms": round(ms, 4), "best": round(min(times), 4),
                          "spread": round((max(times) - min(times)) / ms, 3),
                          "tokensPerSecond": round(1000 * (count if steps == 0 else 1) / ms, 2),
                          "ids": runs[0][2][:16]}), flush=True)


if __name__ == "__main__":
    main()
