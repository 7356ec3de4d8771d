"""What the tests of backends share: a vocabulary, and ways to change files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

POEMS = "床前明月光疑是地上霜举头望低思故乡白日依山尽黄河入海流欲穷千里目更一层楼"
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *dict.fromkeys(POEMS), "，", "。"]


def edit(path: Path, **changes: Any) -> None:
    """Change values of a JSON file; None removes one."""
    content = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def wide_head(folder: Path) -> None:
    """Give the first block's attention another width in the weights."""
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    weights["transformer.h.0.attn.c_proj.weight"] = weights["transformer.h.0.attn.c_proj.weight"][:, :8].contiguous()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
