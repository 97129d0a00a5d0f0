"""``vqbench experiment=peers``: our searches against those of others, each checked, then timed in turns."""
