"""Tiny token classifiers, and what the tests of the task share."""

from types import SimpleNamespace

WORDS = ["sarah", "par", "##ker", "lives", "in", "new", "york", "##shire", "un", "##believ", "##able", *"-,.'t", "don"]
NAMES = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
TEXTS = [
    "Sarah Parker lives in New Yorkshire.",
    "unbelievable, un-believable parker-yorkshire don't xyz 🙂 par",
    "  new   york\tin\nin ",
    "[MASK] sarah [SEP] parker",
    "sarah parkerker " * 5,
]


def labels(names):
    return {"id2label": dict(enumerate(names)), "label2id": {name: at for at, name in enumerate(names)}}


def bert(names=NAMES, positions=64):
    """Two random layers over a small vocabulary of pieces."""
    import torch
    from transformers import BertConfig, BertForTokenClassification, BertTokenizer

    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=positions, initializer_range=0.5, **labels(names),
    )  # fmt: skip
    network = BertForTokenClassification(config).eval()
    processor = BertTokenizer(vocab={token: at for at, token in enumerate(vocabulary)}, do_lower_case=True)
    return SimpleNamespace(network=network, processor=processor, config=config, name="tiny", context=positions)


def byte_level():
    """A vocabulary in which a word after a space is another token, without any sign for pieces inside words."""
    import torch
    from tokenizers import ByteLevelBPETokenizer
    from transformers import GPT2Config, GPT2ForTokenClassification, PreTrainedTokenizerFast

    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(TEXTS, vocab_size=300, special_tokens=["<pad>"], show_progress=False)
    processor = PreTrainedTokenizerFast(tokenizer_object=trained._tokenizer, pad_token="<pad>")
    torch.manual_seed(1)
    config = GPT2Config(
        vocab_size=len(processor), n_positions=256, n_embd=32, n_layer=2, n_head=2, initializer_range=0.5,
        bos_token_id=0, eos_token_id=0, pad_token_id=0, **labels(NAMES),
    )  # fmt: skip
    network = GPT2ForTokenClassification(config).eval()
    return SimpleNamespace(network=network, processor=processor, config=config, name="bytes", context=256)
