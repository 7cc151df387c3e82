"""Experiments and claims on trained networks: the only room that sees both bounds and torch."""
