"""Labels that begin one another: each is as probable as that it is the whole answer."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from perturbx.scorers.whole_labels import whole_label_log_probs

LABELS = st.lists(st.text(alphabet="ab", min_size=1, max_size=4), min_size=2, unique=True)


def next_letter(text, seed):
    """The probabilities of what follows a text: a letter or its end."""
    weights = np.random.default_rng([seed, *map(ord, text)]).random(3) + 0.05
    return dict(zip(("a", "b", ""), weights / weights.sum(), strict=True))


def log_probs(label, seed):
    return np.log([next_letter(label[:i], seed)[label[i]] for i in range(len(label))])


def probability(label, labels, seed):
    """Of all texts of four letters, those whose longest label is this one."""
    texts = [(label, float(np.exp(log_probs(label, seed).sum())))]
    total = 0.0
    while texts:
        text, mass = texts.pop()
        if text != label and text in labels:
            continue
        total += mass * next_letter(text, seed)[""] if len(text) < 4 else mass
        if len(text) < 4:
            texts += [(text + letter, mass * next_letter(text, seed)[letter]) for letter in "ab"]
    return total


@given(LABELS, st.integers(0, 99))
def test_each_is_what_the_longer_ones_leave(labels, seed):
    found = whole_label_log_probs(labels, [log_probs(label, seed) for label in labels])
    expected = [probability(label, labels, seed) for label in labels]
    np.testing.assert_allclose(np.exp(found), expected, rtol=1e-9)


def test_what_always_goes_on_is_next_to_nothing():
    found = whole_label_log_probs(["1", "10"], [np.array([-1.0]), np.array([-1.0, 0.0])])
    assert found[1] == -1.0
    assert -40.0 < found[0] < -20.0
