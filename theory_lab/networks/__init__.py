"""The validated algorithms on real networks: torch models, optimisers, pruners, training, export."""
