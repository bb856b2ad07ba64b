"""The recogniser that is served, what it explains, and how requests share a run of it."""
