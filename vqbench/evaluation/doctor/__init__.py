"""``vqbench doctor``: what in these vectors makes quantizing them easy or hard."""
