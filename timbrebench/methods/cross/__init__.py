"""Cross-diffusion: a clip is diffused, and denoised by the model of another instrument."""
