"""What a person sees in the terminal, one screen a file."""
