"""Estimates that another system made, read from a folder."""
