"""An audit in sentences: how it was done, on what, and what it cannot say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from perturbx.fairness.null_gaps import PERMUTED_UP_TO
from perturbx.fairness.wording import MEASURES, listed, number, percent, quoted, wording
from perturbx.reports.audit_view import AuditView

SOURCES: Final = {
    "metrics": (
        "Hardt, Price, Srebro 2016, “Equality of opportunity in supervised learning” (equal "
        "opportunity, equalized odds)",
        "Dixon et al. 2018, “Measuring and mitigating unintended bias in text classification” "
        "(equality differences)",
        "Borkan et al. 2019, “Nuanced metrics for measuring unintended bias with real data for "
        "text classification” (AUCs of groups)",
        "Rubin 1981, “The Bayesian bootstrap” (intervals)",
    ),
    "gaps": (
        "Westfall, Young 1993, “Resampling-based multiple testing” (adjusted p-values)",
        "29 CFR 1607.4(D), the “four-fifths rule” of US employment practice (ratios)",
    ),
    "words": (
        "Shapley 1953, “A value for n-person games”; Lundberg, Lee 2017, “A unified approach to "
        "interpreting model predictions” (what words add)",
        "Binder 1983, “On the variances of asymptotically normal estimators from complex surveys” "
        "(intervals of what words add)",
    ),
    "counterfactual": (
        "Garg et al. 2019, “Counterfactual fairness in text classification through robustness” "
        "(swapped terms, symmetric and asymmetric)",
    ),
    "representatives": (
        "Ribeiro, Singh, Guestrin 2016, “Why should I trust you?” (choice of representative texts)",
    ),
    "reweighing": (
        "Kamiran, Calders 2012, “Data preprocessing techniques for classification without "
        "discrimination” (weights)",
    ),
}
"""Where the methods are from, by the table that they stand behind."""


def measures(view: AuditView) -> Iterator[tuple[str, str]]:
    """Yield the name and the meaning of every measure and gap that occurs."""
    tables = ("metrics", "gaps")
    names = dict.fromkeys(row["metric"] for table in tables for row in view.rows[table])
    for metric in sorted(names, key=lambda metric: metric not in MEASURES):
        own = wording(metric)
        if own.meaning:
            yield own.name if metric in MEASURES else metric.replace("_", " "), own.meaning


def sources(view: AuditView) -> list[str]:
    """Return where the methods that were used are from."""
    return [own for table, every in SOURCES.items() if view.rows[table] for own in every]


def method(view: AuditView) -> Iterator[tuple[str, str]]:
    """Yield the steps of the method, each with a heading."""
    facts, rows = view.facts, view.rows
    resamples, permutations = facts.get("n_resamples"), facts.get("n_permutations")
    yield (
        "Intervals",
        f"An interval says how far a figure may be off because only some texts were seen. The "
        f"texts are weighed anew at random{_times(resamples)}, and the middle {view.level} of the "
        f"figures that come of it are the interval. It is a {view.level} interval: made in this "
        f"way, about {view.level} of such intervals hold the true figure.{_clusters(view)}",
    )
    if rows["gaps"]:
        if (facts.get("n_texts") or 0) > PERMUTED_UP_TO:
            yield (
                "Tests",
                "With so many texts, how large a gap comes about by chance is read from the texts "
                "weighed anew: it is how far a gap strays from its own mean there.",
            )
        else:
            yield (
                "Tests",
                f"If groups did not matter, it would not matter which text is of which group. So "
                f"the groups are dealt out among the texts at random{_times(permutations)}, and it "
                f"is counted how often a gap as large comes about by chance. For gaps in true and "
                f"false positive rates only texts of the same label are exchanged.{_dealt(view)}",
            )
        yield (
            "Many comparisons",
            "Who makes a hundred comparisons finds a few gaps by chance. The adjusted p-value "
            "takes all comparisons of this audit into account: if no groups differed, at most "
            "about 5 of 100 audits would call any gap one that “differs”.",
        )
        yield (
            "Seen from",
            "The size of a gap that 80 of 100 such data sets would have shown. Where nothing was "
            "found, smaller gaps than that may exist.",
        )
        yield (
            "Ratio",
            "The measure in the first group divided by that in the second. In US employment "
            "practice a ratio of selection rates below 0.8 is a reason to look closer; it is no "
            "threshold of this audit.",
        )
    if facts.get("n_refused"):
        yield (
            "Refused texts",
            "The refusal rate is the share of all texts to which the model gave no answer. Groups "
            "are compared in it as in other measures, with p-values adjusted for such comparisons "
            "only. All other figures are of the texts that were answered.",
        )
    if rows["words"]:
        yield (
            "What words add",
            f"The score of a text less the score of a text without its words is shared out among "
            f"the words (Shapley values): a word is worth what it adds on average, whichever "
            f"words are there already. The shares add up to the score, so a gap between the mean "
            f"scores of two groups is the sum of what words add more in one than in the "
            f"other.{_explained(view)}",
        )
    if rows["counterfactual"]:
        yield (
            "Swapped terms",
            "The identity terms of a text are exchanged for those of another group, with the "
            "grammar around them, and the model is asked again. Where nothing else changes, a "
            "score that moves depends on the terms. Swaps are called asymmetric where the text may "
            "mean another thing afterwards (a slur for a plain word, say); they are counted apart.",
        )
    if rows["advice"]:
        yield (
            "What would help",
            "Remedies are tried on texts that they were not fitted to. What comes of it is an "
            "estimate for texts like these, not a promise.",
        )


def _times(count: object) -> str:
    return f" {count:,} times" if isinstance(count, int) and count else ""


def _clusters(view: AuditView) -> str:
    count = view.facts.get("n_clusters")
    if not (own := _cluster(view)):
        return ""
    held = f" ({count:,} of them)" if isinstance(count, int) else ""
    return f" Texts of the same {own}{held} are weighed together."


def _dealt(view: AuditView) -> str:
    if not (own := _cluster(view)):
        return ""
    return (
        f" Where texts of one {own} are of several groups, only these are exchanged with each "
        f"other. If that leaves a gap however they are dealt, a gap counts by what lies beyond it; "
        f"where it leaves hardly anything to deal, chance is read from the texts weighed anew."
    )


def _cluster(view: AuditView) -> str:
    """Return what texts are told to have in common; empty where there is nothing."""
    name = view.facts.get("clusters")
    # An array has no name of its own: it goes by that of the argument.
    return quoted(name) if isinstance(name, str) and name != "clusters" else "cluster" * bool(name)


def _explained(view: AuditView) -> str:
    n, explainer = view.facts.get("n_explained"), view.facts.get("explainer")
    said = f" {n:,} texts were explained in this way" if isinstance(n, int) else ""
    if said and explainer:
        said += f", by {explainer}"
        if view.facts.get("masker"):
            said += f" (words taken out by {quoted(view.facts['masker'])})"
    return f"{said}." if said else ""


def data(view: AuditView) -> Iterator[tuple[str, str]]:
    """Yield what is known of the data, each with a heading."""
    facts = view.facts
    n, labelled = facts.get("n_texts"), facts.get("n_labelled")
    if isinstance(n, int):
        yield "Texts", f"{n:,}"
    if refused := facts.get("n_refused"):
        yield "Refused", f"{refused:,} further texts"
    if isinstance(n, int) and isinstance(labelled, int):
        share = f" ({percent(labelled / n)})" if n else ""
        yield "With a label", f"{labelled:,}{share}; {n - labelled:,} without"
    if facts.get("n_clusters"):
        name = f" by {own}" if (own := _cluster(view)) not in ("", "cluster") else ""
        yield "Clusters", f"{facts['n_clusters']:,}{name}"
    if facts.get("lexicons"):
        yield "Word lists", listed(facts["lexicons"], most=12)
    for key, heading in (
        ("n_explained", "Explained"),
        ("n_swapped_texts", "Swapped"),
        ("min_group_size", "Fewest texts behind a figure"),
        ("n_calls", "Distinct inputs given to the model"),
        ("seed", "Seed"),
    ):
        if isinstance(facts.get(key), int):
            yield heading, f"{facts[key]:,}"


def decisions(view: AuditView) -> Iterator[tuple[str, str]]:
    """Yield every outcome that was audited, with when the model decides for it."""
    for own in view.facts.get("outcomes") or ():
        if isinstance(own, dict) and "name" in own:
            yield f"Outcome {quoted(own['name'])}", decided(own)


def decided(outcome: Mapping[str, Any]) -> str:
    """Return when a model decides for an outcome."""
    threshold = outcome.get("threshold")
    if isinstance(threshold, int | float):
        return f"decided for from a score of {number(float(threshold))} on"
    if outcome.get("positive_labels"):
        return "decided for where its score is the highest"
    return "a number; nothing is decided"


def limits(view: AuditView) -> Iterator[str]:
    """Yield what this report cannot say."""
    rows, facts = view.rows, view.facts
    yield (
        "This report measures; it draws no legal conclusion. Whether a difference is unlawful, "
        "justified or harmful depends on what the model is used for and on the law that applies."
    )
    yield (
        "It speaks of these texts and of texts like them. Texts that the model meets in use may be "
        "others, and so may the gaps."
    )
    yield (
        "An interval says what the choice of texts leaves open. It does not cover wrong labels, "
        "wrong groups or a data set that is not like the use."
    )
    if any(row["origin"] == "text" for row in rows["groups"]):
        yield (
            "Groups that were found by word lists are texts that mention a group, not texts from "
            "its members. Lists miss words that they do not know, names above all, and some words "
            "have meanings that have nothing to do with a group."
        )
    if any(row["n_labelled"] for row in rows["groups"]):
        yield (
            "Labels were taken as they are. If people who labelled the texts were biased, a model "
            "that agrees with them looks fair here."
        )
    else:
        yield (
            "There are no labels, so it is known how often the model decides for an outcome in "
            "each group, but not how often it is right."
        )
    if any(row["note"] == "too few" for row in rows["metrics"]):
        yield (
            "Nothing is said of groups and measures with too few texts. They are the ones of whom "
            "least is known, not the ones that fare well."
        )
    if facts.get("n_refused"):
        yield (
            "What the model would say of the texts that it refused is not known. If it refuses "
            "those that it would judge otherwise, or more of one group, gaps among the others are "
            "not those among all."
        )
    if rows["gaps"]:
        yield (
            "“None found” is not “none”: the column “Seen from” says how large a gap would have "
            "had to be."
        )
        if not facts.get("clusters"):
            yield (
                "Texts were taken to be independent of each other. If many have the same author or "
                "source, the intervals are too narrow."
            )
    if any(row["metric"] in ("selection_rate", "fpr") for row in rows["metrics"]):
        yield "Decisions were judged at the thresholds given under “Data”; at others, gaps differ."
    split = {row["attribute"] for row in rows["words"]}
    others = [name for name in view.measured if name not in split]
    if facts.get("n_explained") and others:
        yield (
            f"Gaps by {listed(map(quoted, others))} were not split into words, as too few texts of "
            f"their groups were explained; more can be."
        )
    if rows["words"]:
        yield (
            "What a word adds is about what the model does with the word. It does not say that the "
            "word is to blame, nor that a text would be written without it."
        )
    if rows["counterfactual"]:
        yield (
            "A swapped text may be unnatural or say another thing, and the score of such a text "
            "may move for that reason. The worst cases show the texts so that this can be judged."
        )
    if rows["advice"]:
        yield (
            "What would help is estimated. Other thresholds for other groups treat people "
            "differently by group, which may itself be unlawful. And a model that hardly ever "
            "decides for an outcome shows small gaps in it: look at what a remedy does before it "
            "is used."
        )
