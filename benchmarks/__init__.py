"""Speed as ratios against references in the same run, and accuracy over seeds. None of it is asserted anywhere."""
