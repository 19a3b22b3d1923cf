"""Cross-attention latent diffusion (Prioteasa & Stempel-Hauburger 2025; arXiv 2404.14771)."""
