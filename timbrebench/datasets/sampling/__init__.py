"""Shared by datasets that play written notes: a SoundFont sampler, MIDI files, rendering."""
