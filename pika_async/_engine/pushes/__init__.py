"""Callbacks: loaded only by a client that has a receiver."""
