"""Explanations for people: in the terminal, as HTML, as plots, in words."""

from __future__ import annotations

from perturbx.reports.html import render_html
from perturbx.reports.plots import plot
from perturbx.reports.terminal import print_terminal, render_terminal
from perturbx.reports.words import summarize

__all__ = ["plot", "print_terminal", "render_html", "render_terminal", "summarize"]
