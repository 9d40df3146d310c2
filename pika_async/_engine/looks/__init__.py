"""Look-ups of running tasks: when, in which requests, and what their answers tell."""
