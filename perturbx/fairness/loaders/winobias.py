"""WinoBias: pronouns that agree or disagree with a stereotype (Zhao et al., 2018)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Final, Literal

from perturbx.exceptions import ArgumentError
from perturbx.fairness.labelled_texts import LabelledTexts
from perturbx.fairness.loaders.files import PathArgument, Source, checked_path

WINOBIAS: Final = Source(
    "WinoBias",
    "MIT",
    "Zhao et al. (2018), Gender bias in coreference resolution",
    "https://github.com/uclanlp/corefBias",
)
_LINE: Final = re.compile(r"(?P<number>\d+)\s+(?P<sentence>\S.*)")
_BRACKETS: Final = re.compile(r"\[([^\]]*)\]")
_SIDE: Final = re.compile(r"(?<![a-z])(?:pro|anti)(?![a-z])")
_GENDER: Final = dict.fromkeys(("he", "him", "his", "himself"), "male") | dict.fromkeys(
    ("she", "her", "hers", "herself"), "female"
)


@dataclass(frozen=True)
class _Sentence:
    number: str
    text: str
    mentions: tuple[str, ...]
    side: Literal["pro", "anti"]

    @property
    def pronoun(self) -> str | None:
        """The pronoun in brackets; None where there is none, or several genders are."""
        pronouns = [m for m in self.mentions if m.lower() in _GENDER]
        genders = {_GENDER[pronoun.lower()] for pronoun in pronouns}
        return pronouns[-1] if len(genders) == 1 else None

    @property
    def entity(self) -> str | None:
        """The person in brackets, whom the pronoun means, without an article."""
        others = [m for m in self.mentions if m.lower() not in _GENDER]
        return re.sub(r"^(the|an?)\s+", "", others[0], flags=re.IGNORECASE) if others else None


def load_winobias(path: PathArgument | Sequence[PathArgument]) -> LabelledTexts:
    """Load WinoBias, 396 sentences a file, or a pair of its files.

    Parameters
    ----------
    path : path, or two paths
        A file (``anti_stereotyped_type1.txt.dev`` or the like: whether it is pro or anti is read
        from its name), or the pro and the anti file of one type: then the two sentences of a
        number are a pair.

    Returns
    -------
    LabelledTexts
        Texts without brackets and numbers; no labels. Attributes: ``gender`` of the pronoun, and
        ``stereotype``: whether it agrees with the stereotype of the occupation ("pro", "anti").
        Clusters: the number of the sentence. Extra columns: ``pronoun``, ``entity`` (whom it
        means). Rows without both in brackets are kept, and `notes` counts them, as it does pairs
        whose sentences differ in more than the pronoun.

    Raises
    ------
    ArgumentError
        Another file, a line without number and sentence, a name that does not say pro or anti, or
        two files of one side or with other numbers.
    """
    paths = [path] if isinstance(path, str | PathLike) else list(path)
    if len(paths) not in (1, 2):
        raise ArgumentError(f"path: expected one file, or the pro and the anti one; got {paths!r}")
    files = [_read(one) for one in paths]
    sentences = [sentence for file in files for sentence in file]
    notes = []
    if n_odd := sum(s.pronoun is None or s.entity is None for s in sentences):
        notes.append(f"{n_odd} of {len(sentences)} rows have no pronoun and person in brackets")
    if len(files) == 2:
        by_number = [{s.number: s for s in file} for file in files]
        if files[0][0].side == files[1][0].side or by_number[0].keys() != by_number[1].keys():
            raise ArgumentError(
                f"path: expected the pro and the anti file of one type; got {paths!r}, which are "
                f"of one side or have other numbers"
            )
        pairs = [(s, by_number[1][number]) for number, s in by_number[0].items()]
        if n_odd := sum(_frame(one) != _frame(other) for one, other in pairs):
            notes.append(f"{n_odd} of {len(pairs)} pairs differ in more than the pronoun")
    pronouns = [sentence.pronoun for sentence in sentences]
    return LabelledTexts(
        [sentence.text for sentence in sentences],
        groups={
            "gender": [p and _GENDER[p.lower()] for p in pronouns],
            "stereotype": [sentence.side for sentence in sentences],
        },
        clusters=[sentence.number for sentence in sentences],
        name="WinoBias",
        licence=WINOBIAS.line,
        extra={"pronoun": pronouns, "entity": [sentence.entity for sentence in sentences]},
        notes=notes,
    )


def _read(path: PathArgument) -> list[_Sentence]:
    file = checked_path(path, WINOBIAS)
    named = set(_SIDE.findall(file.name.lower()))
    sides: list[Literal["pro", "anti"]] = [side for side in ("pro", "anti") if side in named]
    if len(sides) != 1:
        raise WINOBIAS.fault(path, "neither 'pro' nor 'anti' (or both) in the name of the file")
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise WINOBIAS.fault(path, f"no text in UTF-8 ({error})") from error
    sentences = []
    for number, line in enumerate(lines, start=1):
        match = _LINE.fullmatch(line.strip())
        if line.strip() and not match:
            raise WINOBIAS.fault(path, f"line {number}: no number with a sentence, {line[:40]!r},")
        if match:
            text = _BRACKETS.sub(r"\1", match["sentence"])
            mentions = tuple(_BRACKETS.findall(match["sentence"]))
            sentences.append(_Sentence(match["number"], text, mentions, sides[0]))
    if not sentences:
        raise WINOBIAS.fault(path, "no sentence")
    return sentences


def _frame(sentence: _Sentence) -> str:
    words = re.findall(r"\w+|\W", sentence.text)
    return "".join("_" if word.lower() in _GENDER else word for word in words)
