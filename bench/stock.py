"""A sweep over decoding as people write it: plain Hydra and transformers, the model loaded in each job."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import hydra
import torch
from hydra.core.config_store import ConfigStore
from omegaconf import MISSING
from transformers import AutoModelForCausalLM, AutoTokenizer, set_seed


@dataclass
class Settings:
    """What is varied, and what is not."""

    model: str = MISSING
    prompts: str = MISSING
    answers: str = MISSING  # a folder
    batch: int = 8
    new_tokens: int = 24
    do_sample: bool = True
    temperature: float = 1.0
    top_p: float = 1.0
    seed: int = 0


ConfigStore.instance().store(name="stock", node=Settings)


@hydra.main(version_base="1.3", config_path=None, config_name="stock")
def main(settings: Settings) -> None:
    """One job: every prompt is gone on with."""
    torch.set_num_threads(1)
    set_seed(settings.seed)
    tokenizer = AutoTokenizer.from_pretrained(settings.model, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(settings.model, dtype=torch.float32).eval()
    sampling = {"temperature": settings.temperature, "top_p": settings.top_p, "top_k": 0} if settings.do_sample else {}
    prompts = Path(settings.prompts).read_text(encoding="utf-8").splitlines()
    texts = []
    for start in range(0, len(prompts), settings.batch):
        ids = tokenizer(prompts[start : start + settings.batch], return_tensors="pt", padding=True).input_ids
        ids = ids[:, :-1]  # without the [SEP] that ends a text; all prompts are of one length
        made = model.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=settings.do_sample, min_new_tokens=settings.new_tokens,
            max_new_tokens=settings.new_tokens, **sampling,
        )  # fmt: skip
        texts += tokenizer.batch_decode(made[:, ids.shape[1] :], skip_special_tokens=True)
    name = f"{settings.do_sample}-{settings.temperature}-{settings.top_p}.json"
    (Path(settings.answers) / name).write_text(json.dumps(texts, ensure_ascii=False))


if __name__ == "__main__":
    main()
