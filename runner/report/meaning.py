"""What the numbers of a run mean, in a line each; true of every task that has a number of the name."""

from __future__ import annotations

MEANING = {
    "perplexity": "as unsure of each token as between so many equally likely ones; 1 is certainty",
    "pseudo_perplexity": "the same of hidden tokens, each guessed from both sides; not comparable with perplexity",
    "loss": "nats a token; the logarithm of perplexity",
    "bits_per_byte": "to store the texts with this model; comparable between tokenizers",
    "accuracy": "the share of guesses that were right, of tokens, rows or choices",
    "accuracy_5": "hidden tokens that were among the five most probable guesses",
    "token_accuracy": "words with the right tag; most are no part of an entity",
    "macro_f1": "F1 of each class, the mean of all; rare classes count as much as frequent ones",
    "micro_f1": "F1 over all labels of all rows together",
    "f1": "the harmonic mean of precision and recall",
    "precision": "of what was found, the share that is right",
    "recall": "of what is there, the share that was found",
    "mcc": "the correlation of guesses with classes; 0 is chance, 1 is all right",
    "auroc": "how often a right example is ranked above a wrong one; 0.5 is chance",
    "log_loss": "nats of surprise at the right answer; lower is better",
    "ece": "how far probabilities are from how often they are right, on average; 0 is best",
    "pearson": "how nearly guesses lie on a straight line with what is right; 1 is best",
    "spearman": "how nearly guesses are in the same order as what is right; 1 is best",
    "mse": "the mean squared distance from what is right; lower is better",
    "exact_match": "answers that are the same as a right one",
    "has_answer_exact_match": "the same, of questions that have an answer",
    "has_answer_f1": "F1 of the words, of questions that have an answer",
    "no_answer": "questions without an answer that were left empty",
    "well_formed": "answers in Chinese that keep the form of a quatrain or an octave",
    "bleu": "n-grams in common with the references, 0 to 100",
    "chrf": "n-grams of characters in common with the references, 0 to 100",
    "ter": "edits that would make the reference of the text, in per cent of its length; lower is better",
    "rouge1": "words in common with the reference",
    "rouge2": "pairs of words in common with the reference",
    "rougeL": "the longest common sequence of words with the reference",
    "rougeLsum": "the same, line by line",
    "ndcg_10": "how high the right documents rank among the first ten; 1 is first",
    "mrr": "one divided by the rank of the first right document, on average",
}


def meaning(name: str) -> str | None:
    """The meaning of a number; names that go on with a figure or a type follow a pattern."""
    if name in MEANING:
        return MEANING[name]
    first, _, rest = name.partition("_")
    if first == "recall" and rest.isdigit():
        return f"right documents that are among the first {rest}"
    if first == "f1" and rest:
        return f"F1 of the entities of type {rest[:40]}"
    return None
