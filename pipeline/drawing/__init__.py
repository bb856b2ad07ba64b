"""Pictures to learn from that the training images lack: digits by other pens and hands, and what is no digit."""
