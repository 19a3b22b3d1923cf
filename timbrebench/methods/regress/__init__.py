"""The control of palette: its network without diffusion."""
