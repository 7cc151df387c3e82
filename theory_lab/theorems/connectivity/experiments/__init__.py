"""Networks drawn and measured, without the formulas."""
