"""GTZAN: half-minute excerpts of ten genres, one class at a time."""
