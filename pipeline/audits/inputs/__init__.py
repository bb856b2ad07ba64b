"""What is asked of a recogniser: makers of pictures, and the attacks."""
