"""What the numbers of a sample of queries say about all queries: intervals, comparisons, seeds."""
