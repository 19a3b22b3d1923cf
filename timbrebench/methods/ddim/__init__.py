"""DDIM: an instrument's music from noise, nothing given (Pouya Mehr et al.)."""
