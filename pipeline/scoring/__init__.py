"""Bulk scoring: what is scored and in which shards, how one is scored, where the work is done, what came of it."""
