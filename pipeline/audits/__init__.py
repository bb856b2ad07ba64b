"""What an audit measures of a recogniser, and the gates that its findings must pass."""
