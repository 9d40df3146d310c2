"""Callbacks: the tokens that name an attempt to the provider."""
