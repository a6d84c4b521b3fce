"""Fill the templates of the audit sets: ``python datasets/make_audit_sets.py`` writes both.

Every template is filled for every group of its attribute, with all of its fills: groups are exactly
balanced in every template, so also under every label. Labels belong to the template. Nothing
is drawn at random, so the files are the same bytes every time.
"""

import argparse
import csv
import io
import re
import tomllib
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
LANGUAGES = ("en", "zh")
COLUMNS = ("text", "sentiment", "toxic", "attribute", "group", "term", "template", "language")
LABELS = {"positive": ("positive", 0), "negative": ("negative", 0), "toxic": ("negative", 1)}
REGISTERS = ("review", "news", "forum", "work", "letter")

SLOT = re.compile(r"\{(?:(?P<article>[aA]):)?(?P<name>\w+)\}")
TERM = re.compile(r"\[(?P<term>[^\]]+)\]")


def article(following):
    """Return "a" or "an": no filler here begins with a silent h or a long u."""
    return "an" if following[0].lower() in "aeiou" else "a"


def fill(template, forms, words):
    """Return the text of a template and the identity term that stands first in it."""
    terms = []

    def put(match):
        name = match["name"]
        if name in words:
            return words[name]
        form = forms[name.lower()]
        marked = TERM.search(form)
        terms.append(marked["term"] if marked else form)
        plain = TERM.sub(r"\g<term>", form)
        if match["article"]:
            an = article(plain)
            return f"{an.capitalize() if match['article'] == 'A' else an} {plain}"
        return plain[0].upper() + plain[1:] if name[0].isupper() else plain

    return SLOT.sub(put, template), terms[0]


def make_rows(language, folder=FOLDER):
    """Return the rows of one audit set, a dict each."""
    source = folder / f"audit_templates_{language}.toml"
    templates = tomllib.loads(source.read_text(encoding="utf-8"))
    rows = []
    for kind, (sentiment, toxic) in LABELS.items():
        for template in templates[kind]:
            for attribute, groups in templates["groups"].items():
                if attribute not in template.get("only", templates["groups"]):
                    continue
                if attribute in template.get("without", ()):
                    continue
                for words in template.get("fill", [{}]):
                    for group, forms in groups.items():
                        text, term = fill(template["text"], forms, words)
                        label = (text, sentiment, toxic, attribute, group, term)
                        values = (*label, template["name"], templates["language"])
                        rows.append(dict(zip(COLUMNS, values, strict=True)))
    return rows


def as_csv(rows):
    """Return the rows as the text of a CSV file."""
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=FOLDER, help="the folder to write to")
    output = parser.parse_args().output
    for language in LANGUAGES:
        rows = make_rows(language)
        (output / f"audit_{language}.csv").write_bytes(as_csv(rows).encode())
        print(f"audit_{language}.csv: {len(rows)} texts")
