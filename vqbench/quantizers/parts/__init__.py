"""What several quantizers share: grids, ranges, levels, ledgers."""
