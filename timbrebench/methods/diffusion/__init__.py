"""What diffusion methods share: schedules, parameterisations, samplers, a U-Net, paired data.

Not a plugin. One notation throughout: a time t in [0, 1], 0 the data and 1 the noise;
x_t = α(t)·x₀ + σ(t)·ε with the signal rate α, the noise rate σ, and α² + σ² = 1.
"""
