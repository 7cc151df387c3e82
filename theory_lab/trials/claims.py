"""Every claim about trained networks."""

from theory_lab.trials import blind_logits, channels, directional, effective, orders

CLAIMS = [
    *channels.CLAIMS,
    *blind_logits.CLAIMS,
    *directional.CLAIMS,
    *effective.CLAIMS,
    *orders.CLAIMS,
]
