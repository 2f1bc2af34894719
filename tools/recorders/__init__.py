"""Recorders of gameplay: a file for each kind of source, which plays a game from a seed and yields its pictures."""
