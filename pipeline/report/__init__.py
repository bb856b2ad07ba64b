"""What people read of an audit: figures, sentences, the page, the model card."""
