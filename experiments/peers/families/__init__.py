"""Jobs that several libraries do: who does them, what must come out, and how fast we want to be."""
