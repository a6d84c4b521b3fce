"""Which words change what another word means, and which only say the same thing twice?

The value of a word is a mean over the company it keeps. An interaction says how much two words are
worth together beyond the sum of both: a negation turns the word after it around, and a second word
of praise adds less than the first. All of it comes from the scores that were paid for already.
"""

from importlib.util import find_spec
from pathlib import Path
from tempfile import gettempdir

import perturbx as px

SENTENCE = "The acting is never dull, the story is brilliant and the ending is superb."

explainer = px.ShapleyExplainer("default", link="log_odds", random_state=0)
(explanation,) = explainer.explain([SENTENCE])
print(explanation)

print(f"\nThe strongest pairs for {explanation.top_output}, from the same scores")
for (first, second), value, std_error in explanation.top_interactions(n=6):
    print(f"{first + ' + ' + second:<24}{value:>+7.2f} ± {std_error:.2f}")

if find_spec("matplotlib"):
    import matplotlib as mpl

    mpl.use("Agg")
    path = Path(gettempdir()) / "words_together.png"
    explanation.plot("network").figure.savefig(path, dpi=150)
    print(f"\nThe network of pairs is in {path}")
