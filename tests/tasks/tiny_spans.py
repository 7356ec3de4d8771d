"""A tiny network that finds answers in texts, and rows for it."""

from types import SimpleNamespace

WORDS = ["who", "lives", "where", "sarah", "par", "##ker", "in", "new", "york", "##shire", *"?.,abcdefgh", "##b", "##c"]
CONTEXT = "Sarah Parker lives in New Yorkshire. "


def bert():
    """Two random layers over a small vocabulary of pieces."""
    import torch
    from transformers import BertConfig, BertForQuestionAnswering, BertTokenizer

    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=64, initializer_range=0.5,
    )  # fmt: skip
    network = BertForQuestionAnswering(config).eval()
    processor = BertTokenizer(vocab={token: at for at, token in enumerate(vocabulary)}, do_lower_case=True)
    return SimpleNamespace(network=network, processor=processor, config=config, name="tiny", context=64)


def answered(text, start, context=CONTEXT, **more):
    return {"place": "x.jsonl:1", "question": "who", "context": context,
            "answers": {"text": [text], "answer_start": [start]}} | more  # fmt: skip
