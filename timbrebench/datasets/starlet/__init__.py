"""Starlet, StarNet's little twin: seeded chamber pieces, played by sampled instruments."""
