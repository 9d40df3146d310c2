"""When to look up which task, within an account's budget. Pure."""
