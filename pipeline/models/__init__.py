"""The networks: what they are, how batches reach them, how Lightning trains them, how they are exported."""
