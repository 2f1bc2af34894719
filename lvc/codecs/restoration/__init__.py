"""Restoration, for any lossy codec: learned filters that give decoded planes back some of what quantisation took."""
