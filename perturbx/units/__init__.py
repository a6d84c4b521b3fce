r"""From a text to its units: the spans that are kept or removed as one.

The rule
--------
Where nothing is frozen every character belongs to a unit: ``"".join(units.pieces) == text``,
to the character. (Two exceptions, both frame: a text of nothing but white space has no units, and
the line break between the two texts of a pair belongs to neither.)

- **Words.** A word is a piece between ICU's word boundaries in which a character makes a word:
  a letter, a digit, an emoji, a symbol. Punctuation, white space, control and format characters
  make none, nor do currency signs and the symbols of the keyboard (``+ < = > ^ ` | ~``).
  A unit is a word with all that *follows* it up to the next word. What opens belongs to the word
  it *precedes*: an opening bracket or quote next to it (also ``¿`` and ``¡``); a straight quote or
  a marker (``* _ ~ ` # @ & < > = + -``, a dash, a bullet, a currency sign) next to it, after white
  space or what opens; a marker that begins a line. What comes before the first word of a text
  goes to that word. A text without a word ("!!!") is one unit.
- **Characters** are grapheme clusters, white space included. **Sentences** own the white space
  that follows them, **paragraphs** their blank lines, **tokens** and the matches of a **regex**
  what lies before the next one.
- A letter is never parted from its marks, nor an emoji from what is joined to it (by the
  segmenters by name; a tokenizer, a pattern or a function may).
- **Frozen** spans belong to no unit. Units are cut around them: trimmed, or left with two spans,
  or dropped where nothing but white space remains.
- The two texts of a **pair** are cut apart from each other.

Examples
--------
>>> text = 'Well-known: "3.14 (or so)" costs $5 👍🏽!'
>>> units = as_segmenter("words")(text)
>>> units.pieces
('Well-', 'known: ', '"3.14 ', '(or ', 'so)" ', 'costs ', '$5 ', '👍🏽!')
>>> "".join(units.pieces) == text
True
"""

from perturbx.units.bag_of_words import BagOfWords
from perturbx.units.characters import Characters
from perturbx.units.custom import Custom, CutFunction
from perturbx.units.front_door import SegmenterLike, as_segmenter
from perturbx.units.frozen import Frozen, freeze
from perturbx.units.hierarchy import group, hierarchy
from perturbx.units.identity_terms import IdentityTerms
from perturbx.units.paragraphs import Paragraphs
from perturbx.units.regex import Regex
from perturbx.units.segmenter import BaseSegmenter
from perturbx.units.sentences import Sentences
from perturbx.units.spans import Spans
from perturbx.units.template import Template
from perturbx.units.text_input import as_one_text
from perturbx.units.tokens import Tokens
from perturbx.units.tree import Tree
from perturbx.units.units import FRAME, Units
from perturbx.units.words import Words

__all__ = [
    "FRAME",
    "BagOfWords",
    "BaseSegmenter",
    "Characters",
    "Custom",
    "CutFunction",
    "Frozen",
    "IdentityTerms",
    "Paragraphs",
    "Regex",
    "SegmenterLike",
    "Sentences",
    "Spans",
    "Template",
    "Tokens",
    "Tree",
    "Units",
    "Words",
    "as_one_text",
    "as_segmenter",
    "freeze",
    "group",
    "hierarchy",
]
