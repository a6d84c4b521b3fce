
from __future__ import annotations

from perturbx.reports.terminal import print_terminal, render_terminal
from perturbx.reports.words import summarize

