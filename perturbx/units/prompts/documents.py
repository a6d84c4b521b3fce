"""Retrieved documents: a hierarchy of documents, paragraphs and sentences in one prompt."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

from perturbx.exceptions import ArgumentError
from perturbx.units.front_door import SegmenterLike, as_segmenter
from perturbx.units.hierarchy import hierarchy
from perturbx.units.segmenter import place
from perturbx.units.template import Template
from perturbx.units.units import Units


def document_prompt(
    template: str | Template,
    documents: Sequence[str],
    *,
    field: str = "context",
    units: SegmenterLike = "sentences",
    separator: str = "\n\n",
    **fields: str,
) -> Units:
    r"""Return a prompt whose documents are played with, and whose other fields are frozen.

    Parameters
    ----------
    template : str or Template
        The prompt.
    documents : sequence of str
        What was retrieved. A title belongs to the first unit of its document.
    field : str, default="context"
        The field that they fill.
    units : str, re.Pattern, callable or Segmenter, default="sentences"
        What is kept or removed as one; no unit reaches over the end of a document.
    separator : str, default="\n\n"
        Stands between two documents and belongs to the one before it.
    **fields : str
        The values of the other fields.

    Returns
    -------
    Units
        With a tree: documents, their paragraphs, their sentences.

    Raises
    ------
    ArgumentError
        If there is no document, one is blank, or a field is missing.

    Examples
    --------
    >>> documents = ["He left.", "It rained. A lot."]
    >>> units = document_prompt("{context}\nQ: {query}", documents, query="?")
    >>> units.labels
    ('He left', 'It rained', 'A lot')
    >>> [units.tree.leaves(node) for node in units.tree.children[-1]]
    [(0,), (1, 2)]
    """
    if isinstance(documents, str) or not documents:
        raise ArgumentError(
            f"documents: expected a list of one text or more, got {documents!r:.80}"
        )
    for i, document in enumerate(documents):
        if not isinstance(document, str) or not document.strip():
            raise ArgumentError(f"documents[{i}]: expected a text, got {document!r:.80}")
    shown = [document + separator for document in documents[:-1]] + [documents[-1]]
    starts = list(accumulate(map(len, shown), initial=0))
    segmenter = as_segmenter(units)
    placed = [(segmenter(own), (start,)) for own, start in zip(shown, starts[:-1], strict=True)]
    joined = place("".join(shown), placed, level=segmenter.level)
    made = template if isinstance(template, Template) else Template(template)
    played = made.units(lambda text: joined, fields=[field], **{field: joined.text, **fields})
    if not played.n_units:
        return played
    offset = played.first_spans[0][0] - joined.first_spans[0][0]
    borders = tuple((offset + first, offset + last) for first, last in pairwise(starts))
    return hierarchy(played, levels=("paragraphs", borders))
