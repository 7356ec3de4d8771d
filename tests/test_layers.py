"""A lower layer never imports a higher one; what is heavy is imported where it is needed."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent / "runner"
LAYERS = [  # from the lowest
    ("", "errors", "types", "client", "files", "stop", "quiet", "decode", "build", "grammar", "guard", "usage", "task",
     "config", "secret", "fingerprint", "cjk", "peak"),
    ("encode", "metrics", "data"),
    ("engine",),
    ("interpret", "teach", "backends", "naming", "predictions", "record", "manifest"),
    ("answered", "prompts", "predict", "train", "report", "log", "introduction"),
    ("running", "phrase", "reading", "loading", "quantizing", "training", "answering", "kept"),
    ("experiment",),
    ("compose", "mistakes", "api", "terminal", "summary"),
    ("sweep",),
    ("__main__",),
]  # fmt: skip
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
HEAVY = {
    "torch",
    "transformers",
    "datasets",
    "pyarrow",
    "pandas",
    "numpy",
    "accelerate",
    "huggingface_hub",
    "safetensors",
}
MAY_BE_HEAVY = ("engine", "backends", "train")
FILES = sorted(ROOT.rglob("*.py"))


def room(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return "" if parts == ("__init__",) else parts[0]


def imports(nodes):
    """(module, whether it is imported with the file) of every import but those for type checkers."""
    for node in nodes:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from [f"runner.{n.name}" for n in node.names] if node.module == "runner" else [node.module]
        else:
            yield from imports(ast.iter_child_nodes(node))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_its_own_layer_and_lower_ones(path):
    own = LEVEL[room(path)]
    for module in imports(ast.parse(path.read_text()).body):
        package, _, rest = module.partition(".")
        if package == "runner" and room(path):
            name = rest.partition(".")[0]
            assert LEVEL[name if name in LEVEL else ""] <= own, f"{path.name} imports {module}"


@pytest.mark.parametrize("path", [path for path in FILES if room(path) not in MAY_BE_HEAVY],
                         ids=lambda path: str(path.relative_to(ROOT)))  # fmt: skip
def test_heavy_packages_are_imported_with_the_file_only_where_networks_live(path):
    body = [node for node in ast.parse(path.read_text()).body if not isinstance(node, ast.FunctionDef | ast.ClassDef)]
    assert not {module.partition(".")[0] for module in imports(body)} & HEAVY


def test_every_file_has_a_layer():
    assert {room(path) for path in FILES} <= set(LEVEL)
