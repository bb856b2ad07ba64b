"""Test digits as people send them: photographed, scanned, drawn, cut out, on paper of every kind.

Drawn by code of its own: nothing here is shared with how the service prepares pictures or with what networks learn
from, so that neither can be fitted to it.
"""

from pipeline.audits.inputs.as_sent import colour, files, light, paper, strokes
from pipeline.audits.inputs.as_sent.kind import KINDS, STRENGTHS, Kind, sent

__all__ = ["KINDS", "STRENGTHS", "Kind", "colour", "files", "light", "paper", "sent", "strokes"]
