"""What the page shows beside the answer, made when the Bento is packaged."""
