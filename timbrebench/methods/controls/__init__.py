"""Controls: what a measure gives to a system that did not learn any transfer."""
