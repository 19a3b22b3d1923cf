"""Shared by the datasets that mirdata has an index of."""
