"""Figures, a module for each section of the report, and the plots that they share."""
