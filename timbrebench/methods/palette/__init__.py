"""DiffTransfer: the target's mel is denoised beside the source's (Comanducci et al. 2023)."""
