"""Directional pruning by generalised regularised dual averaging (gRDA): exactly and in law."""
