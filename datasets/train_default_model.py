"""Train the small English sentiment classifier that the package ships.

The student is a BERT of four layers, 128 wide, distilled from a larger fine-tuned one:

1. the teacher's vocabulary is pruned to the pieces met in the training split, the single
   ASCII characters, and the unseen words that the teacher feels strongest about;
2. the token and position embeddings start from a principal-component projection of the
   teacher's, everything else is random;
3. the training split makes a pool of sentences, spans and splices, with words swapped for
   near neighbours, then masked or deleted word by word, as an explainer does it;
4. the teacher labels the pool once, and the student learns its margins and pooled states.

The development split is only read for the accuracy printed at the end.

Usage
-----
python train_default_model.py --sst2 SST2_FOLDER --teacher TEACHER_FOLDER --output FOLDER
"""

import argparse
import json
import random
from pathlib import Path

import torch
from safetensors.torch import save
from torch.nn import functional
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    PreTrainedTokenizerFast,
)

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PUNCTUATION = "–—‘’“”…•£€"
PRIOR_WORDS = 8  # below this many visible words the teacher's own leaning is taken out


def read_rows(path, limit=None):
    """Read ``text<TAB>label`` rows into a list of texts and a list of integer labels."""
    rows = [line.rsplit("\t", 1) for line in path.read_text("utf-8").splitlines() if line]
    return [text for text, _ in rows[:limit]], [int(label) for _, label in rows[:limit]]


def batches(ids, size, rng=None):
    """Yield lists of indices of sequences of like length, shuffled when `rng` is given."""
    noise = rng.random if rng else float
    order = sorted(range(len(ids)), key=lambda i: len(ids[i]) + 2 * noise())
    chunks = [order[start : start + size] for start in range(0, len(order), size)]
    if rng:
        rng.shuffle(chunks)
    yield from chunks


def pad(ids):
    """Pad lists of ids with zeros (``[PAD]``) and return them with the attention mask."""
    lengths = torch.tensor([len(row) for row in ids])
    width = int(lengths.max())
    padded = torch.tensor([row + [0] * (width - len(row)) for row in ids])
    return padded, (torch.arange(width) < lengths[:, None]).long()


@torch.inference_mode()
def predict(model, ids, size=128):
    """Return the margins (positive minus negative logit) and the pooled states."""
    margins = torch.zeros(len(ids))
    pooled = torch.zeros(len(ids), model.config.hidden_size, dtype=torch.float16)
    for chunk in batches(ids, size):
        tokens, mask = pad([ids[i] for i in chunk])
        state = model.bert(input_ids=tokens, attention_mask=mask).pooler_output
        logits = model.classifier(state).float()
        margins[chunk] = logits[:, 1] - logits[:, 0]
        pooled[chunk] = state.half()
    return margins, pooled


def choose_vocabulary(tokenizer, teacher, texts, size):
    """Pick the pieces to keep; return them in the order of the teacher's vocabulary."""
    vocabulary = tokenizer.get_vocab()
    joined = [text.replace(" n't", "n't") for text in texts]
    seen = {i for row in tokenizer(texts + joined)["input_ids"] for i in row}
    keep = {token for token, i in vocabulary.items() if i in seen} | set(SPECIAL)
    for token in vocabulary:
        bare = token.removeprefix("##")
        if len(bare) == 1 and (bare.isascii() or bare in PUNCTUATION):
            keep.add(token)
    rest = [t for t in vocabulary if t not in keep and t.isascii() and t.isalpha()]
    start, end = vocabulary["[CLS]"], vocabulary["[SEP]"]
    margins, _ = predict(teacher, [[start, vocabulary[token], end] for token in rest])
    strength = (margins - margins.median()).abs()
    order = strength.argsort(descending=True)[: max(0, size - len(keep))]
    keep |= {rest[i] for i in order.tolist()}
    return SPECIAL + sorted(keep - set(SPECIAL), key=vocabulary.get)


def save_tokenizer(source, tokens, output):
    """Write the fast tokenizer of the kept pieces, otherwise as the teacher's."""
    ids = {token: i for i, token in enumerate(tokens)}
    spec = json.loads(source.backend_tokenizer.to_str())
    spec["truncation"] = spec["padding"] = None
    spec["model"]["vocab"] = ids
    spec["added_tokens"] = [
        {**token, "id": ids[token["content"]]} for token in spec["added_tokens"]
    ]
    for name, token in spec["post_processor"]["special_tokens"].items():
        token["ids"] = [ids[name]]
    compact = json.dumps(spec, ensure_ascii=False, separators=(",", ":"))
    (output / "tokenizer.json").write_text(compact + "\n", "utf-8")
    config = {f"{token[1:-1].lower()}_token": token for token in SPECIAL}
    config |= {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 512}
    config |= {"clean_up_tokenization_spaces": True, "do_lower_case": True}
    text = json.dumps(config, indent=2)
    (output / "tokenizer_config.json").write_text(text + "\n", "utf-8")
    return PreTrainedTokenizerFast.from_pretrained(output)


def make_student(teacher, teacher_ids):
    """Return an untrained student whose embeddings are projections of the teacher's."""
    config = BertConfig(
        vocab_size=len(teacher_ids),
        hidden_size=128,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=512,
        max_position_embeddings=512,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        initializer_range=0.05,
        id2label={0: "NEGATIVE", 1: "POSITIVE"},
        label2id={"NEGATIVE": 0, "POSITIVE": 1},
    )
    student = BertForSequenceClassification(config)
    source, target = teacher.bert.embeddings, student.bert.embeddings
    with torch.no_grad():
        words = source.word_embeddings.weight[teacher_ids].float()
        _, _, axes = torch.linalg.svd(words - words.mean(0), full_matrices=False)
        axes = axes[: config.hidden_size].T
        target.word_embeddings.weight.copy_(words @ axes)
        for name in ("position_embeddings", "token_type_embeddings"):
            getattr(target, name).weight.copy_(getattr(source, name).weight.float() @ axes)
    return student


def find_neighbours(teacher, tokens, teacher_ids, count=15):
    """Map every whole-word piece to the pieces nearest to it in the teacher's embedding."""
    words = [i for i, token in enumerate(tokens) if token.isalpha() and len(token) > 2]
    table = teacher.bert.embeddings.word_embeddings.weight.float()
    table = functional.normalize(table[[teacher_ids[i] for i in words]].detach(), dim=1)
    near = {}
    for start in range(0, len(words), 1000):
        top = (table[start : start + 1000] @ table.T).topk(count + 1).indices[:, 1:]
        for i, row in enumerate(top.tolist(), start):
            near[tokens[words[i]]] = [tokens[words[j]] for j in row]
    return near


def augment(text, others, near, rng):
    """Return one random variant of `text`: cut, spliced, reworded, masked or thinned."""
    words = text.split()
    shape = rng.random()
    if shape < 0.35:
        length = min(len(words), 1 + int(rng.expovariate(1 / 7)))
        start = rng.randint(0, len(words) - length)
        words = words[start : start + length]
    elif shape < 0.6:
        for _ in range(1 if rng.random() < 0.97 else 6):
            other = rng.choice(others).split()
            link = rng.choice(["", "", ",", ".", "and", "but", ", but", ", and"]).split()
            cut, begin = rng.randint(1, len(words)), rng.randint(0, len(other) - 1)
            words = (words if rng.random() < 0.5 else words[:cut]) + link + other[begin:]
    if rng.random() < 0.6:
        rate = rng.uniform(0, 0.5)
        words = [rng.choice(near[w]) if w in near and rng.random() < rate else w for w in words]
    if rng.random() < 0.5:
        words = " ".join(words).replace(" n't", "n't").split()
    if rng.random() < 0.3:
        words = [*words, rng.choice([".", ".", "!"])]
    change, rate = rng.random(), rng.uniform(0, 0.95)
    if change < 0.4:
        words = ["[MASK]" if rng.random() < rate else word for word in words]
    elif change < 0.6:
        words = [word for word in words if rng.random() >= rate]
    return " ".join(words)


def make_pool(texts, tokens, near, copies, rng):
    """Return the texts to distil on; each training sentence comes first, as it is."""
    pool = list(texts)
    pool += [augment(text, texts, near, rng) for text in texts for _ in range(copies)]
    pool += [token for token in tokens if token.isalpha() and len(token) > 2]
    pool += [" ".join(["[MASK]"] * rng.randint(0, 60)) for _ in range(len(pool) // 100)]
    return pool


def centre(margins, pool):
    """Take the teacher's leaning on nearly empty texts out of its margins."""
    visible = torch.tensor([sum(word != "[MASK]" for word in text.split()) for text in pool])
    centred = margins.clone()
    for count in range(PRIOR_WORDS):
        rows = visible == count
        if rows.any():
            centred[rows] -= margins[rows].median() * (1 - count / PRIOR_WORDS)
    return centred


def train(student, ids, margins, hints, epochs, rng, rate=1e-3, size=128):
    """Fit the student's margins to `margins` and its pooled states to `hints`."""
    bridge = torch.nn.Linear(student.config.hidden_size, hints.shape[1])
    parameters = [*student.parameters(), *bridge.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=rate, weight_decay=0.01, fused=True)
    steps = max(1, epochs * -(-len(ids) // size))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps, pct_start=0.1)
    student.train()
    for epoch in range(epochs):
        total = 0.0
        for chunk in batches(ids, size, rng):
            tokens, mask = pad([ids[i] for i in chunk])
            state = student.bert(input_ids=tokens, attention_mask=mask).pooler_output
            logits = student.classifier(state)
            fit = functional.smooth_l1_loss(logits[:, 1] - logits[:, 0], margins[chunk])
            loss = fit + 5 * functional.mse_loss(bridge(state), hints[chunk].float())
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()
            total += fit.item() * len(chunk)
        print(f"epoch {epoch + 1}: fit {total / len(ids):.4f}", flush=True)
    student.eval()


def save_student(student, output):
    """Write the weights in float16; the configuration asks for float32 on loading."""
    weights = {name: value.half().contiguous() for name, value in student.state_dict().items()}
    (output / "model.safetensors").write_bytes(save(weights, {"format": "pt"}))
    config = student.config.to_diff_dict() | {"architectures": [type(student).__name__]}
    config = {k: v for k, v in config.items() if k not in ("dtype", "transformers_version")}
    config |= {"torch_dtype": "float32"}
    (output / "config.json").write_text(json.dumps(config, indent=2) + "\n", "utf-8")


def evaluate(folder, texts, labels, seed=0):
    """Print the accuracy of a saved model with none, 15% and 50% of the words masked."""
    model = AutoModelForSequenceClassification.from_pretrained(folder).float().eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for rate in (0.0, 0.15, 0.5):
        rng = random.Random(seed)
        shown = [
            " ".join("[MASK]" if rng.random() < rate else word for word in text.split())
            for text in texts
        ]
        margins, _ = predict(model, tokenizer(shown)["input_ids"])
        right = ((margins > 0).long() == torch.tensor(labels)).float().mean()
        print(f"accuracy, {rate:.0%} of words masked: {right:.4f}", flush=True)


def main():
    """Train, save and evaluate the model as the command line asks."""
    parser = argparse.ArgumentParser(description="Train the small sentiment model.")
    parser.add_argument("--sst2", type=Path, required=True, help="folder of train.tsv, dev.tsv")
    parser.add_argument("--teacher", type=Path, required=True, help="classifier to distil from")
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    parser.add_argument("--vocabulary", type=int, default=14000, help="pieces to keep")
    parser.add_argument("--copies", type=int, default=16, help="variants of each sentence")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--limit", type=int, help="use this many training sentences only")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    rng = random.Random(options.seed)
    options.output.mkdir(parents=True, exist_ok=True)
    texts, _ = read_rows(options.sst2 / "train.tsv", options.limit)
    source = AutoTokenizer.from_pretrained(options.teacher)
    teacher = AutoModelForSequenceClassification.from_pretrained(options.teacher)
    teacher = teacher.to(torch.bfloat16).eval()

    tokens = choose_vocabulary(source, teacher, texts, options.vocabulary)
    tokenizer = save_tokenizer(source, tokens, options.output)
    teacher_ids = source.convert_tokens_to_ids(tokens)
    near = find_neighbours(teacher, tokens, teacher_ids)
    pool = make_pool(texts, tokens, near, options.copies, rng)
    ids = tokenizer(pool, truncation=True)["input_ids"]
    print(f"{len(tokens)} pieces, {len(pool)} texts", flush=True)
    margins, hints = predict(teacher, [[teacher_ids[i] for i in row] for row in ids])
    student = make_student(teacher, teacher_ids)
    train(student, ids, centre(margins, pool), hints, options.epochs, rng)
    save_student(student, options.output)
    evaluate(options.output, *read_rows(options.sst2 / "dev.tsv"))


if __name__ == "__main__":
    main()
