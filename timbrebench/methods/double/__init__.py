"""Double-diffusion: two instruments' models begin as one and end as a pair."""
