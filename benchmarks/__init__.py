"""Speed as ratios against references in the same run, accuracy over seeds, and what the service must stand.

None of the figures is asserted in a test: they want a quiet machine.
"""
